using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>The selectors of a drain policy, read once: which pods leave, and which rule is about which pod.</summary>
internal sealed class DrainSelectors
{
    private readonly LabelSelector _pods;
    private readonly IReadOnlyList<(DrainRule Rule, LabelSelector Pods, LabelSelector Namespaces)> _rules;

    public DrainSelectors(DrainPolicy policy)
    {
        _pods = Read(policy.PodSelector);
        _rules = [.. policy.Rules.Select(rule => (rule, Read(rule.PodSelector), Read(rule.NamespaceSelector)))];
        NeedsNamespaces = policy.Rules.Any(rule => rule.NamespaceSelector is not null);
    }

    /// <summary>A rule asks for the labels of namespaces.</summary>
    public bool NeedsNamespaces { get; }

    /// <summary>The pod may leave.</summary>
    public bool IsSelected(PodSnapshot pod) => _pods.Matches(pod.Labels);

    /// <summary>The first rule that matches, or null.</summary>
    public DrainRule? RuleFor(PodSnapshot pod, IReadOnlyDictionary<string, string> namespaceLabels) =>
        _rules.FirstOrDefault(one => one.Pods.Matches(pod.Labels) && one.Namespaces.Matches(namespaceLabels)).Rule;

    // What is no selector was refused by the plan; a policy that comes from elsewhere must not widen what leaves.
    private static LabelSelector Read(string? text) => text is null
        ? LabelSelector.Everything
        : LabelSelector.Parse(text) ?? throw new FormatException($"'{text}' is not a label selector.");
}

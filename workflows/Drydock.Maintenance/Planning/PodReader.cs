using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>A pod with what was decided about it.</summary>
internal sealed record ClassifiedPod(PodSnapshot Pod, PodDecision Decision);

/// <summary>
/// Reads the pods of a node and applies the rules to them. Remembers for its own short life which DaemonSets exist and how namespaces are
/// labelled.
/// </summary>
internal sealed class PodReader(ICluster cluster, TimeProvider clock, DrainPolicy policy)
{
    private static readonly IReadOnlyDictionary<string, string> NoLabels = new Dictionary<string, string>(StringComparer.Ordinal);

    private readonly DrainSelectors _selectors = new(policy);
    private readonly Dictionary<ObjectRef, bool> _daemonSets = [];
    private readonly Dictionary<string, IReadOnlyDictionary<string, string>> _namespaces = new(StringComparer.Ordinal);

    /// <summary>Every pod on the node with its decision.</summary>
    public async Task<IReadOnlyList<ClassifiedPod>> ReadAsync(string node, CancellationToken cancellationToken)
    {
        var pods = await cluster.ListPodsOnNodeAsync(node, cancellationToken);
        var classified = new List<ClassifiedPod>(pods.Count);
        foreach (var pod in pods)
        {
            var facts = new PodFacts(pod, await DaemonSetExistsAsync(pod, cancellationToken))
            {
                IsSelected = _selectors.IsSelected(pod),
                Rule = _selectors.RuleFor(pod, await LabelsAsync(pod.Ref.Namespace, cancellationToken)),
            };
            classified.Add(new ClassifiedPod(pod, PodRules.Decide(facts, policy, clock.GetUtcNow())));
        }

        return classified;
    }

    private async Task<IReadOnlyDictionary<string, string>> LabelsAsync(string @namespace, CancellationToken cancellationToken)
    {
        if (!_selectors.NeedsNamespaces)
        {
            return NoLabels;
        }

        if (!_namespaces.TryGetValue(@namespace, out var labels))
        {
            labels = await cluster.GetNamespaceLabelsAsync(@namespace, cancellationToken);
            _namespaces[@namespace] = labels;
        }

        return labels;
    }

    private async Task<bool> DaemonSetExistsAsync(PodSnapshot pod, CancellationToken cancellationToken)
    {
        if (pod.Controller is not { Kind: "DaemonSet" } owner)
        {
            return true;
        }

        var daemonSet = new ObjectRef(pod.Ref.Namespace, owner.Name);
        if (!_daemonSets.TryGetValue(daemonSet, out var exists))
        {
            exists = await cluster.FindDaemonSetAsync(daemonSet, cancellationToken) is not null;
            _daemonSets[daemonSet] = exists;
        }

        return exists;
    }
}

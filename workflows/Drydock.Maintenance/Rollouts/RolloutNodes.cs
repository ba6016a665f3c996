using System.Globalization;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.Rollouts;

/// <summary>Which nodes are asked about.</summary>
/// <param name="Nodes">By name; empty: selected.</param>
/// <param name="Selector">By label, or null.</param>
/// <param name="KubeletBelow">Only with a kubelet older than this, or null.</param>
/// <param name="ZoneLabel">The label that names the zone.</param>
/// <param name="Known">Nodes that are part of the rollout already.</param>
/// <param name="WithLoad">Count the pods of those that are new.</param>
internal sealed record ReadNodesInput(
    IReadOnlyList<string> Nodes, string? Selector, string? KubeletBelow, string ZoneLabel, IReadOnlyList<string> Known, bool WithLoad);

/// <summary>What a rollout must know of the cluster; only what differs from what it knows, so that the history stays small.</summary>
/// <param name="Added">Selected nodes that are not part of it yet, in order.</param>
/// <param name="Left">Known nodes that are gone or not selected any more.</param>
/// <param name="Down">Nodes that are not Ready or are cordoned, whoever did it.</param>
/// <param name="Held">Nodes that another maintenance holds.</param>
internal sealed record NodesSeen(
    IReadOnlyList<NodeFacts> Added, IReadOnlyList<NodeNote> Left, IReadOnlyList<NodeNote> Down, IReadOnlyList<NodeNote> Held);

/// <summary>A node as it joins a rollout.</summary>
internal sealed record NodeFacts(string Node, string? Zone, bool IsControlPlane, int Load);

/// <summary>Something about a node, in words that follow its name or "waits for".</summary>
internal sealed record NodeNote(string Node, string Why);

/// <summary>Reads which nodes a rollout is about, and how they are.</summary>
internal sealed class ReadNodesActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<ReadNodesInput, NodesSeen>
{
    protected override async Task<NodesSeen> RunAsync(ReadNodesInput input, CancellationToken cancellationToken)
    {
        var all = await cluster.ListNodesAsync(cancellationToken);
        var selected = NodeSelection.Select(all, input.Nodes, input.Selector, input.KubeletBelow);
        var known = input.Known.ToHashSet(StringComparer.Ordinal);
        var chosen = selected.Select(node => node.Name).ToHashSet(StringComparer.Ordinal);
        var exists = all.Select(node => node.Name).ToHashSet(StringComparer.Ordinal);
        var added = new List<NodeFacts>();
        foreach (var node in selected.Where(node => !known.Contains(node.Name)))
        {
            var load = input.WithLoad ? (await cluster.ListPodsOnNodeAsync(node.Name, cancellationToken)).Count(Leaves) : 0;
            added.Add(new NodeFacts(node.Name, node.Labels.GetValueOrDefault(input.ZoneLabel), node.IsControlPlane, load));
        }

        var ours = all.Where(node => known.Contains(node.Name) || chosen.Contains(node.Name)).ToList();
        return new NodesSeen(
            added,
            [
                .. input.Known.Concat(input.Nodes.Where(node => !known.Contains(node))).Where(node => !chosen.Contains(node)).Select(node => new NodeNote(
                    node, exists.Contains(node) ? "It is not selected." : "It is not in the cluster.")),
            ],
            [.. ours.Select(NodeSelection.Down).OfType<NodeNote>()],
            await HeldAsync(ours, cancellationToken));
    }

    // A mark whose lease is not alive was left behind: the maintenance itself refuses it and says what to do.
    private async Task<IReadOnlyList<NodeNote>> HeldAsync(IEnumerable<NodeSnapshot> nodes, CancellationToken cancellationToken)
    {
        var held = new List<NodeNote>();
        foreach (var (node, holder) in nodes.Where(node => node.Mark is not null).Select(node => (node.Name, node.Mark!.HeldBy)))
        {
            var lease = await cluster.GetLeaseAsync(node, cancellationToken);
            if (lease?.Holder == holder && lease.ExpiresAt > clock.GetUtcNow())
            {
                held.Add(new NodeNote(node, Holder.Describe(holder)));
            }
        }

        return held;
    }

    private static bool Leaves(PodSnapshot pod) => !pod.IsMirror && !pod.IsFinished && pod.Controller?.Kind != "DaemonSet";
}

/// <summary>Chooses nodes. Pure.</summary>
public static class NodeSelection
{
    /// <summary>The nodes by name in the order given, or by label by name; of those only the ones with an older kubelet, if that is asked.</summary>
    /// <exception cref="FormatException">The selector or the version cannot be read; the message says what is wrong.</exception>
    public static IReadOnlyList<NodeSnapshot> Select(
        IReadOnlyList<NodeSnapshot> all, IReadOnlyList<string> names, string? selector, string? kubeletBelow)
    {
        ArgumentNullException.ThrowIfNull(all);
        ArgumentNullException.ThrowIfNull(names);
        var byName = all.ToDictionary(node => node.Name, StringComparer.Ordinal);
        var chosen = names.Count > 0
            ? names.Distinct(StringComparer.Ordinal).Select(name => byName.GetValueOrDefault(name)).OfType<NodeSnapshot>()
            : all.OrderBy(node => node.Name, StringComparer.Ordinal).Where(node => Matches(node, selector));
        return [.. kubeletBelow is null ? chosen : chosen.Where(node => IsBelow(node.KubeletVersion, kubeletBelow))];
    }

    /// <summary>Reads <c>v1.33.2</c>, <c>1.33</c> or <c>v1.33.2+k3s1</c>; null if it is none of these.</summary>
    public static Version? ReadVersion(string? text)
    {
        var digits = (text ?? "").TrimStart('v').Split('+', '-')[0].Split('.');
        return digits.Length is 2 or 3 && Array.TrueForAll(digits, part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            ? new Version(int.Parse(digits[0]), int.Parse(digits[1]), digits.Length == 3 ? int.Parse(digits[2]) : 0)
            : null;
    }

    internal static NodeNote? Down(NodeSnapshot node) =>
        node.Conditions.FirstOrDefault(condition => condition.Type == "Ready") is not { Status: "True" } ? new(node.Name, "not Ready")
        : node.Unschedulable ? new(node.Name, "cordoned")
        : null;

    private static bool Matches(NodeSnapshot node, string? selector) =>
        selector is null
        || (LabelTerms.Parse(selector) ?? throw new FormatException($"'{selector}' is no label selector.")).All(term => term.Matches(node.Labels));

    // A kubelet that does not say its version is left alone.
    private static bool IsBelow(string? version, string below) =>
        ReadVersion(version) is { } its && its < (ReadVersion(below) ?? throw new FormatException($"'{below}' is no version."));
}

/// <summary>The terms of a label selector in kubectl's grammar.</summary>
public static class LabelTerms
{
    /// <summary>
    /// Reads <c>key</c>, <c>!key</c>, <c>key=value</c>, <c>key!=value</c>, <c>key in (a,b)</c> and <c>key notin (a,b)</c>, joined by commas;
    /// null if it is something else.
    /// </summary>
    public static IReadOnlyList<LabelRequirement>? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var terms = SplitOutsideParentheses(text).Select(term => ParseSet(term) ?? ParseEquality(term)).ToList();
        return terms.Contains(null) ? null : [.. terms.OfType<LabelRequirement>()];
    }

    private static IEnumerable<string> SplitOutsideParentheses(string text)
    {
        var (from, depth) = (0, 0);
        for (var at = 0; at < text.Length; at++)
        {
            depth += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
            if (text[at] == ',' && depth == 0)
            {
                yield return text[from..at].Trim();
                from = at + 1;
            }
        }

        yield return text[from..].Trim();
    }

    private static LabelRequirement? ParseSet(string term)
    {
        var words = term.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (words is not [var key, "in" or "notin", ['(', .. var values, ')']] || !IsKey(key))
        {
            return null;
        }

        var all = values.Split(',', StringSplitOptions.TrimEntries);
        return Array.TrueForAll(all, IsValue) ? new LabelRequirement(key, words[1] == "in" ? "In" : "NotIn", all) : null;
    }

    private static LabelRequirement? ParseEquality(string term)
    {
        var isNot = term.Contains("!=", StringComparison.Ordinal);
        var parts = term.Split(isNot ? "!=" : term.Contains("==", StringComparison.Ordinal) ? "==" : "=", 2, StringSplitOptions.TrimEntries);
        var key = parts[0];
        return parts.Length == 2
            ? IsKey(key) && IsValue(parts[1]) ? new LabelRequirement(key, isNot ? "NotIn" : "In", [parts[1]]) : null
            : key.StartsWith('!') && IsKey(key[1..]) ? new LabelRequirement(key[1..], "DoesNotExist", [])
            : IsKey(key) ? new LabelRequirement(key, "Exists", []) : null;
    }

    private static bool IsKey(string key) =>
        key.Length is > 0 and <= 317 && key.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/');

    private static bool IsValue(string value) =>
        value.Length <= 63 && value.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}

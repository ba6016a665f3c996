using Drydock.Kubernetes;

namespace Drydock.Maintenance.Node;

/// <summary>An object around a node that is held during its maintenance.</summary>
internal sealed record HeldNeighbour(NeighbourKind Kind, ObjectRef Ref)
{
    public override string ToString() => $"{Kind} {(Ref.Namespace.Length == 0 ? Ref.Name : Ref.ToString())}";
}

/// <summary>
/// What is written on the objects around a node so that nobody remediates it, and how it is taken off: by the marks alone. One health check
/// looks after many nodes, so each maintenance adds its own entry and takes away only that; the last one puts the prior value back.
/// </summary>
internal static class NeighbourMarks
{
    /// <summary>Who holds the object: JSON, the holder by node.</summary>
    public const string Holders = "drydock.dev/holders";

    /// <summary>The value of the annotation before the first of them: JSON.</summary>
    public const string Prior = "drydock.dev/prior";

    /// <summary>The value we write; any value pauses (facts 2.5).</summary>
    public const string Ours = "drydock";

    /// <summary>
    /// The annotation that keeps remediation away (facts 2.5). A machine of Cluster API is left alone by itself, so its health checks go on
    /// looking after the others; OpenShift knows only the pause of the whole health check.
    /// </summary>
    public static string? AnnotationOf(NeighbourKind kind) => kind switch
    {
        NeighbourKind.OpenShiftHealthCheck => "cluster.x-k8s.io/paused",
        NeighbourKind.ClusterMachine => "cluster.x-k8s.io/skip-remediation",
        _ => null,
    };

    /// <summary>The entry in <c>spec.pauseRequests</c> of a NodeHealthCheck: mark and reason in one.</summary>
    public static string PauseRequest(string node, string holder) => $"{PausePrefix(node)}{holder})";

    /// <summary>The change that holds the object, or null if it is held already.</summary>
    public static NeighbourChange? Hold(NeighbourSnapshot neighbour, string node, string holder)
    {
        if (neighbour.Kind == NeighbourKind.NodeHealthCheck)
        {
            var request = PauseRequest(node, holder);
            return neighbour.PauseRequests.Contains(request) ? null : new(NoAnnotations, [.. neighbour.PauseRequests, request]);
        }

        var holders = HoldersOf(neighbour);
        var key = AnnotationOf(neighbour.Kind)!;
        if (holders.GetValueOrDefault(node) == holder && neighbour.Annotations.ContainsKey(key))
        {
            return null;
        }

        var first = holders.Count == 0;
        holders[node] = holder;
        var change = new Dictionary<string, string?>(StringComparer.Ordinal) { [key] = Ours, [Holders] = LedgerJson.Write(holders) };
        if (first)
        {
            // Our own value without a holder is left over, of a mark that somebody took off: putting it back would pause for ever.
            var prior = neighbour.Annotations.GetValueOrDefault(key);
            change[Prior] = LedgerJson.Write(new PriorValue(prior == Ours ? null : prior));
        }

        return new(change, null);
    }

    /// <summary>The change that takes off what a maintenance of the node wrote, of this holder or of any if null; null: there is nothing.</summary>
    public static NeighbourChange? Release(NeighbourSnapshot neighbour, string node, string? holder)
    {
        if (neighbour.Kind == NeighbourKind.NodeHealthCheck)
        {
            var left = neighbour.PauseRequests.Where(request => !IsOf(request, node, holder)).ToList();
            return left.Count == neighbour.PauseRequests.Count ? null : new(NoAnnotations, left);
        }

        var holders = HoldersOf(neighbour);
        var key = AnnotationOf(neighbour.Kind)!;

        // Only a maintenance writes that value. Where its holders are gone, somebody took them off: whoever else still needs it writes it again.
        var isLeftOver = holders.Count == 0 && neighbour.Annotations.GetValueOrDefault(key) == Ours;
        if (!isLeftOver && (!holders.TryGetValue(node, out var by) || (holder is not null && by != holder)))
        {
            return null;
        }

        holders.Remove(node);
        var change = new Dictionary<string, string?>(StringComparer.Ordinal);
        if (holders.Count > 0)
        {
            change[Holders] = LedgerJson.Write(holders);
            return new(change, null);
        }

        if (neighbour.Annotations.GetValueOrDefault(key) == Ours)
        {
            change[key] = LedgerJson.Read<PriorValue>(neighbour.Annotations.GetValueOrDefault(Prior, "{}"))?.Value;
        }

        (change[Holders], change[Prior]) = (null, null);
        return new(change, null);
    }

    private static readonly IReadOnlyDictionary<string, string?> NoAnnotations = new Dictionary<string, string?>(StringComparer.Ordinal);

    private static bool IsOf(string request, string node, string? holder) =>
        holder is null ? request.StartsWith(PausePrefix(node), StringComparison.Ordinal) : request == PauseRequest(node, holder);

    private static string PausePrefix(string node) => $"drydock: node {node} is under maintenance (";

    private static Dictionary<string, string> HoldersOf(NeighbourSnapshot neighbour) =>
        neighbour.Annotations.TryGetValue(Holders, out var text) && LedgerJson.Read<Dictionary<string, string>>(text) is { } holders
            ? new Dictionary<string, string>(holders, StringComparer.Ordinal)
            : new Dictionary<string, string>(StringComparer.Ordinal);

    private sealed record PriorValue(string? Value);
}

/// <summary>What to change on an object around a node.</summary>
/// <param name="Annotations">Annotations; a null value removes one.</param>
/// <param name="PauseRequests">The new <c>spec.pauseRequests</c>, or null: as they are.</param>
internal sealed record NeighbourChange(IReadOnlyDictionary<string, string?> Annotations, IReadOnlyList<string>? PauseRequests);

using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Changes;

/// <summary>One merge patch per change, which the API server refuses with 409 when the object moved on.</summary>
internal static class NodePatch
{
    /// <summary>The patch of a change, or null if the node is like that already.</summary>
    /// <param name="node">What was read.</param>
    /// <param name="change">What is wanted.</param>
    /// <param name="taintsAsRead">
    /// <c>spec.taints</c> of the same resource version: a merge patch replaces the list, and the snapshot lacks <c>timeAdded</c>,
    /// from which the toleration times of NoExecute taints count.
    /// </param>
    public static JsonObject? From(NodeSnapshot node, NodeChange change, JsonElement taintsAsRead)
    {
        var metadata = new JsonObject();
        var spec = new JsonObject();
        Put(metadata, "labels", Differing(change.Labels, node.Labels));
        Put(metadata, "annotations", Differing(Marked(change), node.Annotations));
        if (change.Unschedulable is { } unschedulable && unschedulable != node.Unschedulable)
        {
            // kubectl removes the field on uncordon; so the node looks as it did before.
            spec["unschedulable"] = unschedulable ? JsonValue.Create(true) : null;
        }

        if (ChangesTaints(node, change))
        {
            var taints = Taints(taintsAsRead, change);
            spec["taints"] = taints.Count == 0 ? null : taints;
        }

        if (metadata.Count == 0 && spec.Count == 0)
        {
            return null;
        }

        metadata["resourceVersion"] = node.ResourceVersion;
        var patch = new JsonObject { ["metadata"] = metadata };
        Put(patch, "spec", spec);
        return patch;
    }

    /// <summary>Whether the list of taints becomes another one.</summary>
    public static bool ChangesTaints(NodeSnapshot node, NodeChange change) =>
        change.AddTaints.Any(added => !node.Taints.Any(taint => Same(taint, added)))
        || change.RemoveTaints.Any(removed => node.Taints.Any(taint => Same(taint, removed)));

    /// <summary>The annotations that write or remove a mark.</summary>
    public static IReadOnlyDictionary<string, string?> MarkAnnotations(HoldMark? mark) => new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        [Marks.HeldBy] = mark?.HeldBy,
        [Marks.Prior] = mark?.Prior,
    };

    public static JsonObject Strings(IReadOnlyDictionary<string, string?> values)
    {
        var map = new JsonObject();
        foreach (var (key, value) in values)
        {
            map[key] = value;
        }

        return map;
    }

    private static IReadOnlyDictionary<string, string?> Marked(NodeChange change)
    {
        if (change.SetMark is null && !change.ClearMark)
        {
            return change.Annotations;
        }

        var all = new Dictionary<string, string?>(change.Annotations, StringComparer.Ordinal);
        foreach (var (key, value) in MarkAnnotations(change.SetMark))
        {
            all[key] = value;
        }

        return all;
    }

    private static JsonObject Differing(IReadOnlyDictionary<string, string?> wanted, IReadOnlyDictionary<string, string> present) =>
        Strings(wanted.Where(pair => present.GetValueOrDefault(pair.Key) != pair.Value)
            .ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal));

    /// <summary>A taint is its key and effect; the API server refuses two of the same.</summary>
    private static bool Same(NodeTaint one, NodeTaint other) => one.Key == other.Key && one.Effect == other.Effect;

    private static JsonArray Taints(JsonElement asRead, NodeChange change)
    {
        var taints = new JsonArray();
        foreach (var taint in asRead.Items().Where(taint => !change.RemoveTaints.Any(removed => Same(removed, NodeSnapshots.Taint(taint)))))
        {
            taints.Add(JsonNode.Parse(taint.GetRawText()));
        }

        foreach (var added in change.AddTaints.Where(added => !asRead.Items().Any(taint => Same(added, NodeSnapshots.Taint(taint)))))
        {
            var taint = new JsonObject { ["key"] = added.Key, ["effect"] = added.Effect };
            if (!string.IsNullOrEmpty(added.Value))
            {
                taint["value"] = added.Value;
            }

            taints.Add(taint);
        }

        return taints;
    }

    private static void Put(JsonObject target, string name, JsonObject value)
    {
        if (value.Count > 0)
        {
            target[name] = value;
        }
    }
}

using System.Text.Json;

namespace Drydock.Kubernetes.Reading;

/// <summary>Nodes, and the mark that nodes and virtual machines carry.</summary>
internal static class NodeSnapshots
{
    public static NodeSnapshot From(JsonElement node)
    {
        var annotations = node.Map("metadata", "annotations");
        var allocatable = node.Map("status", "allocatable");
        return new NodeSnapshot(node.Name(), node.Uid(), node.ResourceVersion())
        {
            Unschedulable = node.Flag("spec", "unschedulable") == true,
            Taints = [.. node.At("spec", "taints").Items().Select(Taint)],
            Labels = node.Map("metadata", "labels"),
            Annotations = annotations,
            Conditions = node.Conditions(),
            BootId = node.Text("status", "nodeInfo", "bootID"),
            ProviderId = node.Text("spec", "providerID") is { Length: > 0 } provider ? provider : null,
            KubeletVersion = node.Text("status", "nodeInfo", "kubeletVersion"),
            CreatedAt = node.CreatedAt(),
            AllocatableMilliCpu = Quantities.Milli(allocatable.GetValueOrDefault("cpu")),
            AllocatableMemory = Quantities.Whole(allocatable.GetValueOrDefault("memory")),
            AllocatablePods = allocatable.TryGetValue("pods", out var pods) ? Quantities.Whole(pods) : null,
            OtherAllocatable = allocatable.Where(pair => pair.Key is not ("cpu" or "memory" or "pods"))
                .ToDictionary(pair => pair.Key, pair => Quantities.Whole(pair.Value), StringComparer.Ordinal),
            Mark = Marks.From(annotations),
        };
    }

    public static NodeTaint Taint(JsonElement taint) =>
        new(taint.Text("key") ?? "", taint.Text("value"), taint.Text("effect") ?? "");
}

/// <summary>The mark of design D8 on an object.</summary>
internal static class Marks
{
    public const string HeldBy = "drydock.dev/held-by";
    public const string Prior = "drydock.dev/prior";

    public static HoldMark? From(IReadOnlyDictionary<string, string> annotations) =>
        annotations.TryGetValue(HeldBy, out var holder) ? new HoldMark(holder, annotations.GetValueOrDefault(Prior, "{}")) : null;
}

/// <summary>Amounts such as <c>250m</c> and <c>16Gi</c>.</summary>
internal static class Quantities
{
    public static long Milli(string? text) => Convert(text, 1000);

    public static long Whole(string? text) => Convert(text, 1);

    private static long Convert(string? text, long times)
    {
        if (string.IsNullOrEmpty(text))
        {
            return 0;
        }

        var amount = new k8s.Models.ResourceQuantity(text).ToDecimal() * times;
        return (long)Math.Ceiling(Math.Min(amount, long.MaxValue / 2));
    }
}

using System.Text.Json;
using Drydock.Kubernetes.Api;

namespace Drydock.Kubernetes.Reading;

/// <summary>The objects around a node: only the fields that decide something.</summary>
internal static class NeighbourSnapshots
{
    /// <summary>The kind in each version that has the fields which are read here; a cluster serves one of them or more.</summary>
    public static IReadOnlyList<Resource> ResourcesOf(NeighbourKind kind) => kind switch
    {
        NeighbourKind.BareMetalHost => [Resource.BareMetalHosts],
        NeighbourKind.NodeHealthCheck => [Resource.NodeHealthChecks],
        NeighbourKind.OpenShiftMachine => [Resource.OpenShiftMachines],
        NeighbourKind.OpenShiftHealthCheck => [Resource.OpenShiftHealthChecks],
        NeighbourKind.ClusterMachine => [Resource.ClusterMachines, Resource.LaterClusterMachines],
        NeighbourKind.ClusterHealthCheck => [Resource.ClusterHealthChecks, Resource.LaterClusterHealthChecks],
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Not a kind of neighbour."),
    };

    public static NeighbourSnapshot From(NeighbourKind kind, JsonElement json) => new(kind, json.Ref(), json.Uid(), json.ResourceVersion())
    {
        Labels = json.Map("metadata", "labels"),
        Annotations = json.Map("metadata", "annotations"),
        Selector = SelectorReading.From(json.At("spec", "selector")),
        PauseRequests = json.Texts("spec", "pauseRequests"),
        Node = json.Text("status", "nodeRef", "name"),
        NodeUid = NullIfEmpty(json.Text("status", "nodeRef", "uid")),
        ProviderId = NullIfEmpty(json.Text("spec", "providerID")),
        Infrastructure = json.Text("spec", "infrastructureRef", "name"),
        Power = kind == NeighbourKind.BareMetalHost ? Power(json) : null,
    };

    public static JobSnapshot Job(JsonElement job) => new(job.Ref(), job.Uid())
    {
        IsComplete = job.Condition("Complete")?.Status == "True",
        Failure = job.Condition("Failed") is { Status: "True" } failed ? $"{failed.Reason}: {failed.Message}" : null,
        Annotations = job.Map("metadata", "annotations"),
    };

    private static HostPower Power(JsonElement host) => new(host.Flag("status", "poweredOn") == true, host.Flag("spec", "online") == true)
    {
        CannotBeOff = host.Flag("spec", "disablePowerOff") == true,
        ErrorType = NullIfEmpty(host.Text("status", "errorType")),
        ErrorMessage = NullIfEmpty(host.Text("status", "errorMessage")),
        Consumer = host.Text("spec", "consumerRef", "name") is { } name
            ? new OwnerRef(host.Text("spec", "consumerRef", "kind") ?? "", name, "")
            : null,
        ConsumerNamespace = NullIfEmpty(host.Text("spec", "consumerRef", "namespace")),
    };

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}

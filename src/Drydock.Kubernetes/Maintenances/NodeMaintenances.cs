using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Changes;
using Drydock.Kubernetes.Reading;
using Drydock.Kubernetes.Watching;
using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes.Maintenances;

/// <summary>The NodeMaintenance resources behind one API server.</summary>
internal sealed class NodeMaintenances(ApiClient api, NodeEvents events, ILogger<NodeMaintenances> logger) : INodeMaintenances
{
    public async Task<IReadOnlyList<NodeMaintenanceSnapshot>> ListAsync(CancellationToken cancellationToken) =>
    [
        .. (await api.ListAllAsync(Resource.NodeMaintenances, selector: null, NodeMaintenanceJson.Read, cancellationToken))
            .OrderBy(resource => resource.Name, StringComparer.Ordinal),
    ];

    public async Task<NodeMaintenanceSnapshot?> GetAsync(string name, CancellationToken cancellationToken) =>
        await api.GetAsync(Resource.NodeMaintenances, @namespace: null, name, cancellationToken) is { } found
            ? NodeMaintenanceJson.Read(found)
            : null;

    public IAsyncEnumerable<string> WatchAsync(CancellationToken cancellationToken) =>
        new NamesWatch(api, Resource.NodeMaintenances, logger).WatchAsync(cancellationToken);

    public Task<bool> SetFinalizerAsync(NodeMaintenanceSnapshot resource, bool present, CancellationToken cancellationToken) =>
        Finalizers.SetAsync(api, Resource.NodeMaintenances, resource.Name, resource.ResourceVersion, NodeMaintenanceJson.Finalizer, present, cancellationToken);

    public async Task WriteStatusAsync(NodeMaintenanceSnapshot resource, NodeMaintenanceStatus status, CancellationToken cancellationToken)
    {
        if (NodeMaintenanceJson.SaySame(resource.Status, status))
        {
            return;
        }

        var patch = new JsonObject { ["status"] = NodeMaintenanceJson.Write(status, api.Clock.GetUtcNow()) };
        var answer = await api.SendAsync(
            new ApiCall("patch", Resource.NodeMaintenances)
            {
                Name = resource.Name, Subresource = "status", Body = patch.ToJsonString(),
            },
            cancellationToken);

        // Gone: nobody is left to read it.
        if (!answer.IsSuccess && answer.Code != 404)
        {
            throw ApiErrors.From(answer);
        }
    }

    public Task RecordEventAsync(NodeMaintenanceSnapshot resource, bool isWarning, string reason, string message, CancellationToken cancellationToken) =>
        events.RecordAsync(
            new EventSubject(NodeMaintenanceJson.ApiVersion, "NodeMaintenance", resource.Name, resource.Uid),
            new NodeEvent(resource.NodeName, null, isWarning, reason, message, resource.Uid),
            cancellationToken);
}

/// <summary>NodeMaintenances by the field names of the Node Maintenance Operator.</summary>
internal static class NodeMaintenanceJson
{
    public const string ApiVersion = "nodemaintenance.medik8s.io/v1beta1";
    public const string Finalizer = "foregroundDeleteNodeMaintenance";

    public static NodeMaintenanceSnapshot Read(JsonElement resource)
    {
        var status = resource.At("status");
        return new NodeMaintenanceSnapshot(
            resource.Name(), resource.Uid(), resource.ResourceVersion(), resource.Text("spec", "nodeName") ?? "")
        {
            Reason = resource.Text("spec", "reason"),
            Annotations = resource.Map("metadata", "annotations"),
            IsBeingDeleted = resource.IsBeingDeleted(),
            DeletionRequestedAt = resource.Time("metadata", "deletionTimestamp"),
            HasFinalizer = resource.Texts("metadata", "finalizers").Contains(Finalizer),
            Status = new NodeMaintenanceStatus
            {
                Phase = status.Text("phase") ?? "",
                DrainProgress = status.Number("drainProgress") ?? 0,
                LastError = string.IsNullOrEmpty(status.Text("lastError")) ? null : status.Text("lastError"),
                PendingPods =
                [
                    .. status.At("pendingPodsRefs").Items().Select(pod => new ObjectRef(pod.Text("namespace") ?? "", pod.Text("name") ?? "")),
                ],
                TotalPods = status.Number("totalpods") ?? 0,
                EvictionPods = status.Number("evictionPods") ?? 0,
                ErrorOnLeaseCount = status.Number("errorOnLeaseCount") ?? 0,
            },
        };
    }

    /// <summary>Equal but for <c>lastUpdate</c>.</summary>
    public static bool SaySame(NodeMaintenanceStatus one, NodeMaintenanceStatus other) =>
        one with { PendingPods = other.PendingPods } == other && one.PendingPods.SequenceEqual(other.PendingPods);

    public static JsonObject Write(NodeMaintenanceStatus status, DateTimeOffset now) => new()
    {
        ["phase"] = status.Phase,
        ["drainProgress"] = status.DrainProgress,
        ["lastUpdate"] = now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        ["lastError"] = status.LastError,
        ["pendingPods"] = Array(status.PendingPods, pod => pod.Name),
        ["pendingPodsRefs"] = Array(
            status.PendingPods, pod => new JsonObject { ["namespace"] = pod.Namespace, ["name"] = pod.Name }),
        ["totalpods"] = status.TotalPods,
        ["evictionPods"] = status.EvictionPods,
        ["errorOnLeaseCount"] = status.ErrorOnLeaseCount,
    };

    /// <summary>Absent rather than empty, as the operator writes it.</summary>
    private static JsonArray? Array(IReadOnlyList<ObjectRef> pods, Func<ObjectRef, JsonNode> item) =>
        pods.Count == 0 ? null : new JsonArray([.. pods.Select(item)]);
}

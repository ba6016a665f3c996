using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;
using Drydock.Kubernetes.Watching;
using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes.Maintenances;

/// <summary>The NodeMaintenance resources behind one API server.</summary>
internal sealed class NodeMaintenances(ApiClient api, ILogger<NodeMaintenances> logger) : INodeMaintenances
{
    private static readonly TimeSpan Resync = TimeSpan.FromMinutes(10);

    public async Task<IReadOnlyList<NodeMaintenanceSnapshot>> ListAsync(CancellationToken cancellationToken) =>
    [
        .. (await api.ListAllAsync(Resource.NodeMaintenances, selector: null, cancellationToken)).Select(NodeMaintenanceJson.Read)
            .OrderBy(resource => resource.Name, StringComparer.Ordinal),
    ];

    public async Task<NodeMaintenanceSnapshot?> GetAsync(string name, CancellationToken cancellationToken) =>
        await api.GetAsync(Resource.NodeMaintenances, @namespace: null, name, cancellationToken) is { } found
            ? NodeMaintenanceJson.Read(found)
            : null;

    public async IAsyncEnumerable<string> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var names = new PendingNames();
        var watch = new ListWatch(api, Resource.NodeMaintenances, selector: null, names, logger).RunAsync(stop.Token);
        try
        {
            await using var resync = api.Clock.CreateTimer(_ => names.AddAll(), state: null, Resync, Resync);
            while (true)
            {
                yield return await names.TakeAsync(cancellationToken);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await watch;
        }
    }

    public async Task<bool> SetFinalizerAsync(NodeMaintenanceSnapshot resource, bool present, CancellationToken cancellationToken)
    {
        if (await api.GetAsync(Resource.NodeMaintenances, @namespace: null, resource.Name, cancellationToken) is not { } found)
        {
            // Without the resource there is no finalizer: that is what a removal wants, and what an addition cannot have.
            return !present;
        }

        if (found.ResourceVersion() != resource.ResourceVersion)
        {
            return false;
        }

        var others = found.Texts("metadata", "finalizers").Where(finalizer => finalizer != NodeMaintenanceJson.Finalizer);
        string[] all = present ? [.. others, NodeMaintenanceJson.Finalizer] : [.. others];
        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["resourceVersion"] = resource.ResourceVersion,
                ["finalizers"] = all.Length == 0 ? null : new JsonArray([.. all.Select(finalizer => JsonValue.Create(finalizer))]),
            },
        };
        var answer = await api.SendAsync(
            new ApiCall("patch", Resource.NodeMaintenances) { Name = resource.Name, Body = patch.ToJsonString() }, cancellationToken);
        return answer.Code != 409 && (answer.IsSuccess || (answer.Code == 404 && !present) ? true : throw ApiErrors.From(answer));
    }

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

    /// <summary>Each name waits once, however often it changed.</summary>
    private sealed class PendingNames : IListWatchSink
    {
        private readonly Lock _gate = new();
        private readonly HashSet<string> _known = new(StringComparer.Ordinal);
        private readonly HashSet<string> _pending = new(StringComparer.Ordinal);
        private readonly Channel<string> _queue = Channel.CreateUnbounded<string>();

        public void Listed(IReadOnlyList<JsonElement> items)
        {
            lock (_gate)
            {
                // Those that are no longer there are told too: somebody may still hold something for them.
                var names = items.Select(item => item.Name()).Concat(_known).ToHashSet(StringComparer.Ordinal);
                _known.Clear();
                _known.UnionWith(items.Select(item => item.Name()));
                foreach (var name in names)
                {
                    Add(name);
                }
            }
        }

        public void Changed(WatchEvent change)
        {
            lock (_gate)
            {
                var name = change.Object.Name();
                if (change.Type == "DELETED")
                {
                    _known.Remove(name);
                }
                else
                {
                    _known.Add(name);
                }

                Add(name);
            }
        }

        public void AddAll()
        {
            lock (_gate)
            {
                foreach (var name in _known)
                {
                    Add(name);
                }
            }
        }

        public async Task<string> TakeAsync(CancellationToken cancellationToken)
        {
            var name = await _queue.Reader.ReadAsync(cancellationToken);
            lock (_gate)
            {
                _pending.Remove(name);
            }

            return name;
        }

        private void Add(string name)
        {
            if (_pending.Add(name))
            {
                _queue.Writer.TryWrite(name);
            }
        }
    }
}

/// <summary>NodeMaintenances by the field names of the Node Maintenance Operator.</summary>
internal static class NodeMaintenanceJson
{
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

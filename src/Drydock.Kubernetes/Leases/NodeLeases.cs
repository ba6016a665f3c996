using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Leases;

/// <summary>The maintenance leases, named and filled as the medik8s library does, so that its operators and we exclude each other.</summary>
/// <param name="api">The API server.</param>
/// <param name="leaseNamespace">Where they are.</param>
/// <param name="prefix">Before what they are about, in their names.</param>
internal sealed class NodeLeases(ApiClient api, string leaseNamespace, string prefix = "node-")
{
    /// <summary>Two writers of one lease cannot lose to each other more often than this without a third.</summary>
    private const int Tries = 4;

    public async Task<LeaseSnapshot?> GetAsync(string node, CancellationToken cancellationToken) =>
        await ReadAsync(node, cancellationToken) is { } lease ? LeaseSnapshots.From(lease) : null;

    public async Task<LeaseOutcome> AcquireAsync(
        string node, string? nodeUid, string holder, TimeSpan duration, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var now = api.Clock.GetUtcNow();
            ApiAnswer answer;
            if (await ReadAsync(node, cancellationToken) is not { } found)
            {
                answer = await CreateAsync(New(node, nodeUid, holder, duration, now), cancellationToken);
            }
            else if (LeaseSnapshots.From(found) is var lease && lease.Holder == holder)
            {
                answer = await PutAsync(node, Renewed(found, duration, now), cancellationToken);
            }
            else if (LeaseSnapshots.IsFree(lease, now))
            {
                answer = await PutAsync(node, TakenOver(found, node, nodeUid, holder, duration, now), cancellationToken);
            }
            else
            {
                return new LeaseOutcome(IsOurs: false, lease.Holder, lease.ExpiresAt, IsCancelled: false);
            }

            if (answer.IsSuccess)
            {
                return Ours(answer.Body);
            }

            if (!IsRace(answer) || attempt == Tries)
            {
                throw ApiErrors.From(answer);
            }
        }
    }

    public async Task<LeaseOutcome> RenewAsync(string node, string holder, TimeSpan duration, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var now = api.Clock.GetUtcNow();
            if (await ReadAsync(node, cancellationToken) is not { } found)
            {
                return new LeaseOutcome(IsOurs: false, Holder: null, ExpiresAt: null, IsCancelled: false);
            }

            var lease = LeaseSnapshots.From(found);
            if (lease.Holder != holder)
            {
                return new LeaseOutcome(IsOurs: false, lease.Holder, lease.ExpiresAt, IsCancelled: false);
            }

            var answer = await PutAsync(node, Renewed(found, duration, now), cancellationToken);
            if (answer.IsSuccess)
            {
                return Ours(answer.Body);
            }

            // 404: deleted in between; the next round says so.
            if ((!IsRace(answer) && answer.Code != 404) || attempt == Tries)
            {
                throw ApiErrors.From(answer);
            }
        }
    }

    public async Task<bool> MarkCancelledAsync(string node, string holder, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await ReadAsync(node, cancellationToken) is not { } found || LeaseSnapshots.From(found) is var lease && lease.Holder != holder)
            {
                return false;
            }

            if (LeaseSnapshots.From(found).IsCancelled)
            {
                return true;
            }

            var patch = new JsonObject
            {
                ["metadata"] = new JsonObject
                {
                    ["resourceVersion"] = found.ResourceVersion(),
                    ["annotations"] = new JsonObject { [LeaseSnapshots.Cancelled] = "true" },
                },
            };
            var answer = await api.SendAsync(Call("patch", node) with { Body = patch.ToJsonString() }, cancellationToken);
            if (answer.IsSuccess)
            {
                return true;
            }

            if ((!IsRace(answer) && answer.Code != 404) || attempt == Tries)
            {
                throw ApiErrors.From(answer);
            }
        }
    }

    public async Task ReleaseAsync(string node, string holder, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await ReadAsync(node, cancellationToken) is not { } found || LeaseSnapshots.From(found).Holder != holder)
            {
                return;
            }

            var options = new JsonObject
            {
                ["preconditions"] = new JsonObject { ["uid"] = found.Uid(), ["resourceVersion"] = found.ResourceVersion() },
            };
            var answer = await api.SendAsync(Call("delete", node) with { Body = options.ToJsonString() }, cancellationToken);
            if (answer.IsSuccess || answer.Code == 404)
            {
                return;
            }

            if (!IsRace(answer) || attempt == Tries)
            {
                throw ApiErrors.From(answer);
            }
        }
    }

    private static bool IsRace(ApiAnswer answer) => answer.Code == 409;

    private string NameOf(string node) => prefix + node;

    private static LeaseOutcome Ours(JsonElement written)
    {
        var lease = LeaseSnapshots.From(written);
        return new LeaseOutcome(IsOurs: true, lease.Holder, lease.ExpiresAt, lease.IsCancelled);
    }

    private ApiCall Call(string verb, string node) => new(verb, Resource.Leases) { Namespace = leaseNamespace, Name = NameOf(node) };

    private Task<JsonElement?> ReadAsync(string node, CancellationToken cancellationToken) =>
        api.GetAsync(Resource.Leases, leaseNamespace, NameOf(node), cancellationToken);

    private Task<ApiAnswer> PutAsync(string node, JsonObject lease, CancellationToken cancellationToken) =>
        api.SendAsync(Call("update", node) with { Body = lease.ToJsonString() }, cancellationToken);

    private async Task<ApiAnswer> CreateAsync(JsonObject lease, CancellationToken cancellationToken)
    {
        var create = new ApiCall("create", Resource.Leases) { Namespace = leaseNamespace, Body = lease.ToJsonString() };
        var answer = await api.SendAsync(create, cancellationToken);
        if (answer.Code != 404)
        {
            return answer;
        }

        var newNamespace = new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = leaseNamespace },
        };
        var created = await api.SendAsync(new ApiCall("create", Resource.Namespaces) { Body = newNamespace.ToJsonString() }, cancellationToken);
        return created.IsSuccess || IsRace(created) ? await api.SendAsync(create, cancellationToken) : created;
    }

    private JsonObject New(string node, string? nodeUid, string holder, TimeSpan duration, DateTimeOffset now)
    {
        var lease = new JsonObject
        {
            ["apiVersion"] = "coordination.k8s.io/v1",
            ["kind"] = "Lease",
            ["metadata"] = new JsonObject { ["name"] = NameOf(node), ["namespace"] = leaseNamespace },
            ["spec"] = new JsonObject
            {
                ["holderIdentity"] = holder,
                ["leaseDurationSeconds"] = Seconds(duration),
                ["acquireTime"] = MicroTime(now),
                ["renewTime"] = MicroTime(now),
                ["leaseTransitions"] = 0,
            },
        };
        Own(lease, node, nodeUid);
        return lease;
    }

    private static JsonObject Renewed(JsonElement found, TimeSpan duration, DateTimeOffset now)
    {
        var (lease, spec) = Copy(found);
        spec["leaseDurationSeconds"] = Seconds(duration);
        spec["renewTime"] = MicroTime(now);
        return lease;
    }

    private static JsonObject TakenOver(
        JsonElement found, string node, string? nodeUid, string holder, TimeSpan duration, DateTimeOffset now)
    {
        var lease = Renewed(found, duration, now);
        var spec = lease["spec"]!.AsObject();
        spec["holderIdentity"] = holder;
        spec["acquireTime"] = MicroTime(now);
        spec["leaseTransitions"] = (found.Number("spec", "leaseTransitions") ?? 0) + 1;

        // The cancel mark spoke to the holder before us.
        lease["metadata"]!["annotations"]?.AsObject().Remove(LeaseSnapshots.Cancelled);
        Own(lease, node, nodeUid);
        return lease;
    }

    private static (JsonObject Lease, JsonObject Spec) Copy(JsonElement found)
    {
        var lease = JsonNode.Parse(found.GetRawText())!.AsObject();
        if (lease["spec"] is not JsonObject spec)
        {
            lease["spec"] = spec = [];
        }

        return (lease, spec);
    }

    /// <summary>Owned by the node: the lease goes when the node is removed from the cluster.</summary>
    private static void Own(JsonObject lease, string node, string? nodeUid)
    {
        if (nodeUid is not null)
        {
            lease["metadata"]!["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = node, ["uid"] = nodeUid,
            });
        }
    }

    private static long Seconds(TimeSpan duration) => Math.Max(1, (long)Math.Ceiling(duration.TotalSeconds));

    private static string MicroTime(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
}

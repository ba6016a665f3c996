using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Leases;

/// <summary>
/// Leases that exclude each other by name. Those of nodes are named and filled as the medik8s library does, so that its operators and we
/// exclude each other.
/// </summary>
internal sealed class NamedLeases(ApiClient api, string leaseNamespace, string prefix)
{
    /// <summary>Two writers of one lease cannot lose to each other more often than this without a third.</summary>
    private const int Tries = 4;

    public async Task<LeaseSnapshot?> GetAsync(string of, CancellationToken cancellationToken) =>
        await ReadAsync(of, cancellationToken) is { } lease ? LeaseSnapshots.From(lease) : null;

    public async Task<LeaseOutcome> AcquireAsync(
        string of, string? nodeUid, string holder, TimeSpan duration, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var now = api.Clock.GetUtcNow();
            ApiAnswer answer;
            if (await ReadAsync(of, cancellationToken) is not { } found)
            {
                answer = await CreateAsync(New(of, nodeUid, holder, duration, now), cancellationToken);
            }
            else if (LeaseSnapshots.From(found) is var lease && lease.Holder == holder)
            {
                answer = await PutAsync(of, Renewed(found, duration, now), cancellationToken);
            }
            else if (lease.IsFreeAt(now))
            {
                answer = await PutAsync(of, TakenOver(found, of, nodeUid, holder, duration, now), cancellationToken);
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

    public async Task<LeaseOutcome> RenewAsync(string of, string holder, TimeSpan duration, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var now = api.Clock.GetUtcNow();
            if (await ReadAsync(of, cancellationToken) is not { } found)
            {
                return new LeaseOutcome(IsOurs: false, Holder: null, ExpiresAt: null, IsCancelled: false);
            }

            var lease = LeaseSnapshots.From(found);
            if (lease.Holder != holder)
            {
                return new LeaseOutcome(IsOurs: false, lease.Holder, lease.ExpiresAt, IsCancelled: false);
            }

            var answer = await PutAsync(of, Renewed(found, duration, now), cancellationToken);
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

    public async Task<bool> MarkCancelledAsync(string of, string holder, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await ReadAsync(of, cancellationToken) is not { } found || LeaseSnapshots.From(found) is var lease && lease.Holder != holder)
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
            var answer = await api.SendAsync(Call("patch", of) with { Body = patch.ToJsonString() }, cancellationToken);
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

    public async Task ReleaseAsync(string of, string holder, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await ReadAsync(of, cancellationToken) is not { } found || LeaseSnapshots.From(found).Holder != holder)
            {
                return;
            }

            var options = new JsonObject
            {
                ["preconditions"] = new JsonObject { ["uid"] = found.Uid(), ["resourceVersion"] = found.ResourceVersion() },
            };
            var answer = await api.SendAsync(Call("delete", of) with { Body = options.ToJsonString() }, cancellationToken);
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

    private string NameOf(string of) => prefix + of;

    private static LeaseOutcome Ours(JsonElement written)
    {
        var lease = LeaseSnapshots.From(written);
        return new LeaseOutcome(IsOurs: true, lease.Holder, lease.ExpiresAt, lease.IsCancelled);
    }

    private ApiCall Call(string verb, string of) => new(verb, Resource.Leases) { Namespace = leaseNamespace, Name = NameOf(of) };

    private Task<JsonElement?> ReadAsync(string of, CancellationToken cancellationToken) =>
        api.GetAsync(Resource.Leases, leaseNamespace, NameOf(of), cancellationToken);

    private Task<ApiAnswer> PutAsync(string of, JsonObject lease, CancellationToken cancellationToken) =>
        api.SendAsync(Call("update", of) with { Body = lease.ToJsonString() }, cancellationToken);

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

    private JsonObject New(string of, string? nodeUid, string holder, TimeSpan duration, DateTimeOffset now)
    {
        var lease = new JsonObject
        {
            ["apiVersion"] = "coordination.k8s.io/v1",
            ["kind"] = "Lease",
            ["metadata"] = new JsonObject { ["name"] = NameOf(of), ["namespace"] = leaseNamespace },
            ["spec"] = new JsonObject
            {
                ["holderIdentity"] = holder,
                ["leaseDurationSeconds"] = Seconds(duration),
                ["acquireTime"] = MicroTime(now),
                ["renewTime"] = MicroTime(now),
                ["leaseTransitions"] = 0,
            },
        };
        Own(lease, of, nodeUid);
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
        JsonElement found, string of, string? nodeUid, string holder, TimeSpan duration, DateTimeOffset now)
    {
        var lease = Renewed(found, duration, now);
        var spec = lease["spec"]!.AsObject();
        spec["holderIdentity"] = holder;
        spec["acquireTime"] = MicroTime(now);
        spec["leaseTransitions"] = (found.Number("spec", "leaseTransitions") ?? 0) + 1;

        // The cancel mark spoke to the holder before us.
        lease["metadata"]!["annotations"]?.AsObject().Remove(LeaseSnapshots.Cancelled);
        Own(lease, of, nodeUid);
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
    private static void Own(JsonObject lease, string of, string? nodeUid)
    {
        if (nodeUid is not null)
        {
            lease["metadata"]!["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = of, ["uid"] = nodeUid,
            });
        }
    }

    private static long Seconds(TimeSpan duration) => Math.Max(1, (long)Math.Ceiling(duration.TotalSeconds));

    private static string MicroTime(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
}

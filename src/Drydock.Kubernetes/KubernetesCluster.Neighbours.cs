using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Changes;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes;

/// <summary>The part that speaks of what stands around a node.</summary>
public sealed partial class KubernetesCluster
{
    // The operator's leader election id (cmd/main.go of node-maintenance-operator).
    private const string OtherOperatorsLease = "135b1886.medik8s.io";

    /// <inheritdoc/>
    public async Task<IReadOnlyList<NeighbourSnapshot>> ListNeighboursAsync(NeighbourKind kind, CancellationToken cancellationToken)
    {
        foreach (var resource in NeighbourSnapshots.ResourcesOf(kind))
        {
            try
            {
                if (await _api.ListAsync(resource, @namespace: null, selector: null, json => NeighbourSnapshots.From(kind, json), cancellationToken) is { } found)
                {
                    return InOrder(found.Items, neighbour => neighbour.Ref);
                }
            }
            catch (ClusterException refusal) when (refusal.Kind == ClusterErrorKind.Forbidden)
            {
                // RBAC answers before the API server looks whether the kind exists: without it, the ordinary answer of a cluster without machines.
                if (await IsServedAsync(resource, cancellationToken))
                {
                    throw;
                }
            }
        }

        return [];
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<AccessRule>> FindUnreadableAsync(IReadOnlyList<NeighbourKind> kinds, CancellationToken cancellationToken)
    {
        var rules = kinds.ToDictionary(static kind => RuleOf("list", NeighbourSnapshots.ResourcesOf(kind)[0], ""));
        var missing = await GetMissingAccessAsync([.. rules.Keys], cancellationToken);
        var served = await Task.WhenAll(missing.Select(rule => FindServedAsync(rules[rule], cancellationToken)));
        return [.. missing.Where((_, index) => served[index] is not null)];
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<UnknownVersions>> FindUnknownVersionsAsync(IReadOnlyList<NeighbourKind> kinds, CancellationToken cancellationToken)
    {
        var answer = await _api.SendAsync(new ApiCall("get", Resource.Groups), cancellationToken);
        if (!answer.IsSuccess)
        {
            return answer.Code is 403 or 404 ? [] : throw ApiErrors.From(answer);
        }

        var groups = answer.Body.At("groups").Items().ToLookup(
            static group => group.Text("name"), static group => group.At("versions").Items().Select(static version => version.Text("version") ?? "").ToList());
        return
        [
            .. from kind in kinds
               let known = NeighbourSnapshots.ResourcesOf(kind)
               from versions in groups[known[0].Group]
               where !known.Any(resource => versions.Contains(resource.GroupVersion, StringComparer.Ordinal))
               select new UnknownVersions(known[0].Describe(null), versions),
        ];
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<AccessRule>> FindUnchangeableAsync(IReadOnlyList<(NeighbourKind Kind, string Namespace)> held, CancellationToken cancellationToken) =>
        GetMissingAccessAsync([.. held.Select(static one => RuleOf("patch", NeighbourSnapshots.ResourcesOf(one.Kind)[0], one.Namespace)).Distinct()], cancellationToken);

    // Permissions are given for a kind in all its versions.
    private static AccessRule RuleOf(string verb, Resource resource, string @namespace) =>
        new(verb, resource.Group, resource.Plural, Namespace: @namespace.Length == 0 ? null : @namespace);

    /// <inheritdoc/>
    public async Task<NeighbourSnapshot?> GetNeighbourAsync(NeighbourKind kind, ObjectRef name, CancellationToken cancellationToken) =>
        await _api.GetAsync(await ResourceOfAsync(kind, cancellationToken), NamespaceOf(name), name.Name, cancellationToken) is { } found
            ? NeighbourSnapshots.From(kind, found)
            : null;

    /// <inheritdoc/>
    public async Task<NeighbourSnapshot?> ChangeNeighbourAsync(
        NeighbourSnapshot neighbour,
        IReadOnlyDictionary<string, string?> annotations,
        IReadOnlyList<string>? pauseRequests,
        CancellationToken cancellationToken)
    {
        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["resourceVersion"] = neighbour.ResourceVersion,
                ["annotations"] = NodePatch.Strings(annotations),
            },
        };
        if (pauseRequests is not null)
        {
            patch["spec"] = new JsonObject
            {
                ["pauseRequests"] = pauseRequests.Count == 0 ? null : new JsonArray([.. pauseRequests.Select(request => JsonValue.Create(request))]),
            };
        }

        var answer = await _api.SendAsync(
            new ApiCall("patch", await ResourceOfAsync(neighbour.Kind, cancellationToken))
            {
                Namespace = NamespaceOf(neighbour.Ref), Name = neighbour.Ref.Name, Body = patch.ToJsonString(),
            },
            cancellationToken);

        // Gone is no failure: whoever reads again finds out, and that a whole type is gone too.
        return answer.Code is 404 or 409 ? null : answer.IsSuccess ? NeighbourSnapshots.From(neighbour.Kind, answer.Body) : throw ApiErrors.From(answer);
    }

    /// <inheritdoc/>
    public async Task<JobSnapshot?> GetJobAsync(ObjectRef job, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.Jobs, job.Namespace, job.Name, cancellationToken) is { } found ? NeighbourSnapshots.Job(found) : null;

    /// <inheritdoc/>
    public async Task<bool> CreateJobAsync(ObjectRef job, string manifest, CancellationToken cancellationToken)
    {
        var answer = await _api.SendAsync(
            new ApiCall("create", Resource.Jobs) { Namespace = job.Namespace, Body = manifest }, cancellationToken);
        return answer.IsSuccess || (answer.Code == 409 && answer.Reason == "AlreadyExists" ? false : throw ApiErrors.From(answer));
    }

    /// <inheritdoc/>
    public async Task DeleteJobAsync(ObjectRef job, string uid, CancellationToken cancellationToken)
    {
        // Background: the default of batch/v1 without it leaves the pods behind.
        var options = new JsonObject { ["propagationPolicy"] = "Background", ["preconditions"] = new JsonObject { ["uid"] = uid } };
        var answer = await _api.SendAsync(
            new ApiCall("delete", Resource.Jobs) { Namespace = job.Namespace, Name = job.Name, Body = options.ToJsonString() }, cancellationToken);
        if (!answer.IsSuccess && answer.Code is not (404 or 409))
        {
            throw ApiErrors.From(answer);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ListCsiDriversAsync(string node, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.CsiNodes, @namespace: null, node, cancellationToken) is { } found
            ? [.. found.At("spec", "drivers").Items().Select(driver => driver.Text("name") ?? "").Order(StringComparer.Ordinal)]
            : [];

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PodSnapshot>> ListPodsAsync(string? @namespace, string selector, CancellationToken cancellationToken)
    {
        var query = "labelSelector=" + Uri.EscapeDataString(selector);
        return InOrder((await _api.ListAsync(Resource.Pods, @namespace, query, PodSnapshots.From, cancellationToken))?.Items ?? [], pod => pod.Ref);
    }

    /// <inheritdoc/>
    public async Task<string?> FindNodeMaintenanceOperatorAsync(CancellationToken cancellationToken)
    {
        var selector = "fieldSelector=" + Uri.EscapeDataString("metadata.name=" + OtherOperatorsLease);
        var now = _api.Clock.GetUtcNow();
        return (await _api.ListAllAsync(Resource.Leases, selector, lease => (Lease: LeaseSnapshots.From(lease), Name: lease.Ref()), cancellationToken))
            .Where(found => found.Lease.Holder is not null && found.Lease.ExpiresAt > now)
            .Select(found => $"{found.Lease.Holder} (lease {found.Name})")
            .FirstOrDefault();
    }

    /// <summary>The kind in a version that is served; where none is, the answer tells it.</summary>
    private async Task<Resource> ResourceOfAsync(NeighbourKind kind, CancellationToken cancellationToken) =>
        NeighbourSnapshots.ResourcesOf(kind) is { Count: > 1 } known
            ? await FindServedAsync(kind, cancellationToken) ?? known[0]
            : NeighbourSnapshots.ResourcesOf(kind)[0];

    private async Task<Resource?> FindServedAsync(NeighbourKind kind, CancellationToken cancellationToken)
    {
        foreach (var resource in NeighbourSnapshots.ResourcesOf(kind))
        {
            if (await IsServedAsync(resource, cancellationToken))
            {
                return resource;
            }
        }

        return null;
    }

    private static string? NamespaceOf(ObjectRef name) => name.Namespace.Length == 0 ? null : name.Namespace;
}

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
        var resource = NeighbourSnapshots.ResourceOf(kind);
        try
        {
            var found = await _api.ListAllAsync(resource, selector: null, cancellationToken);
            return InOrder(found.Select(json => NeighbourSnapshots.From(kind, json)), neighbour => neighbour.Ref);
        }
        catch (ClusterException refusal) when (refusal.Kind == ClusterErrorKind.Forbidden)
        {
            // RBAC answers before the API server looks whether the kind exists: without it, the ordinary answer of a cluster without machines.
            if (!await IsServedAsync(resource, cancellationToken))
            {
                return [];
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<AccessRule>> FindUnreadableAsync(IReadOnlyList<NeighbourKind> kinds, CancellationToken cancellationToken)
    {
        var rules = kinds.Select(NeighbourSnapshots.ResourceOf).ToDictionary(resource => new AccessRule("list", resource.Group, resource.Plural));
        var missing = await GetMissingAccessAsync([.. rules.Keys], cancellationToken);
        var served = await Task.WhenAll(missing.Select(rule => IsServedAsync(rules[rule], cancellationToken)));
        return [.. missing.Where((_, index) => served[index])];
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<AccessRule>> FindUnchangeableAsync(IReadOnlyList<(NeighbourKind Kind, string Namespace)> held, CancellationToken cancellationToken) =>
        GetMissingAccessAsync([.. held.Select(static one => PatchOf(NeighbourSnapshots.ResourceOf(one.Kind), one.Namespace)).Distinct()], cancellationToken);

    private static AccessRule PatchOf(Resource resource, string @namespace) =>
        new("patch", resource.Group, resource.Plural, Namespace: @namespace.Length == 0 ? null : @namespace);

    /// <inheritdoc/>
    public async Task<NeighbourSnapshot?> GetNeighbourAsync(NeighbourKind kind, ObjectRef name, CancellationToken cancellationToken) =>
        await _api.GetAsync(NeighbourSnapshots.ResourceOf(kind), NamespaceOf(name), name.Name, cancellationToken) is { } found
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
            new ApiCall("patch", NeighbourSnapshots.ResourceOf(neighbour.Kind))
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
        var found = await _api.ListAsync(Resource.Pods, @namespace, query, cancellationToken);
        return InOrder((found?.Items ?? []).Select(PodSnapshots.From), pod => pod.Ref);
    }

    /// <inheritdoc/>
    public async Task<string?> FindNodeMaintenanceOperatorAsync(CancellationToken cancellationToken)
    {
        var selector = "fieldSelector=" + Uri.EscapeDataString("metadata.name=" + OtherOperatorsLease);
        var now = _api.Clock.GetUtcNow();
        return (await _api.ListAllAsync(Resource.Leases, selector, cancellationToken))
            .Select(lease => (Lease: LeaseSnapshots.From(lease), Name: lease.Ref()))
            .Where(found => found.Lease.Holder is not null && found.Lease.ExpiresAt > now)
            .Select(found => $"{found.Lease.Holder} (lease {found.Name})")
            .FirstOrDefault();
    }

    private static string? NamespaceOf(ObjectRef name) => name.Namespace.Length == 0 ? null : name.Namespace;
}

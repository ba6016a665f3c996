using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;
using Drydock.Kubernetes.Watching;
using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes.Maintenances;

/// <summary>The objects of our own kinds behind one API server.</summary>
internal sealed class DrydockResources(ApiClient api, ILogger<DrydockResources> logger) : IDrydockResources
{
    private const string Finalizer = "drydock.dev/finalizer";

    public async Task<IReadOnlyList<DrydockResource>> ListAsync(DrydockKind kind, CancellationToken cancellationToken) =>
    [
        .. (await api.ListAllAsync(TypeOf(kind), selector: null, found => Read(kind, found), cancellationToken))
            .OrderBy(resource => resource.Name, StringComparer.Ordinal),
    ];

    public async Task<DrydockResource?> GetAsync(DrydockKind kind, string name, CancellationToken cancellationToken) =>
        await api.GetAsync(TypeOf(kind), @namespace: null, name, cancellationToken) is { } found ? Read(kind, found) : null;

    public IAsyncEnumerable<string> WatchAsync(DrydockKind kind, CancellationToken cancellationToken) =>
        new NamesWatch(api, TypeOf(kind), logger).WatchAsync(cancellationToken);

    public Task<bool> SetFinalizerAsync(DrydockResource resource, bool present, CancellationToken cancellationToken) =>
        Finalizers.SetAsync(api, TypeOf(resource.Kind), resource.Name, resource.ResourceVersion, Finalizer, present, cancellationToken);

    public async Task WriteStatusAsync(DrydockResource resource, JsonObject status, CancellationToken cancellationToken)
    {
        if (JsonNode.DeepEquals(resource.Status, WithoutNulls(status)))
        {
            return;
        }

        // What is not said any more must go: a merge patch removes what is null.
        var whole = new JsonObject(resource.Status.Select(static one => KeyValuePair.Create<string, JsonNode?>(one.Key, null)));
        foreach (var (name, value) in status)
        {
            whole[name] = value?.DeepClone();
        }

        var answer = await api.SendAsync(
            new ApiCall("patch", TypeOf(resource.Kind))
            {
                Name = resource.Name, Subresource = "status", Body = new JsonObject { ["status"] = whole }.ToJsonString(),
            },
            cancellationToken);

        // Gone: nobody is left to read it.
        if (!answer.IsSuccess && answer.Code != 404)
        {
            throw ApiErrors.From(answer);
        }
    }

    private static DrydockResource Read(DrydockKind kind, JsonElement found) => new(kind, found.Name(), found.Uid(), found.ResourceVersion())
    {
        Generation = found.Number("metadata", "generation") ?? 0,
        Spec = found.At("spec"),
        Status = found.At("status") is { ValueKind: JsonValueKind.Object } status ? JsonNode.Parse(status.GetRawText())!.AsObject() : [],
        DeletionRequestedAt = found.Time("metadata", "deletionTimestamp"),
        HasFinalizer = found.Texts("metadata", "finalizers").Contains(Finalizer),
    };

    private static JsonObject WithoutNulls(JsonObject status) => new(
        status.Where(static one => one.Value is not null).Select(static one => KeyValuePair.Create(one.Key, one.Value?.DeepClone())));

    private static Resource TypeOf(DrydockKind kind) => kind switch
    {
        DrydockKind.Rollout => Resource.Rollouts,
        DrydockKind.Window => Resource.Windows,
        _ => Resource.Policies,
    };
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;

namespace Drydock.UnitTests.Operator;

/// <summary>One object of our own kinds, whatever its name; the finalizer is on it until it is taken off.</summary>
internal sealed class FakeDrydockResource : IDrydockResources
{
    public string Spec { get; set; } = "{}";

    public long Generation { get; set; } = 1;

    public DateTimeOffset? DeletionRequestedAt { get; set; }

    public bool HasFinalizer { get; private set; } = true;

    public JsonObject Status { get; private set; } = [];

    public Task<DrydockResource?> GetAsync(DrydockKind kind, string name, CancellationToken cancellationToken) =>
        Task.FromResult<DrydockResource?>(new DrydockResource(kind, name, "uid-1", "1")
        {
            HasFinalizer = HasFinalizer, Spec = JsonElement.Parse(Spec), Status = Status, Generation = Generation, DeletionRequestedAt = DeletionRequestedAt,
        });

    public Task WriteStatusAsync(DrydockResource resource, JsonObject status, CancellationToken cancellationToken)
    {
        Status = status;
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<DrydockResource>> ListAsync(DrydockKind kind, CancellationToken cancellationToken) => throw new NotSupportedException();

    public IAsyncEnumerable<string> WatchAsync(DrydockKind kind, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<bool> SetFinalizerAsync(DrydockResource resource, bool present, CancellationToken cancellationToken)
    {
        HasFinalizer = present;
        return Task.FromResult(true);
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;

namespace Drydock.Kubernetes;

/// <summary>Our own kinds in <c>drydock.dev/v1alpha1</c>; all of them are of the whole cluster.</summary>
public enum DrydockKind
{
    /// <summary>MaintenanceRollout.</summary>
    Rollout,

    /// <summary>MaintenanceWindow.</summary>
    Window,

    /// <summary>MaintenancePolicy.</summary>
    Policy,
}

/// <summary>The objects of our own kinds.</summary>
public interface IDrydockResources
{
    /// <summary>All of a kind, by name; empty if it is not served.</summary>
    Task<IReadOnlyList<DrydockResource>> ListAsync(DrydockKind kind, CancellationToken cancellationToken);

    /// <summary>One, or null.</summary>
    Task<DrydockResource?> GetAsync(DrydockKind kind, string name, CancellationToken cancellationToken);

    /// <summary>
    /// Yields the name of each to reconcile: all at the start, then each that changed or went, all again every ten minutes and whenever
    /// a watch could not go on where it was. Never ends by itself and never gives up.
    /// </summary>
    IAsyncEnumerable<string> WatchAsync(DrydockKind kind, CancellationToken cancellationToken);

    /// <summary>Adds or removes the finalizer <c>drydock.dev/finalizer</c> if the resource version is still that of the snapshot.</summary>
    /// <returns>False if it changed meanwhile.</returns>
    Task<bool> SetFinalizerAsync(DrydockResource resource, bool present, CancellationToken cancellationToken);

    /// <summary>Makes this the whole status; nothing is written if it says the same already.</summary>
    Task WriteStatusAsync(DrydockResource resource, JsonObject status, CancellationToken cancellationToken);
}

/// <summary>An object of one of our kinds as it was read.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Name">Its name.</param>
/// <param name="Uid">This life of it.</param>
/// <param name="ResourceVersion">Its version.</param>
public sealed record DrydockResource(DrydockKind Kind, string Name, string Uid, string ResourceVersion)
{
    /// <summary>Counts the changes of the spec.</summary>
    public long Generation { get; init; }

    /// <summary>The spec.</summary>
    public JsonElement Spec { get; init; }

    /// <summary>The status as it was read; empty if there is none.</summary>
    public JsonObject Status { get; init; } = [];

    /// <summary>When its deletion was asked for, or null.</summary>
    public DateTimeOffset? DeletionRequestedAt { get; init; }

    /// <summary>Our finalizer is on it.</summary>
    public bool HasFinalizer { get; init; }
}

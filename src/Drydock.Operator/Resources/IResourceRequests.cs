using System.Text.Json;
using Drydock.Maintenance;

namespace Drydock.Operator.Resources;

/// <summary>Reads the specs of our own resources: the same fields and rules as in REST.</summary>
public interface IResourceRequests
{
    /// <summary>Reads <c>spec.rollout</c> of a MaintenanceRollout.</summary>
    Task<SpecReading<RolloutRequest>> ReadRolloutAsync(JsonElement spec, string requestedBy, CancellationToken cancellationToken);

    /// <summary>Reads the spec of a MaintenanceWindow of that name.</summary>
    Task<SpecReading<WindowRequest>> ReadWindowAsync(string name, JsonElement spec, string requestedBy, CancellationToken cancellationToken);

    /// <summary>What is wrong with the spec of a MaintenancePolicy, or null.</summary>
    string? PolicyProblem(string name, JsonElement spec);
}

/// <summary>What was read: the request, or everything that is wrong with it in one sentence.</summary>
public sealed record SpecReading<T>(T? Request, string? Problem)
    where T : class;

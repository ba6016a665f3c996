using System.Text.Json;
using Drydock.Maintenance;

namespace Drydock.Operator.Resources;

/// <summary>Reads the specs of our own resources: the same fields and rules as in REST.</summary>
public interface IResourceRequests
{
    /// <summary>Reads <c>spec.rollout</c> of a MaintenanceRollout.</summary>
    /// <param name="spec">The spec.</param>
    /// <param name="requestedBy">Who asks.</param>
    /// <param name="mustExist">The nodes that it names, or selects, must be there now.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<SpecReading<RolloutRequest>> ReadRolloutAsync(JsonElement spec, string requestedBy, bool mustExist, CancellationToken cancellationToken);

    /// <summary>Reads the spec of a MaintenanceWindow of that name.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="spec">The spec.</param>
    /// <param name="requestedBy">Who asks.</param>
    /// <param name="mustExist">The nodes that it names must be there now; what it selects is looked up when it opens.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<SpecReading<WindowRequest>> ReadWindowAsync(string name, JsonElement spec, string requestedBy, bool mustExist, CancellationToken cancellationToken);

    /// <summary>What is wrong with the spec of a MaintenancePolicy, or null.</summary>
    string? PolicyProblem(string name, JsonElement spec);
}

/// <summary>What was read: the request, or everything that is wrong with it in one sentence.</summary>
public sealed record SpecReading<T>(T? Request, string? Problem)
    where T : class;

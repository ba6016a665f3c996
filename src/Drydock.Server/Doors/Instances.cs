namespace Drydock.Server;

/// <summary>How instances are started and found.</summary>
internal static class Instances
{
    /// <summary>The states of an instance that is not over.</summary>
    public static readonly IReadOnlyList<OrchestrationRuntimeStatus> NotOver =
        [OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running, OrchestrationRuntimeStatus.Suspended];

    /// <summary>Starts under this id at most once for as long as the hub remembers it.</summary>
    public static StartOrchestrationOptions StartOnce(string id) => new StartOrchestrationOptions(id).WithDedupeStatuses(
        [.. NotOver, OrchestrationRuntimeStatus.Completed, OrchestrationRuntimeStatus.Failed, OrchestrationRuntimeStatus.Terminated]);
}

/// <summary>Which hub this is: part of every lease holder's identity.</summary>
internal sealed class HubIdentity(Func<Guid> read)
{
    /// <summary>The id, stable for the life of the hub.</summary>
    public string Id => read().ToString("n");
}

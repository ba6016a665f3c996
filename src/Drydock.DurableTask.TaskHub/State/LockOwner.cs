using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>
/// Which execution asks for the lock of an entity. The protocol's request names the instance only, and so do requests that were stored
/// before; but one of an execution that has ended must not lock an entity for the next execution of the same id. The request stays inside
/// the hub, so its field can hold both.
/// </summary>
internal static class LockOwner
{
    // In no id.
    private const char Separator = '\u0001';

    /// <summary>What the request names as its parent.</summary>
    public static string Write(string instanceId, string executionId) => $"{executionId}{Separator}{instanceId}";

    /// <summary>The instance, and its execution if the request says it.</summary>
    public static (string InstanceId, string? ExecutionId) Read(EntityLockRequestedEvent request)
    {
        var parent = request.ParentInstanceId ?? string.Empty;
        var at = parent.IndexOf(Separator, StringComparison.Ordinal);
        return at < 0 ? (parent, null) : (parent[(at + 1)..], parent[..at]);
    }
}

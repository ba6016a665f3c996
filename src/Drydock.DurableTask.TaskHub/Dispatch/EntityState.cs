namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>What an entity has besides its inbox.</summary>
internal sealed class EntityState
{
    /// <summary>Its state as text; null: it has none, which is the same as if it did not exist.</summary>
    public string? State { get; set; }

    /// <summary>The orchestration in whose critical section it is.</summary>
    public string? LockedBy { get; set; }

    /// <summary>That critical section.</summary>
    public string? CriticalSection { get; set; }
}

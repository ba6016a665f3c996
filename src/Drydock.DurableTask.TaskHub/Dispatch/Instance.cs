using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>What the hub keeps in memory of an instance; the store has the same, so it can be dropped when it is idle.</summary>
internal sealed class Instance(long key, string id) : WorkUnit
{
    /// <summary>No instance yet: events are kept for one that may be created.</summary>
    public const OrchestrationStatus NotCreated = (OrchestrationStatus)(-1);

    public long Key { get; } = key;

    public string Id { get; } = id;

    public override string Name => IsEntity ? EntityName(Id) : Started.Name;

    public override string? Version => Started.Version;

    public OrchestrationStatus Status { get; set; }

    public string ExecutionId { get; set; } = "";

    public long Generation { get; set; }

    /// <summary>How it was started, without the input.</summary>
    public ExecutionStartedEvent Started { get; set; } = new();

    public DateTime UpdatedAt { get; set; }

    public long HistoryLength { get; set; }

    public long HistoryBytes { get; set; }

    public OrchestrationTraceContext? Trace { get; set; }

    /// <summary>The token of the last turn that was committed, as far as this process knows.</summary>
    public string? LastTurn { get; set; }

    /// <summary>The number of the transaction that last wrote its history, as far as this process knows: until that is on disk, nobody can read it.</summary>
    public long HistoryWrittenIn { get; set; }

    /// <summary>What arrived and is in no turn yet, in order of arrival.</summary>
    public List<Message> Inbox { get; set; } = [];

    /// <summary>The turn that is in hand, or that came back from a stream that ended.</summary>
    public Turn? Turn { get; set; }

    /// <summary>What an entity has besides; null for an orchestration.</summary>
    public EntityState? Entity { get; set; }

    public bool IsEntity => Entity is not null;

    public bool Exists => Status != NotCreated;

    public bool IsFinished => IsFinal(Status);

    /// <summary>Before its start message is there, an instance takes no turn, whatever else arrives.</summary>
    public bool CanTakeTurn =>
        Inbox.Count > 0 && Exists && !IsFinished
        && (HistoryLength > 0 || Inbox.Exists(message => message.Flags.HasFlag(MessageFlags.Starts)));

    /// <summary>The name in the id of an entity, <c>@name@key</c>.</summary>
    public static string EntityName(string id) => id[1..id.IndexOf('@', 1)];

    public static bool IsFinal(OrchestrationStatus status) => status
        is OrchestrationStatus.Completed or OrchestrationStatus.Failed or OrchestrationStatus.Terminated or OrchestrationStatus.Canceled;

    /// <summary>Something changed now; never before what changed last, even if the clock was set back: no turn begins before the one that precedes it.</summary>
    public void Touch(DateTime now) => UpdatedAt = now > UpdatedAt ? now : UpdatedAt;

    /// <summary>Puts the events of a turn that was not committed back to where they were.</summary>
    public void TakeBackTurn()
    {
        if (Turn is { } turn)
        {
            Inbox.InsertRange(0, turn.Messages);
            Turn = null;
        }
    }
}

using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>Where a piece of work is.</summary>
internal enum Phase
{
    /// <summary>Nothing to do.</summary>
    Idle,

    /// <summary>Waits for a worker with room.</summary>
    Ready,

    /// <summary>A worker has it.</summary>
    InHand,

    /// <summary>Was abandoned; will be ready after the delay.</summary>
    Delayed,

    /// <summary>Was deleted; whoever still holds it must let go.</summary>
    Gone,
}

/// <summary>What can be handed out: the next turn of an instance, or an activity.</summary>
internal abstract class WorkUnit
{
    public Phase Phase { get; set; }

    /// <summary>The last hand-out, until it is done or another follows.</summary>
    public HandOut? HandOut { get; set; }

    /// <summary>The fencing token of the lease under which this process has it; 0 if no other process could have it.</summary>
    public long LeaseToken { get; set; }

    /// <summary>It may have been given out before, and whoever had it ended without an answer.</summary>
    public bool IsSuspect { get; set; }

    /// <summary>It was given out in this life of the hub, and whoever had it ended without an answer.</summary>
    public bool WasLost { get; set; }

    /// <summary>How often it was given out and neither answered nor given back, if the store says so with the unit.</summary>
    public int Deliveries { get; set; }

    public abstract string Name { get; }

    public abstract string? Version { get; }
}

/// <summary>An activity that was scheduled and has no result yet.</summary>
internal sealed class ActivityUnit(long instanceKey, long seq, long generation, string name, string? version) : WorkUnit
{
    public long InstanceKey { get; } = instanceKey;

    public long Seq { get; } = seq;

    public long Generation { get; } = generation;

    public override string Name { get; } = name;

    public override string? Version { get; } = version;

    /// <summary>Null until it is needed: a backlog must not fill the memory after a restart.</summary>
    public ActivityRequest? Request { get; set; }

    /// <summary>What the last heartbeat said, for the next attempt.</summary>
    public string? Progress { get; set; }

    /// <summary>When that was said, by this process.</summary>
    public DateTime ProgressAt { get; set; }
}

/// <summary>A message in the inbox of an instance that can be consumed now.</summary>
internal sealed class Message(long seq, MessageFlags flags)
{
    public long Seq { get; set; } = seq;

    public MessageFlags Flags { get; } = flags;

    /// <summary>The event as it is stored. Null until it is needed.</summary>
    public byte[]? Payload { get; set; }

    /// <summary>How much of the event is not in its row.</summary>
    public int CharactersApart { get; set; }

    public HistoryEvent? Event { get; set; }
}

/// <summary>What the store must know of a message without reading it.</summary>
[Flags]
internal enum MessageFlags
{
    None = 0,

    /// <summary>It is not there before its time: a timer, or a scheduled start.</summary>
    Waits = 1,

    /// <summary>It starts the execution, so it comes first whenever it arrived.</summary>
    Starts = 2,

    /// <summary>It came to an entity in the older form, so the answer goes back in that form.</summary>
    OldForm = 4,
}

/// <summary>A turn in the hands of a worker: the events it was given, which a commit moves from the inbox to the history.</summary>
internal sealed record Turn(HistoryEvent Started, List<Message> Messages);

/// <summary>One hand-out of a unit. Its token is fresh, so a late answer to an earlier one finds nothing.</summary>
internal sealed class HandOut(string token, WorkUnit unit, WorkStream stream)
{
    public string Token { get; } = token;

    /// <summary>Changes when the memory is rebuilt from the store.</summary>
    public WorkUnit Unit { get; set; } = unit;

    /// <summary>The fencing token of the lease under which it was handed out.</summary>
    public long LeaseToken { get; } = unit.LeaseToken;

    /// <summary>It has outlived its stream for a while.</summary>
    public bool IsOld { get; set; }

    /// <summary>Null after the stream ended: the unit waits for another, and until then this token still counts.</summary>
    public WorkStream? Stream { get; set; } = stream;

    /// <summary>A worker of ours has it: only those say that they keep orchestrators.</summary>
    public bool IsWithOurs { get; } = stream.KeepsOrchestrators;

    /// <summary>What was handed out, if it is a turn. The instance forgets its turn in a commit, even in one that then fails.</summary>
    public Turn? Turn { get; init; }

    /// <summary>The execution the turn belongs to.</summary>
    public string? ExecutionId { get; init; }

    /// <summary>When it is given up, if it has a limit.</summary>
    public ActivityDeadline? Deadline { get; init; }

    /// <summary>The number of the transaction in which it was handed out, if that waits for the answer.</summary>
    public long? SpeculatedIn { get; set; }

    /// <summary>The store has counted it, because an earlier one had no answer.</summary>
    public bool IsCounted { get; set; }

    /// <summary>The commit that ends this hand-out is on its way.</summary>
    public bool IsEnding { get; set; }

    /// <summary>The chunks of an answer that comes in pieces.</summary>
    public OrchestratorResponse? Partial { get; set; }
}

using System.Collections.Immutable;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.State;
using Google.Protobuf;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>What the store holds. Nothing in it changes: a transaction makes another one, and a commit is an assignment.</summary>
internal sealed record MemoryImage
{
    private static readonly ImmutableSortedSet<MessageRecord> _noMessages = ImmutableSortedSet.Create(MessageRecord.ByArrival);

    public static MemoryImage Empty { get; } = new();

    public long LastKey { get; init; }

    public ImmutableSortedDictionary<long, InstanceRecord> Instances { get; init; } = ImmutableSortedDictionary<long, InstanceRecord>.Empty;

    public ImmutableDictionary<string, long> Ids { get; init; } = ImmutableDictionary<string, long>.Empty;

    /// <summary>The inboxes, each in the order of arrival.</summary>
    public ImmutableDictionary<long, ImmutableSortedSet<MessageRecord>> Inboxes { get; init; } =
        ImmutableDictionary<long, ImmutableSortedSet<MessageRecord>>.Empty;

    public ImmutableSortedDictionary<long, TaskRecord> Tasks { get; init; } = ImmutableSortedDictionary<long, TaskRecord>.Empty;

    public ImmutableDictionary<(long Key, string PayloadKey), string> Payloads { get; init; } = ImmutableDictionary<(long, string), string>.Empty;

    public ImmutableDictionary<(long Key, long Seq), int> Deliveries { get; init; } = ImmutableDictionary<(long, long), int>.Empty;

    public ImmutableSortedDictionary<long, EntityRecord> Entities { get; init; } = ImmutableSortedDictionary<long, EntityRecord>.Empty;

    public ImmutableSortedSet<MessageRecord> Inbox(long key) => Inboxes.GetValueOrDefault(key) ?? _noMessages;

    public MemoryImage WithInbox(long key, ImmutableSortedSet<MessageRecord> inbox) =>
        this with { Inboxes = inbox.IsEmpty ? Inboxes.Remove(key) : Inboxes.SetItem(key, inbox) };
}

/// <summary>An instance as it is stored: everything as bytes or text, so that nobody who changes a message changes the store.</summary>
internal sealed record InstanceRecord(long Key, string Id, long? ParentKey)
{
    public OrchestrationStatus Status { get; init; }

    /// <summary>Otherwise it only has events that are kept for an instance that may come.</summary>
    public bool Exists => Status != Instance.NotCreated;

    public string ExecutionId { get; init; } = "";

    public long Generation { get; init; }

    public DateTime UpdatedAt { get; init; }

    public DateTime? CompletedAt { get; init; }

    public long HistoryLength { get; init; }

    public long HistoryBytes { get; init; }

    public string? CustomStatus { get; init; }

    public byte[]? Trace { get; init; }

    public byte[] Started { get; init; } = [];

    public string? Input { get; init; }

    public string? Output { get; init; }

    public byte[]? FailureBytes { get; init; }

    public ImmutableList<byte[]> History { get; init; } = [];

    public IEnumerable<HistoryEvent> Events() => History.SelectMany(chunk => HistoryChunk.Parser.ParseFrom(chunk).Events);

    public Failure? Failed() => FailureBytes is null ? null : Failure.Parser.ParseFrom(FailureBytes);

    public Instance ToInstance() => new(Key, Id)
    {
        Status = Status,
        ExecutionId = ExecutionId,
        Generation = Generation,
        UpdatedAt = UpdatedAt,
        HistoryLength = HistoryLength,
        HistoryBytes = HistoryBytes,
        Trace = Trace is null ? null : OrchestrationTraceContext.Parser.ParseFrom(Trace),
        Started = ExecutionStartedEvent.Parser.ParseFrom(Started),
    };

    public OrchestrationState ToState() => new()
    {
        InstanceId = Id,
        ExecutionId = ExecutionId,
        OrchestrationStatus = Status,
        Input = Input,
        Output = Output,
        CustomStatus = CustomStatus,
        FailureDetails = Failed(),
    };
}

internal sealed record MessageRecord(long Seq, DateTime ArrivesAt, MessageFlags Flags, long? Generation, byte[] Payload, string? PayloadKey)
{
    public static IComparer<MessageRecord> ByArrival { get; } =
        Comparer<MessageRecord>.Create(static (one, other) => (one.ArrivesAt, one.Seq).CompareTo((other.ArrivesAt, other.Seq)));

    public TimerQueue.Entry Place(long key) => new(ArrivesAt.Ticks, Seq, key, Flags);
}

internal sealed record TaskRecord(long Key, long Seq, long Generation, string Name, string? Version, byte[] Request, string? PayloadKey)
{
    public string? Progress { get; init; }

    public static TaskRecord Of(ActivityUnit unit, ActivityRequest stored) => new(
        unit.InstanceKey, unit.Seq, unit.Generation, unit.Name, unit.Version, stored.ToByteArray(), LargePayloads.KeyIn(stored.Input));

    public ActivityUnit ToUnit() => new(Key, Seq, Generation, Name, Version) { Progress = Progress };
}

internal sealed record EntityRecord(string? State, string? LockedBy, string? CriticalSection);

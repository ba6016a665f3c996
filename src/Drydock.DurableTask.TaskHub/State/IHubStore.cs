using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>
/// A store as the decisions of a hub see it. Everything happens in the transaction under way: what was written is seen by what is read
/// after it, and is on disk or forgotten as a whole. Used by the hub's thread only.
/// </summary>
internal interface IHubStore
{
    /// <summary>A number for a message or an activity that none has had, larger than all that came before.</summary>
    long NextSeq();

    /// <summary>
    /// Forgets what is held in memory and gives what is active: the instances that have messages, and the activities. A store whose
    /// work is leased gives nothing.
    /// </summary>
    (IReadOnlyList<long> Instances, IReadOnlyList<ActivityUnit> Activities) LoadActive(DateTime now);

    /// <summary>Takes the earliest of the messages whose time has come; false if there is none. A store whose work is leased has none.</summary>
    bool TryTakeDue(DateTime now, out TimerQueue.Entry due);

    /// <summary>
    /// An instance with what decisions need of it: an entity with its inbox, and, if the store keeps instances in memory, an
    /// orchestration with its inbox; null if there is none. Nobody else changes it before the transaction ends.
    /// </summary>
    Instance? Find(string id);

    /// <summary>Likewise, by its key.</summary>
    Instance? Find(long key);

    /// <summary>Writes a new instance and returns its key.</summary>
    long InsertInstance(string id, OrchestrationStatus status, string executionId, ExecutionStartedEvent started, long? parentKey, DateTime now);

    void InsertValues(long key, string? input, ExecutionStartedEvent startedWithoutInput);

    /// <summary>Writes what every turn changes.</summary>
    void UpdateInstance(Instance instance, string? customStatus, DateTime? completedAt);

    void UpdateResult(long key, string? output, Failure? failure);

    void UpdateStart(long key, string? input, ExecutionStartedEvent startedWithoutInput);

    /// <summary>Deletes the rows of an instance itself; messages, tasks, payloads and an entity's state have methods of their own.</summary>
    void DeleteInstance(long key);

    /// <summary>The keys of the instances that this one created.</summary>
    List<long> Children(long parentKey);

    string? ReadInput(long key);

    string? ReadOutput(long key);

    string? ReadCustomStatus(long key);

    void InsertHistory(long key, long seq, ReadOnlySpan<byte> payload);

    void DeleteHistory(long key);

    /// <summary>The whole history of the current execution.</summary>
    IEnumerable<HistoryEvent> ReadHistory(long key);

    /// <summary>Writes a payload under a key of its instance, unless it is there already; a custom status takes the place of the last.</summary>
    void WritePayload(long instanceKey, string payloadKey, string content);

    string ReadPayload(long instanceKey, string payloadKey);

    /// <summary>Gives all payloads of an instance to another one.</summary>
    void MovePayloads(long from, long to);

    /// <summary>Deletes the payloads of an instance to which neither a message nor an activity refers.</summary>
    void DeleteUnusedPayloads(long instanceKey);

    void DeletePayloads(long instanceKey);

    /// <summary>Writes a message. True if it is for the inbox in memory; otherwise the store finds it when its instance has work.</summary>
    bool InsertMessage(Instance target, long seq, DateTime arrivesAt, MessageFlags flags, long? generation, byte[] payload, string? payloadKey);

    void DeleteMessage(long key, long seq);

    /// <summary>Deletes the whole inbox, timers among it.</summary>
    void DeleteMessages(long key);

    /// <summary>Deletes the answers to the execution that ends; returns what has arrived besides and is in no turn, in order.</summary>
    List<Message> DeleteBoundMessages(Instance instance);

    /// <summary>What has arrived and is in no turn, in order.</summary>
    IReadOnlyList<Message> Arrived(Instance instance);

    /// <summary>Gives a message a new place in an inbox, as if it had just arrived.</summary>
    void MoveMessage(long key, long seq, Instance target, long newSeq, DateTime arrivesAt);

    /// <summary>Whether an inbox holds anything, timers among it.</summary>
    bool HasMessages(long key);

    byte[] ReadMessage(long key, long seq);

    /// <summary>The message that starts an execution which has taken no turn yet.</summary>
    byte[] ReadStart(long key);

    void InsertTask(ActivityUnit unit, ActivityRequest stored);

    void DeleteTask(ActivityUnit unit);

    /// <summary>Writes what the last heartbeat of an activity said, if it is still in hand here.</summary>
    void WriteProgress(ActivityUnit unit);

    /// <summary>Deletes the activities of an instance; returns those that are held in memory.</summary>
    IReadOnlyList<ActivityUnit> DeleteTasks(long key);

    /// <summary>An activity that is held in memory.</summary>
    ActivityUnit? FindTask(long key, long seq);

    /// <summary>The ids, in their orchestration, of the activities that have no result yet.</summary>
    HashSet<int> TaskIds(long key);

    ActivityRequest ReadTask(long key, long seq);

    /// <summary>
    /// Counts that an item is given out which may have been lost before; returns how often it certainly was. A store whose work is leased
    /// counts when it leases.
    /// </summary>
    /// <param name="key">The instance.</param>
    /// <param name="seq">The activity; 0 for a turn.</param>
    /// <param name="wasLost">It was given out in this life of the hub, and whoever had it ended.</param>
    int CountDelivery(long key, long seq, bool wasLost) => 0;

    /// <summary>Takes back one that was counted, because the item was given back in order; returns what is left.</summary>
    int UncountDelivery(long key, long seq) => 0;

    /// <summary>An item was answered, or has gone: what was counted of it is forgotten.</summary>
    void ForgetDeliveries(long key, long seq)
    {
    }

    void WriteEntity(long key, EntityState entity, DateTime now);

    void DeleteEntity(long key);

    /// <summary>An orchestration has an entity locked from now on.</summary>
    void AddLock(Instance orchestration, long entityKey);

    /// <summary>An orchestration does not have an entity locked any more.</summary>
    void RemoveLock(string orchestrationId, long entityKey);

    /// <summary>The keys of the entities that an orchestration has locked.</summary>
    IReadOnlyCollection<long> LocksOf(Instance orchestration);
}

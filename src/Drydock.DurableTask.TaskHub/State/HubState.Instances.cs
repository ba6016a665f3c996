using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>The life of an instance: created, sent to, finished, deleted.</summary>
internal sealed partial class HubState
{
    /// <summary>
    /// Creates an instance whose first turn follows at once, or at its scheduled start. An instance of that id must be finished, or
    /// not created yet; then the events that were kept for it come after its start.
    /// </summary>
    /// <param name="id">Its id.</param>
    /// <param name="started">How it starts, with the input; the hub owns the message from here on.</param>
    /// <param name="parent">Who created it.</param>
    public Instance Create(string id, ExecutionStartedEvent started, Instance? parent)
    {
        var (keptBy, kept) = Find(id) is { } earlier ? (earlier.Key, Replace(earlier)) : (0, []);
        var input = started.Input;
        started.Input = null;
        started.OrchestrationInstance = new OrchestrationInstance { InstanceId = id, ExecutionId = NewId() };
        var key = store.InsertInstance(id, OrchestrationStatus.Pending, started.OrchestrationInstance.ExecutionId, started, parent?.Key, Now);
        store.InsertValues(key, Payloads.Keep(key, input), started);
        var instance = new Instance(key, id)
        {
            Status = OrchestrationStatus.Pending,
            ExecutionId = started.OrchestrationInstance.ExecutionId,
            Started = started,
            UpdatedAt = Now,
        };
        _byId.Add(id, instance);
        _byKey.Add(key, instance);
        DeliverStart(instance, input);
        if (kept.Count > 0)
        {
            store.MovePayloads(keptBy, key);
            MoveTo(instance, keptBy, kept);
        }

        Changed.Add(id);
        return instance;
    }

    /// <summary>Puts an event into an inbox. What arrives during a turn waits for the next.</summary>
    /// <param name="target">The instance.</param>
    /// <param name="historyEvent">The event.</param>
    /// <param name="generation">The execution that the event answers; null if it is for whichever is there.</param>
    /// <param name="flags">Whether it waits, or starts the execution.</param>
    /// <param name="arrivesAt">When it arrives, if not now.</param>
    public void Deliver(
        Instance target, HistoryEvent historyEvent, long? generation = null, MessageFlags flags = MessageFlags.None, DateTime? arrivesAt = null)
    {
        var seq = store.NextSeq();
        var stored = Payloads.Keep(target, historyEvent);
        var payload = stored.ToByteArray();
        var at = arrivesAt ?? Now;
        if (at <= Now)
        {
            flags &= ~MessageFlags.Waits;
        }

        if (store.InsertMessage(target, seq, at, flags, generation, payload, LargePayloads.KeyIn(stored)))
        {
            var apart = LargePayloads.CharactersApart(stored);
            target.Inbox.Add(new Message(seq, flags) { Payload = payload, Event = historyEvent, CharactersApart = apart });
            MakeReady(target);
        }
    }

    /// <summary>Sends an external event; it is kept for an instance that does not exist yet, and dropped by a finished one.</summary>
    public void RaiseEvent(string id, string name, string? input)
    {
        if (IsEntity(id))
        {
            if (EntityMessages.Read(name, input, id) is { } message)
            {
                SendToEntity(id, message, MessageFlags.OldForm);
            }

            return;
        }

        var target = Find(id) ?? KeepFor(id);
        if (!target.IsFinished)
        {
            Deliver(target, NewEvent(new EventRaisedEvent { Name = name, Input = input }));
        }
    }

    /// <summary>
    /// Asks an instance to end. One that never took a turn ends at once, without a worker: none of its code has run, so none needs to.
    /// </summary>
    public void Terminate(Instance instance, string? output, bool recurse)
    {
        if (!instance.Exists || instance.IsFinished)
        {
            return;
        }

        var terminated = NewEvent(-1);
        terminated.ExecutionTerminated = new ExecutionTerminatedEvent { Input = output, Recurse = recurse };
        if (instance.HistoryLength > 0 || instance.Turn is not null || instance.Status != OrchestrationStatus.Pending)
        {
            Deliver(instance, terminated);
            return;
        }

        EndNow(instance, terminated, OrchestrationStatus.Terminated, output, null);
    }

    /// <summary>Ends an instance between two turns.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="cause">What ends it, if that is an event.</param>
    /// <param name="status">How it ends.</param>
    /// <param name="output">Its output.</param>
    /// <param name="failure">Why it failed.</param>
    /// <param name="unseen">What has arrived and no turn has come to: it stays in the history, for a rewinding.</param>
    private void EndNow(
        Instance instance, HistoryEvent? cause, OrchestrationStatus status, string? output, Failure? failure, IReadOnlyList<Message>? unseen = null)
    {
        _chunk.Clear();
        _chunk.Add(OrchestratorStarted(instance));
        if (instance.HistoryLength == 0)
        {
            _chunk.Add(store.ReadStart(instance.Key));
        }

        foreach (var message in (unseen ?? []).Where(message => !message.Flags.HasFlag(MessageFlags.Starts)))
        {
            _chunk.Add(message.Payload ?? store.ReadMessage(instance.Key, message.Seq), message.CharactersApart);
        }

        if (cause is not null)
        {
            _chunk.Add(Payloads.Keep(instance, cause));
        }

        _chunk.Add(Payloads.Keep(instance, Completed(-1, status, output, failure)));
        AppendHistory(instance);
        Finish(instance, status, output, failure, Payloads.Read(instance.Key, store.ReadCustomStatus(instance.Key)));
    }

    /// <summary>
    /// Ends an instance without a turn of its own; false if it cannot be, because it has ended, is an entity or is not there.
    /// </summary>
    public bool TerminateAtOnce(string id, string? reason)
    {
        if (Find(id) is not { Exists: true, IsFinished: false } instance || IsEntity(id) || store.LocksOf(instance).Count > 0)
        {
            return false;
        }

        var terminated = NewEvent(-1);
        terminated.ExecutionTerminated = new ExecutionTerminatedEvent { Input = reason };
        EndNow(instance, terminated, OrchestrationStatus.Terminated, reason, null);
        return true;
    }

    /// <summary>Deletes an instance and everything it has. Whoever holds work of it finds it gone.</summary>
    public void Delete(Instance instance)
    {
        DropMessages(instance);
        DropActivities(instance);
        store.DeletePayloads(instance.Key);

        // A store may know only from the row of an instance that it has locks.
        ReleaseLocks(instance);
        store.DeleteInstance(instance.Key);
        if (instance.IsEntity)
        {
            store.DeleteEntity(instance.Key);
        }

        QueueOf(instance).Withdraw(instance, Phase.Gone);
        Forget(instance);
        Changed.Add(instance.Id);
    }

    private void Finish(Instance instance, OrchestrationStatus status, string? output, Failure? failure, string? customStatus)
    {
        instance.Status = status;
        instance.Touch(Now);
        store.UpdateInstance(instance, Payloads.KeepStatus(instance.Key, customStatus), Now);
        store.UpdateResult(instance.Key, Payloads.Keep(instance.Key, output), failure);
        Turns.Withdraw(instance, Phase.Idle);
        store.ForgetDeliveries(instance.Key, 0);
        ReleaseLocks(instance);
        DropMessages(instance);
        if (status == OrchestrationStatus.Terminated)
        {
            // Terminate means stop: what no worker has yet must not begin.
            DropActivities(instance);
        }

        AnswerParent(instance, output, failure);
        Changed.Add(instance.Id);
    }

    /// <summary>Tells the execution that created this instance how it ended; if that one has continued as new, nobody asks any more.</summary>
    private void AnswerParent(Instance child, string? output, Failure? failure)
    {
        if (child.Started.ParentInstance is not { } link
            || Find(link.OrchestrationInstance.InstanceId) is not { IsFinished: false } parent
            || parent.ExecutionId != link.OrchestrationInstance.ExecutionId)
        {
            return;
        }

        var answer = NewEvent(-1);
        if (child.Status == OrchestrationStatus.Completed)
        {
            answer.SubOrchestrationInstanceCompleted = new() { TaskScheduledId = link.TaskScheduledId, Result = output };
        }
        else
        {
            failure ??= new Failure
            {
                ErrorType = "OrchestrationTerminated",
                ErrorMessage = $"The sub-orchestration '{child.Id}' was terminated{(output is null ? "." : $": {output}")}",
            };
            answer.SubOrchestrationInstanceFailed = new() { TaskScheduledId = link.TaskScheduledId, FailureDetails = failure };
        }

        Deliver(parent, answer, parent.Generation);
    }

    private void DeliverStart(Instance instance, string? input)
    {
        var start = NewEvent(-1);
        start.ExecutionStarted = new ExecutionStartedEvent(instance.Started) { Input = input };
        var scheduled = instance.Started.ScheduledStartTimestamp?.ToDateTime();
        if (scheduled > Now)
        {
            Deliver(instance, start, flags: MessageFlags.Starts | MessageFlags.Waits, arrivesAt: scheduled);
        }
        else
        {
            Deliver(instance, start, flags: MessageFlags.Starts);
        }
    }

    private IReadOnlyList<Message> Replace(Instance earlier)
    {
        if (earlier.Exists)
        {
            if (!earlier.IsFinished)
            {
                earlier.Status = OrchestrationStatus.Terminated;
                AnswerParent(earlier, "replaced by a new instance of the same id", null);
            }

            Delete(earlier);
            return [];
        }

        var kept = store.Arrived(earlier);
        store.DeleteInstance(earlier.Key);
        Forget(earlier);
        return kept;
    }

    private void MoveTo(Instance instance, long from, IReadOnlyList<Message> messages)
    {
        foreach (var message in messages)
        {
            var seq = store.NextSeq();
            store.MoveMessage(from, message.Seq, instance, seq, Now);
            message.Seq = seq;
            instance.Inbox.Add(message);
        }
    }

    /// <summary>A row that only holds the inbox of an instance that does not exist yet.</summary>
    private Instance KeepFor(string id)
    {
        var key = store.InsertInstance(id, Instance.NotCreated, "", new ExecutionStartedEvent(), null, Now);
        var instance = new Instance(key, id) { Status = Instance.NotCreated };
        _byId.Add(id, instance);
        _byKey.Add(key, instance);
        return instance;
    }

    private void DropMessages(Instance instance)
    {
        store.DeleteMessages(instance.Key);
        instance.Inbox.Clear();
        instance.Turn = null;
    }

    private void DropActivities(Instance instance)
    {
        foreach (var unit in store.DeleteTasks(instance.Key))
        {
            if (unit is { Phase: Phase.InHand, HandOut: { } handOut })
            {
                Lost.Add(handOut.Token);
            }

            Activities.Withdraw(unit, Phase.Gone);
        }
    }

    private void AppendHistory(Instance instance)
    {
        _chunk.Add(new HistoryEvent { EventId = -1, Timestamp = Timestamp.FromDateTime(Now), OrchestratorCompleted = new() });
        store.InsertHistory(instance.Key, instance.HistoryLength, _chunk.Written);
        instance.HistoryLength += _chunk.Count;
        instance.HistoryBytes += _chunk.Written.Length + _chunk.CharactersApart;
    }

    private HistoryEvent NewEvent(int eventId) => new() { EventId = eventId, Timestamp = Timestamp.FromDateTime(Now) };

    private HistoryEvent NewEvent(EventRaisedEvent raised)
    {
        var historyEvent = NewEvent(-1);
        historyEvent.EventRaised = raised;
        return historyEvent;
    }

    private HistoryEvent OrchestratorStarted(Instance instance)
    {
        var historyEvent = NewEvent(-1);
        instance.Touch(Now);
        historyEvent.Timestamp = Timestamp.FromDateTime(instance.UpdatedAt);
        historyEvent.OrchestratorStarted = new();
        return historyEvent;
    }

    private HistoryEvent Completed(int eventId, OrchestrationStatus status, string? result, Failure? failure)
    {
        var historyEvent = NewEvent(eventId);
        historyEvent.ExecutionCompleted = new() { OrchestrationStatus = status, Result = result, FailureDetails = failure };
        return historyEvent;
    }

    private static string NewId() => Guid.NewGuid().ToString("N");
}

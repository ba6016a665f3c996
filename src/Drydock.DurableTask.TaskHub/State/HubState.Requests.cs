using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Grpc.Core;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>What clients ask for. A refusal is thrown before anything was written.</summary>
internal sealed partial class HubState
{
    public CreateInstanceResponse Start(CreateInstanceRequest request)
    {
        var id = request.InstanceId.Length > 0 ? request.InstanceId : NewId();
        if (IsEntity(id))
        {
            throw new TaskHubException(StatusCode.InvalidArgument, $"'{id}' is not an id for an orchestration: what begins with '@' is an entity.");
        }

        if (Find(id) is { Exists: true } existing && !MayReplace(existing, request.OrchestrationIdReusePolicy))
        {
            throw new TaskHubException(
                StatusCode.AlreadyExists, $"An orchestration with the id '{id}' already exists; it is {NameOf(existing.Status)}.");
        }

        var started = new ExecutionStartedEvent
        {
            Name = request.Name,
            Version = request.Version,
            Input = request.Input,
            ScheduledStartTimestamp = request.ScheduledStartTimestamp,
            ParentTraceContext = request.ParentTraceContext,
            Tags = { request.Tags },
        };
        Create(id, started, null);
        return new CreateInstanceResponse { InstanceId = id };
    }

    public RestartInstanceResponse Restart(RestartInstanceRequest request)
    {
        var existing = Existing(request.InstanceId);
        if (!request.RestartWithNewInstanceId && !existing.IsFinished)
        {
            throw new TaskHubException(
                StatusCode.FailedPrecondition,
                $"The orchestration '{existing.Id}' is {NameOf(existing.Status)}; only a finished one can be restarted under its own id.");
        }

        var started = new ExecutionStartedEvent
        {
            Name = existing.Name,
            Version = existing.Version,
            Input = Payloads.Read(existing.Key, store.ReadInput(existing.Key)),
            ParentTraceContext = existing.Started.ParentTraceContext,
            Tags = { existing.Started.Tags },
        };
        var id = request.RestartWithNewInstanceId ? NewId() : existing.Id;
        Create(id, started, null);
        return new RestartInstanceResponse { InstanceId = id };
    }

    /// <summary>Suspends; a missing or finished instance has nothing to suspend, which the protocol answers with success.</summary>
    public void Suspend(string id, string? reason)
    {
        var historyEvent = NewEvent(-1);
        historyEvent.ExecutionSuspended = new ExecutionSuspendedEvent { Input = reason };
        Control(id, historyEvent);
    }

    /// <summary>Resumes, likewise.</summary>
    public void Resume(string id, string? reason)
    {
        var historyEvent = NewEvent(-1);
        historyEvent.ExecutionResumed = new ExecutionResumedEvent { Input = reason };
        Control(id, historyEvent);
    }

    /// <summary>Terminates, likewise. Children are told when the instance has ended, so that none is created behind the order.</summary>
    public void Terminate(string id, string? output, bool recurse)
    {
        if (Find(id) is { IsEntity: false } instance)
        {
            Terminate(instance, output, recurse);
        }
    }

    /// <summary>Deletes an instance if it is finished, and its finished children if asked; returns how many went.</summary>
    public int Purge(string id, bool recursive)
    {
        if (Find(id) is not { } instance)
        {
            return 0;
        }

        if (!instance.Exists)
        {
            // No instance, but events that were kept for one.
            Delete(instance);
            return 0;
        }

        if (instance.IsEntity)
        {
            // Not what somebody works with just now, or waits for an answer of.
            if (instance is not { Entity.LockedBy: null, Turn: null } || store.HasMessages(instance.Key))
            {
                return 0;
            }

            Delete(instance);
            return 1;
        }

        return instance.IsFinished ? Purge(instance, recursive) : 0;
    }

    /// <summary>Deletes a finished instance that is not a part of another, with its parts; returns how many went.</summary>
    public int Expire(string id) =>
        Find(id) is { Exists: true, IsEntity: false, IsFinished: true } instance && !IsPart(instance) ? Purge(instance, recursive: true) : 0;

    /// <summary>Deletes the events that are kept for an instance which is not there, unless there are others than expected.</summary>
    public bool DropKeptEvents(string id, int expected)
    {
        if (Find(id) is not { Exists: false } place || store.Arrived(place).Count != expected)
        {
            return false;
        }

        Delete(place);
        return true;
    }

    /// <summary>Whether the very execution that began it is still there; a later one of the same id knows nothing of it.</summary>
    private bool IsPart(Instance child) =>
        child.Started.ParentInstance?.OrchestrationInstance is { } link && Find(link.InstanceId) is { Exists: true } parent
            && parent.ExecutionId == link.ExecutionId;

    private int Purge(Instance instance, bool recursive)
    {
        var children = recursive ? store.Children(instance.Key) : [];
        Delete(instance);
        crashPoints.Hit(CrashPoints.PurgeAfterInstance);
        return 1 + children.Sum(key => Find(key) is { IsFinished: true } child ? Purge(child, recursive) : 0);
    }

    private void Control(string id, HistoryEvent historyEvent)
    {
        if (Find(id) is { Exists: true, IsFinished: false, IsEntity: false } instance)
        {
            Deliver(instance, historyEvent);
        }
    }

    private Instance Existing(string id) => Find(id) is { Exists: true, IsEntity: false } instance
        ? instance
        : throw new TaskHubException(StatusCode.NotFound, $"There is no orchestration with the id '{id}'.");

    /// <summary>Without a policy only a finished instance is replaced, as in DurableTask.Core.</summary>
    private static bool MayReplace(Instance existing, OrchestrationIdReusePolicy? policy) =>
        policy is null ? existing.IsFinished : policy.ReplaceableStatus.Contains(existing.Status);

    private static string NameOf(OrchestrationStatus status) => status.ToString().ToLowerInvariant();
}

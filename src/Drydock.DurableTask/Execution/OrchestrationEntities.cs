using Drydock.DurableTask.Entities;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.DurableTask.Execution;

/// <summary>Entities as an orchestration sees them: each message is a step of the execution, in the typed form of the protocol.</summary>
internal sealed class OrchestrationEntities(OrchestrationContext context, Schedule schedule, DataConverter converter) : TaskOrchestrationEntityFeature
{
    private readonly Dictionary<string, int> _asked = new(StringComparer.Ordinal);
    private readonly Dictionary<int, (EntityInstanceId Id, string Operation)> _calls = [];
    private List<EntityInstanceId>? _locked;
    private string? _section;
    private readonly HashSet<EntityInstanceId> _busy = [];

    public override async Task<TResult> CallEntityAsync<TResult>(
        EntityInstanceId id, string operationName, object? input = null, CallEntityOptions? options = null) =>
        converter.Deserialize<TResult>(await CallAsync(id, operationName, input))!;

    public override Task CallEntityAsync(EntityInstanceId id, string operationName, object? input = null, CallEntityOptions? options = null) =>
        CallAsync(id, operationName, input);

    public override Task SignalEntityAsync(
        EntityInstanceId id, string operationName, object? input = null, SignalEntityOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(operationName);
        if (_locked?.Contains(id) == true)
        {
            throw new InvalidOperationException("Must not signal a locked entity from a critical section.");
        }

        schedule.Add(Message(new SendEntityMessageAction
        {
            EntityOperationSignaled = new()
            {
                RequestId = context.NewGuid().ToString(),
                Operation = operationName,
                Input = converter.Serialize(input),
                ScheduledTime = options?.SignalTime?.ToTimestamp(),
                TargetInstanceId = id.ToString(),
            },
        }));
        return Task.CompletedTask;
    }

    public override async Task<IAsyncDisposable> LockEntitiesAsync(IEnumerable<EntityInstanceId> entityIds)
    {
        ArgumentNullException.ThrowIfNull(entityIds);
        if (_section is not null)
        {
            throw new InvalidOperationException("Must not enter another critical section from within a critical section.");
        }

        // Everybody takes them in the same order, so that nobody waits for somebody who waits for him.
        List<EntityInstanceId> set =
        [
            .. entityIds.Distinct().OrderBy(static id => id.Name, StringComparer.Ordinal).ThenBy(static id => id.Key, StringComparer.Ordinal),
        ];
        if (set.Count == 0)
        {
            throw new ArgumentException("The list of entities to lock must not be empty.", nameof(entityIds));
        }

        _section = context.NewGuid().ToString();
        var request = new EntityLockRequestedEvent
        {
            CriticalSectionId = _section, LockSet = { set.Select(static id => id.ToString()) }, ParentInstanceId = context.InstanceId,
        };
        await AskAsync(_section, new SendEntityMessageAction { EntityLockRequested = request }, "lock");
        _locked = set;
        return new CriticalSection(this, _section);
    }

    public override bool InCriticalSection(out IReadOnlyList<EntityInstanceId>? entityIds)
    {
        entityIds = _locked;
        return _locked is not null;
    }

    /// <summary>An answer came; those to what nobody asks any more are duplicates.</summary>
    public void Complete(string requestId, string? output)
    {
        if (_asked.Remove(requestId, out var id))
        {
            _calls.Remove(id);
            schedule.Complete(id, output);
        }
    }

    /// <summary>An operation failed.</summary>
    public void Fail(string requestId, Protobuf.TaskFailureDetails failure)
    {
        if (_asked.Remove(requestId, out var id) && _calls.Remove(id, out var call))
        {
            schedule.Fail(id, new EntityOperationFailedException(call.Id, call.Operation, failure.ToDetails()));
        }
    }

    /// <summary>Frees what is locked: the orchestrator left its critical section, or ended in it.</summary>
    public void Release(string? section = null)
    {
        if (_locked is null || _section is null || (section is not null && section != _section))
        {
            return;
        }

        foreach (var id in _locked)
        {
            schedule.Add(Message(new SendEntityMessageAction
            {
                EntityUnlockSent = new() { CriticalSectionId = _section, ParentInstanceId = context.InstanceId, TargetInstanceId = id.ToString() },
            }));
        }

        _locked = null;
        _section = null;
        _busy.Clear();
    }

    /// <summary>A sub-orchestration could want the same locks and wait for ever.</summary>
    public void CheckNoCriticalSection()
    {
        if (_section is not null)
        {
            throw new InvalidOperationException("While holding locks, cannot call suborchestrators.");
        }
    }

    private static OrchestratorAction Message(SendEntityMessageAction message) => new() { SendEntityMessage = message };

    private async Task<string?> CallAsync(EntityInstanceId id, string operation, object? input)
    {
        ArgumentException.ThrowIfNullOrEmpty(operation);
        if (_locked is not null && !_locked.Contains(id))
        {
            throw new InvalidOperationException("Must not call an entity from a critical section that does not have it locked.");
        }

        if (_locked is not null && !_busy.Add(id))
        {
            throw new InvalidOperationException("Must not call an entity from a critical section while a prior call to the same entity is still pending.");
        }

        try
        {
            var requestId = context.NewGuid().ToString();
            return await AskAsync(
                requestId,
                new SendEntityMessageAction
                {
                    EntityOperationCalled = new()
                    {
                        RequestId = requestId,
                        Operation = operation,
                        Input = converter.Serialize(input),
                        ParentInstanceId = context.InstanceId,
                        TargetInstanceId = id.ToString(),
                    },
                },
                operation,
                id);
        }
        finally
        {
            _busy.Remove(id);
        }
    }

    private Task<string?> AskAsync(string requestId, SendEntityMessageAction message, string operation, EntityInstanceId? id = null)
    {
        var action = Message(message);
        var answer = schedule.AddTask(action, operation);
        _asked.Add(requestId, action.Id);
        if (id is { } entity)
        {
            _calls.Add(action.Id, (entity, operation));
        }

        return answer;
    }

    private sealed class CriticalSection(OrchestrationEntities entities, string section) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            entities.Release(section);
            return ValueTask.CompletedTask;
        }
    }
}

using System.Text.Json;
using Drydock.DurableTask;
using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.State;
using Drydock.DurableTask.Worker;
using Drydock.UnitTests.DurableTask.Execution;
using Microsoft.Extensions.Logging.Abstractions;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>
/// The worker of the simulation: keeps live orchestrators, loses some as an overfull cache does, and after every turn of a live one
/// replays the whole history and compares.
/// </summary>
internal sealed class SimulatedWorker(SimulatedHub hub, Random random, int seed)
{
    private readonly Dictionary<string, Live> _live = new(StringComparer.Ordinal);
    private readonly List<WorkItem> _turns = [];
    private readonly List<WorkItem> _activities = [];
    private readonly List<WorkItem> _entities = [];
    private readonly List<Answer> _again = [];
    private readonly List<Answer> _stale = [];
    private int _results;

    /// <summary>What a live orchestrator and a replayed one did differently, or what else must not be.</summary>
    public string? Difference { get; private set; }

    /// <summary>What activities came to, whether or not it was committed.</summary>
    public HashSet<string> Results { get; } = new(StringComparer.Ordinal);

    /// <summary>The results that were acknowledged, by execution and step.</summary>
    public Dictionary<(string ExecutionId, int TaskId), string> Acknowledged { get; } = [];

    public int Turns { get; private set; }

    /// <summary>
    /// Any activity may fail; otherwise only one that is retried, or of which its orchestration fails. To rewind takes every failed step
    /// again, so one that was caught and forgotten is a step that the code does not come to.
    /// </summary>
    public bool FailsAnything => seed % 2 == 0;

    /// <summary>Takes what the hub has handed out.</summary>
    public void Receive()
    {
        while (hub.Stream.Items.Reader.TryRead(out var item))
        {
            (item.OrchestratorRequest is not null ? _turns : item.ActivityRequest is not null ? _activities : _entities).Add(item);
        }
    }

    /// <summary>The process ended: all it held is gone.</summary>
    public void Crash()
    {
        _live.Clear();
        _turns.Clear();
        _activities.Clear();
        _entities.Clear();
        _again.Clear();
    }

    /// <summary>Gives one of the items in hand back, if there is one.</summary>
    public void Abandon()
    {
        foreach (var items in new[] { _turns, _activities, _entities }.Where(items => items.Count > 0).Take(1))
        {
            var item = items[random.Next(items.Count)];
            if (hub.Abandon(item.CompletionToken))
            {
                items.Remove(item);
            }
        }
    }

    /// <summary>Answers to some of the turns in hand.</summary>
    public IReadOnlyList<Answer> AnswerTurns(int oneIn)
    {
        // What failed inside the hub is said again.
        List<Answer> answers = [.. _again, .. Take(_turns, oneIn).Select(AnswerTurn)];
        _again.Clear();
        return answers;
    }

    /// <summary>Answers to some of the activities and entities in hand; and, again, some that were given before, which nobody may take.</summary>
    public IReadOnlyList<Answer> AnswerOthers(int oneIn)
    {
        List<Answer> answers = [.. _stale, .. Take(_activities, oneIn).Select(AnswerActivity), .. Take(_entities, oneIn).Select(AnswerEntity)];
        _stale.Clear();
        return answers;
    }

    private List<WorkItem> Take(List<WorkItem> items, int oneIn)
    {
        var taken = items.FindAll(_ => random.Next(oneIn) == 0);
        items.RemoveAll(taken.Contains);
        return taken;
    }

    private Answer AnswerActivity(WorkItem item)
    {
        var request = item.ActivityRequest;
        var result = $"\"{request.Name}.{_results++}\"";
        var response = new ActivityResponse { CompletionToken = item.CompletionToken, Result = result };
        if ((FailsAnything || request.Name is "B" or "H" or "R") && random.Next(5) == 0)
        {
            response = new ActivityResponse { CompletionToken = item.CompletionToken, FailureDetails = new Failure { ErrorType = "My.Error", ErrorMessage = "no" } };
            result = null;
        }

        void Apply(HubState state) => state.CompleteActivity(Held(item), response);
        if (result is not null)
        {
            Results.Add(result);
        }

        return new Answer(
            Apply,
            Committed: () =>
            {
                if (result is not null)
                {
                    Acknowledged[(request.OrchestrationInstance.ExecutionId, request.TaskId)] = result;
                }

                SayAgain(Apply);
            },
            Failed: () => _activities.Add(item),
            Refused: static () => { });
    }

    /// <summary>Some operations of an entity, in order: its state is a list of what was added.</summary>
    private Answer AnswerEntity(WorkItem item)
    {
        var request = item.EntityRequestV2;
        var result = new EntityBatchResult { CompletionToken = item.CompletionToken, EntityState = request.EntityState };
        foreach (var operation in request.OperationRequests.Take(random.Next(1, request.OperationRequests.Count + 1)))
        {
            var (name, input) = operation.EntityOperationCalled is { } call
                ? (call.Operation, call.Input)
                : (operation.EntityOperationSignaled.Operation, operation.EntityOperationSignaled.Input);
            if (name != "Add")
            {
                result.Results.Add(new OperationResult { Failure = new OperationResultFailure { FailureDetails = new Failure { ErrorType = "My.Error" } } });
                continue;
            }

            result.EntityState = $"{result.EntityState}{input}\n";
            result.Results.Add(new OperationResult { Success = new OperationResultSuccess { Result = input } });
        }

        void Apply(HubState state) => state.CompleteEntity(Held(item), result);
        return new Answer(Apply, Committed: () => SayAgain(Apply), Failed: () => _entities.Add(item), Refused: static () => { });
    }

    /// <summary>Now and then an answer is sent twice.</summary>
    private void SayAgain(Action<HubState> apply)
    {
        if (random.Next(15) == 0)
        {
            _stale.Add(new Answer(apply, Committed: () => Difference ??= "A token that had ended was taken again.", Failed: static () => { }, Refused: static () => { }));
        }
    }

    private Answer AnswerTurn(WorkItem item)
    {
        var request = item.OrchestratorRequest;
        if (hub.Dispatcher.Find(item.CompletionToken) is null)
        {
            // The transaction that caused it failed, or it was given out anew: a real worker hears so when it answers.
            Drop(request.InstanceId, item.CompletionToken);
            return new Answer(static _ => { }, static () => { }, static () => { }, static () => { });
        }

        var turn = TakeTurn(request, out var live);
        Turns++;
        if (live is not null)
        {
            live.LastTurn = item.CompletionToken;
        }

        var response = new OrchestratorResponse { InstanceId = request.InstanceId, CompletionToken = item.CompletionToken, CustomStatus = turn.CustomStatus };
        response.Actions.Add(turn.Actions);
        void Apply(HubState state) => state.CommitTurn(Held(item), response);
        Answer answer = null!;
        answer = new Answer(
            Apply,
            Committed: () => SayAgain(Apply),
            Failed: () => _again.Add(answer),
            Refused: () => Drop(request.InstanceId, item.CompletionToken));
        return answer;
    }

    private OrchestrationTurn TakeTurn(OrchestratorRequest request, out Live? live)
    {
        var position = HistoryPosition.Of(request);
        if (_live.Remove(request.InstanceId, out live)
            && live.ExecutionId == request.ExecutionId && position is not null && live.LastTurn == position.LastTurn && random.Next(6) > 0)
        {
            var turn = live.Executor.Run(request.NewEvents);
            var replayed = Executor(request.InstanceId).Run(Past(request), request.NewEvents);
            Difference ??= TurnComparison.Difference(turn, replayed) is { } difference ? $"{request.InstanceId}: {difference}" : null;
            Keep(request, live, turn);
            return turn;
        }

        live = new Live(request.ExecutionId, Executor(request.InstanceId));
        var first = live.Executor.Run(Past(request), request.NewEvents);
        Keep(request, live, first);
        return first;
    }

    private void Drop(string instanceId, string token)
    {
        if (_live.TryGetValue(instanceId, out var live) && live.LastTurn == token)
        {
            _live.Remove(instanceId);
        }
    }

    private List<HistoryEvent> Past(OrchestratorRequest request) => request.RequiresHistoryStreaming ? hub.Store.History(request.InstanceId) : [.. request.PastEvents];

    private void Keep(OrchestratorRequest request, Live live, OrchestrationTurn turn)
    {
        if (!live.Executor.IsFinished && turn.Completion is null)
        {
            _live[request.InstanceId] = live;
        }
    }

    private Drydock.DurableTask.TaskHub.Dispatch.HandOut Held(WorkItem item) => hub.Dispatcher.Held(item.CompletionToken);

    private OrchestrationExecutor Executor(string instanceId) => new(
        (_, _) => FuncTaskOrchestrator.Create<JsonElement?, string>((context, input) => Code(instanceId, input).RunAsync(context)),
        new DurableTaskWorkerOptions(),
        NullLoggerFactory.Instance);

    /// <summary>The code of an execution follows from the id of the instance and, after it has continued as new, from what it carried over.</summary>
    private RandomOrchestration Code(string instanceId, JsonElement? input) =>
        new(SeedOf(input is { ValueKind: JsonValueKind.String } carried ? carried.GetString()! : instanceId), RandomOrchestration.WithEntities);

    private int SeedOf(string text) => text.Aggregate(seed, (hash, letter) => unchecked((hash * 31) + letter));

    private sealed record Live(string ExecutionId, OrchestrationExecutor Executor)
    {
        public string LastTurn { get; set; } = "";
    }
}

/// <summary>Something a worker says to the hub, and what follows from it.</summary>
internal sealed record Answer(Action<HubState> Apply, Action Committed, Action Failed, Action Refused)
{
    /// <summary>The hub said that it is not in hand any more.</summary>
    public bool IsRefused { get; set; }
}

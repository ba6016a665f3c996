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
internal sealed class SimulatedWorker(SimulatedHub hub, Random random)
{
    private readonly Dictionary<string, Live> _live = new(StringComparer.Ordinal);
    private readonly List<WorkItem> _turns = [];
    private readonly List<WorkItem> _activities = [];
    private readonly List<Answer> _again = [];
    private int _results;

    /// <summary>What a live orchestrator and a replayed one did differently.</summary>
    public string? Difference { get; private set; }

    /// <summary>Results whose commit was acknowledged, by instance.</summary>
    public List<(string InstanceId, string Result)> Acknowledged { get; } = [];

    public int Turns { get; private set; }

    /// <summary>Takes what the hub has handed out.</summary>
    public void Receive()
    {
        while (hub.Stream.Items.Reader.TryRead(out var item))
        {
            (item.OrchestratorRequest is not null ? _turns : _activities).Add(item);
        }
    }

    /// <summary>The process ended: all it held is gone.</summary>
    public void Crash()
    {
        _live.Clear();
        _turns.Clear();
        _activities.Clear();
        _again.Clear();
    }

    /// <summary>Answers to some of the turns in hand.</summary>
    public IReadOnlyList<Answer> AnswerTurns(int oneIn)
    {
        // What failed inside the hub is said again.
        List<Answer> answers = [.. _again, .. Take(_turns, oneIn).Select(AnswerTurn)];
        _again.Clear();
        return answers;
    }

    /// <summary>Answers to some of the activities in hand.</summary>
    public IReadOnlyList<Answer> AnswerActivities(int oneIn) => [.. Take(_activities, oneIn).Select(AnswerActivity)];

    private List<WorkItem> Take(List<WorkItem> items, int oneIn)
    {
        var taken = items.FindAll(_ => random.Next(oneIn) == 0);
        items.RemoveAll(taken.Contains);
        return taken;
    }

    private Answer AnswerActivity(WorkItem item)
    {
        var request = item.ActivityRequest;
        var id = request.OrchestrationInstance.InstanceId;
        var result = $"\"{request.Name}.{_results++}\"";
        var response = new ActivityResponse { CompletionToken = item.CompletionToken, Result = result };
        if (random.Next(5) == 0)
        {
            response = new ActivityResponse { CompletionToken = item.CompletionToken, FailureDetails = new Failure { ErrorType = "My.Error", ErrorMessage = "no" } };
            result = null;
        }

        return new Answer(
            state => state.CompleteActivity(Held(item), response),
            Committed: () => Acknowledge(id, result),
            Failed: () => _activities.Add(item),
            Refused: static () => { });
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
        Answer answer = null!;
        answer = new Answer(
            state => state.CommitTurn(Held(item), response),
            Committed: static () => { },
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

    private List<HistoryEvent> Past(OrchestratorRequest request) => request.RequiresHistoryStreaming ? hub.History(request.InstanceId) : [.. request.PastEvents];

    private void Keep(OrchestratorRequest request, Live live, OrchestrationTurn turn)
    {
        if (!live.Executor.IsFinished && turn.Completion is null)
        {
            _live[request.InstanceId] = live;
        }
    }

    private Drydock.DurableTask.TaskHub.Dispatch.HandOut Held(WorkItem item) => hub.Dispatcher.Held(item.CompletionToken);

    private void Acknowledge(string id, string? result)
    {
        if (result is not null)
        {
            Acknowledged.Add((id, result));
        }
    }

    private static OrchestrationExecutor Executor(string instanceId)
    {
        var code = new RandomOrchestration(SeedOf(instanceId));
        return new OrchestrationExecutor(
            (_, _) => FuncTaskOrchestrator.Create<string?, string>((context, input) => input is null ? code.RunAsync(context) : Task.FromResult("second")),
            new DurableTaskWorkerOptions(),
            NullLoggerFactory.Instance);
    }

    /// <summary>The code of an instance follows from its id; children and their parents differ.</summary>
    private static int SeedOf(string instanceId) => instanceId.Aggregate(17, (hash, letter) => unchecked((hash * 31) + letter));

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

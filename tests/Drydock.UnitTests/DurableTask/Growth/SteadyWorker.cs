using Drydock.DurableTask;
using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.State;
using Drydock.DurableTask.Worker;
using Drydock.UnitTests.DurableTask.Simulation;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.UnitTests.DurableTask.Growth;

/// <summary>The engine on one thread and a clock that jumps to the next timer, with nothing that fails: a worker that keeps its orchestrators.</summary>
internal sealed class SteadyWorker : IDisposable
{
    private readonly VirtualClock _clock = new();
    private readonly Dictionary<string, OrchestrationExecutor> _live = new(StringComparer.Ordinal);
    private readonly ITaskOrchestrator _code;

    public SteadyWorker(ITaskOrchestrator code)
    {
        _code = code;
        var faults = new Faults(new Random(1));
        Store = new SimulatedFile(faults);
        Hub = new SimulatedHub(Store, _clock, faults);
    }

    public SimulatedFile Store { get; }

    public SimulatedHub Hub { get; }

    public DateTime Now => _clock.Now;

    /// <summary>How many orchestrators wait for their next turn.</summary>
    public int Live => _live.Count;

    /// <summary>How often an orchestrator was made from its history.</summary>
    public int Replays { get; private set; }

    public void Start(string id) =>
        Hub.Commit([state => state.Start(new CreateInstanceRequest { InstanceId = id, Name = "Steady" })], static () => []);

    /// <summary>Takes one round of work; false if there was none, and no timer either.</summary>
    public bool Step()
    {
        List<Action<HubState>> answers = [];
        while (Hub.Stream.Items.Reader.TryRead(out var item))
        {
            answers.Add(Answer(item));
        }

        if (answers.Count == 0)
        {
            if (Hub.NextDue is not { } due)
            {
                return false;
            }

            _clock.Now = due > _clock.Now ? due : _clock.Now;
        }

        Hub.Commit(answers, static () => []);
        return true;
    }

    /// <summary>The process ends and another begins, with no orchestrator in memory.</summary>
    public void Restart()
    {
        _live.Clear();
        Hub.Crash();
    }

    public void Dispose() => Hub.Dispose();

    private Action<HubState> Answer(WorkItem item)
    {
        if (item.ActivityRequest is { } activity)
        {
            var result = new ActivityResponse { CompletionToken = item.CompletionToken, Result = "1" };
            return state => state.CompleteActivity(Hub.Dispatcher.Held(item.CompletionToken), result);
        }

        var request = item.OrchestratorRequest;
        var turn = Take(request);
        var response = new OrchestratorResponse { CompletionToken = item.CompletionToken, CustomStatus = turn.CustomStatus };
        response.Actions.Add(turn.Actions);
        return state => state.CommitTurn(Hub.Dispatcher.Held(item.CompletionToken), response);
    }

    private OrchestrationTurn Take(OrchestratorRequest request)
    {
        if (_live.Remove(request.InstanceId, out var executor))
        {
            return Kept(request, executor, executor.Run(request.NewEvents));
        }

        Replays++;
        executor = new OrchestrationExecutor((_, _) => _code, new DurableTaskWorkerOptions(), NullLoggerFactory.Instance);
        var past = request.RequiresHistoryStreaming ? Store.History(request.InstanceId) : [.. request.PastEvents];
        return Kept(request, executor, executor.Run(past, request.NewEvents));
    }

    private OrchestrationTurn Kept(OrchestratorRequest request, OrchestrationExecutor executor, OrchestrationTurn turn)
    {
        if (turn.Completion is null)
        {
            _live[request.InstanceId] = executor;
        }

        return turn;
    }
}

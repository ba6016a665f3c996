using System.Globalization;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.State;
using Grpc.Core;
using Shouldly;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>One run: clients that ask for anything at any time, a worker, and faults; then peace, in which all must come to its end.</summary>
internal sealed class SimulationRun : IDisposable
{
    private const int Steps = 400;
    private const int Started = 30;
    private readonly VirtualClock _clock = new();
    private readonly Random _random;
    private readonly ISimulatedStore _store;
    private readonly SimulatedHub _hub;
    private readonly SimulatedWorker _worker;
    private readonly List<string> _started = [];
    private readonly HashSet<string> _stopped = [];
    private readonly HashSet<string> _purged = [];

    public SimulationRun(int seed, bool inMemory)
    {
        _random = new Random(seed);
        Faults = new Faults(_random);
        _store = inMemory ? new SimulatedMemory(Faults) : new SimulatedFile(Faults);
        _hub = new SimulatedHub(_store, _clock, Faults, largePayloadThreshold: 2);
        _worker = new SimulatedWorker(_hub, _random, seed);
    }

    public Faults Faults { get; }

    public int Orchestrations => _store.Instances().Count;

    public int Turns => _worker.Turns;

    public int Crashes { get; private set; }

    /// <summary>What happened, step by step.</summary>
    public List<string> Trace { get; } = [];

    public void Run()
    {
        Faults.OneIn = 300;
        for (var step = 0; step < Steps; step++)
        {
            Step(ClientCommands());
            Disturb();
        }

        // From here on nothing fails, and whoever waits for an event gets it.
        Faults.OneIn = 0;
        for (var round = 0; !Ended(); round++)
        {
            if (round > 5000)
            {
                var left = Unfinished().ToList();
                throw new InvalidOperationException(
                    $"It does not come to an end: {left.Count} of {Orchestrations} have not, such as {string.Join(Environment.NewLine, _store.History(left[^1]))}");
            }

            Step(_hub.IsIdle ? Events() : []);
            Wait();
        }

        Check();
    }

    public void Dispose() => _hub.Dispose();

    private void Step(IReadOnlyList<Answer> calls)
    {
        _worker.Receive();
        List<Answer> answers = [.. calls, .. _worker.AnswerOthers(oneIn: 2), .. _worker.AnswerTurns(oneIn: 2)];
        var committed = _hub.Commit([.. answers.Select(Applied)], () =>
        {
            // A commit may take long.
            _clock.Now += TimeSpan.FromMilliseconds(_random.Next(20) == 0 ? _random.Next(5000) : 1);
            _worker.Receive();
            var more = _worker.AnswerTurns(oneIn: 2);
            answers.AddRange(more);
            return [.. more.Select(Applied)];
        });
        answers.ForEach(answer => (!committed ? answer.Failed : answer.IsRefused ? answer.Refused : answer.Committed)());
        _worker.Difference.ShouldBeNull();
        Trace.Add(string.Create(CultureInfo.InvariantCulture, $"{_clock.Now:O} {answers.Count} {committed} {_worker.Turns} {Crashes} {Faults.Before} {Faults.After}"));
    }

    private void Disturb()
    {
        switch (_random.Next(60))
        {
            case 0:
                _hub.Crash();
                _worker.Crash();
                Crashes++;
                break;
            case 1:
                _worker.Crash();
                _hub.LoseWorker();
                break;
            case 2 or 3:
                _worker.Abandon();
                break;
            case 4:
                // Somebody sets the clock of the machine.
                _clock.Now += TimeSpan.FromHours(_random.Next(2) == 0 ? 1 : -1);
                break;
            default:
                Wait();
                break;
        }
    }

    private void Wait()
    {
        if (_random.Next(4) == 0 || _hub.IsIdle)
        {
            _clock.Now = _hub.NextDue is { } due && due > _clock.Now ? due : _clock.Now.AddMilliseconds(_random.Next(1000));
        }
    }

    /// <summary>A token that ended is refused, as over the wire, and so is what cannot be asked of an instance.</summary>
    private static Action<HubState> Applied(Answer answer) => state =>
    {
        answer.IsRefused = false;
        try
        {
            answer.Apply(state);
        }
        catch (TaskHubException e) when (e.Status is StatusCode.NotFound or StatusCode.AlreadyExists or StatusCode.FailedPrecondition)
        {
            answer.IsRefused = true;
        }
    };

    private List<Answer> ClientCommands()
    {
        List<Answer> calls = [];
        if (_started.Count < Started && _random.Next(4) == 0)
        {
            // Asked again until it is acknowledged, as a client does; that it exists is as good.
            var id = $"i{_started.Count}";
            calls.Add(Call(
                state => state.Start(new CreateInstanceRequest { InstanceId = id, Name = "Random", OrchestrationIdReusePolicy = new() }),
                () => _started.Add(id),
                refused: () => _started.Add(id)));
        }

        if (_started.Count > 0 && _random.Next(3) == 0)
        {
            calls.Add(ClientCommand(_started[_random.Next(_started.Count)]));
        }

        return calls;
    }

    private Answer ClientCommand(string id)
    {
        switch (_random.Next(16))
        {
            case 0:
                return Call(state => state.Suspend(id, "x"));
            case 1:
                return Call(state => state.Resume(id, "x"));
            case 2:
                _stopped.Add(id);
                return Call(state => state.Terminate(id, "x", recurse: true));
            case 3:
                _purged.Add(id);
                var purged = 0;
                return Call(state => purged = state.Purge(id, recursive: true), () => CheckPurged(id, purged));
            case 4 or 5 when !_worker.FailsAnything:
                return Call(state => state.Rewind(id, "x"));
            case 6:
                return Call(state => state.Restart(new RestartInstanceRequest { InstanceId = id }));
            case 7:
                var token = $"\"{_clock.Now.Ticks}\"";
                return Call(state => state.SendToEntity($"@list@{_random.Next(3)}", new HistoryEvent
                {
                    EntityOperationSignaled = new() { RequestId = token, Operation = "Add", Input = token },
                }));
            default:
                return Call(state => state.RaiseEvent(id, $"E{_random.Next(2)}", $"\"{_clock.Now.Ticks}\""));
        }
    }

    private void CheckPurged(string id, int count)
    {
        if (count > 0)
        {
            _store.Instance(id).ShouldBeNull($"{id} was purged.");
        }
    }

    private List<Answer> Events() =>
    [
        .. Unfinished().SelectMany(id => new[]
        {
            Call(state => state.Resume(id, null)), Call(state => state.RaiseEvent(id, "E0", "\"end\"")), Call(state => state.RaiseEvent(id, "E1", "\"end\"")),
        }),
    ];

    private IEnumerable<string> Unfinished() => _store.Instances().Where(instance => !instance.IsFinished).Select(instance => instance.Id);

    private bool Ended() => _hub.IsIdle && _hub.NextDue is null && !Unfinished().Any();

    private void Check()
    {
        var checks = new SimulationChecks(_store, _worker);
        foreach (var id in _started)
        {
            if (_store.Instance(id) is not { } state)
            {
                _purged.ShouldContain(id, $"{id} was acknowledged and is gone.");
                continue;
            }

            if (state.OrchestrationStatus == OrchestrationStatus.Terminated)
            {
                _stopped.ShouldContain(id);
            }
        }

        foreach (var (id, _) in _store.Instances())
        {
            checks.CheckHistory(id);
        }

        checks.CheckEntities();
        _store.Leftovers().ShouldBe(0);
    }

    private static Answer Call(Action<HubState> apply, Action? committed = null, Action? refused = null) =>
        new(apply, committed ?? (static () => { }), static () => { }, refused ?? (static () => { }));
}

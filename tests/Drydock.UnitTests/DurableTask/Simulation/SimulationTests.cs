using System.Globalization;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.State;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>
/// Random orchestrations on the real hub and executor, with clients, faults of the store, crashes and a clock that jumps, all from one
/// seed. <c>DRYDOCK_SIMULATION_SEED</c> repeats one run; <c>DRYDOCK_SIMULATION_RUNS</c> makes more of them.
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    [Fact]
    public void Whatever_fails_every_orchestration_comes_to_its_end()
    {
        var fixedSeed = Environment.GetEnvironmentVariable("DRYDOCK_SIMULATION_SEED");
        var runs = fixedSeed is not null ? 1 : int.Parse(Environment.GetEnvironmentVariable("DRYDOCK_SIMULATION_RUNS") ?? "60", CultureInfo.InvariantCulture);
        var (orchestrations, turns, faults, crashes) = (0, 0, 0, 0);
        for (var run = 0; run < runs; run++)
        {
            var seed = fixedSeed is null ? Random.Shared.Next() : int.Parse(fixedSeed, CultureInfo.InvariantCulture);
            using var simulation = new SimulationRun(seed);
            try
            {
                simulation.Run();
            }
            catch (Exception e)
            {
                Assert.Fail($"DRYDOCK_SIMULATION_SEED={seed.ToString(CultureInfo.InvariantCulture)} repeats this: {e}");
            }

            orchestrations += simulation.Orchestrations;
            turns += simulation.Turns;
            faults += simulation.FaultCount;
            crashes += simulation.Crashes;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{orchestrations} orchestrations, {turns} turns, {faults} faults, {crashes} crashes"));
        if (fixedSeed is null)
        {
            orchestrations.ShouldBeGreaterThan(runs * 20);
            faults.ShouldBeGreaterThan(runs);
            crashes.ShouldBeGreaterThan(runs);
        }
    }
}

/// <summary>One run.</summary>
internal sealed class SimulationRun : IDisposable
{
    private const int Steps = 400;
    private const int Started = 30;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-simulation-");
    private readonly VirtualClock _clock = new();
    private readonly Random _random;
    private readonly Faults _faults;
    private readonly SimulatedHub _hub;
    private readonly SimulatedWorker _worker;
    private readonly List<string> _started = [];
    private readonly HashSet<string> _stopped = [];

    public SimulationRun(int seed)
    {
        _random = new Random(seed);
        _faults = new Faults(_random);
        _hub = new SimulatedHub(Path.Combine(_folder.FullName, "hub.db"), _clock, _faults);
        _worker = new SimulatedWorker(_hub, _random);
    }

    public int Orchestrations => (int)_hub.Number("SELECT count(*) FROM instances WHERE status >= 0");

    public int Turns => _worker.Turns;

    public int FaultCount => _faults.Count;

    public int Crashes { get; private set; }

    public void Run()
    {
        _faults.OneIn = 300;
        for (var step = 0; step < Steps; step++)
        {
            Step(ClientCommands());
        }

        // From here on nothing fails, and whoever waits for an event gets it.
        _faults.OneIn = 0;
        for (var round = 0; !Ended(); round++)
        {
            round.ShouldBeLessThan(5000, "It does not come to an end.");
            Step(_hub.IsIdle ? Events() : []);
        }

        Check();
    }

    public void Dispose()
    {
        _hub.Dispose();
        _folder.Delete(recursive: true);
    }

    private void Step(IReadOnlyList<Answer> calls)
    {
        _worker.Receive();
        List<Answer> answers = [.. calls, .. _worker.AnswerActivities(oneIn: 2), .. _worker.AnswerTurns(oneIn: 2)];
        var committed = _hub.Commit([.. answers.Select(Applied)], () =>
        {
            _worker.Receive();
            var more = _worker.AnswerTurns(oneIn: 2);
            answers.AddRange(more);
            return [.. more.Select(Applied)];
        });
        answers.ForEach(answer => (!committed ? answer.Failed : answer.IsRefused ? answer.Refused : answer.Committed)());
        _worker.Difference.ShouldBeNull();
        if (_faults.OneIn > 0 && _random.Next(60) == 0)
        {
            _hub.Crash();
            _worker.Crash();
            Crashes++;
        }
        else if (_random.Next(4) == 0 || _hub.IsIdle)
        {
            _clock.Now = _hub.NextDue is { } due && due > _clock.Now ? due : _clock.Now.AddMilliseconds(_random.Next(1000));
        }
    }

    /// <summary>A token that ended is refused, as over the wire; the worker drops what it has.</summary>
    private static Action<HubState> Applied(Answer answer) => state =>
    {
        answer.IsRefused = false;
        try
        {
            answer.Apply(state);
        }
        catch (TaskHubException e) when (e.Status is Grpc.Core.StatusCode.NotFound or Grpc.Core.StatusCode.AlreadyExists)
        {
            answer.IsRefused = true;
        }
    };

    private List<Answer> ClientCommands()
    {
        List<Answer> calls = [];
        if (_started.Count < Started && _random.Next(4) == 0)
        {
            // Asked again until it is acknowledged, as a client does.
            var id = $"i{_started.Count}";
            calls.Add(Call(state => state.Start(new CreateInstanceRequest { InstanceId = id, Name = "Random" }), () => _started.Add(id)));
        }

        if (_started.Count > 0 && _random.Next(3) == 0)
        {
            var id = _started[_random.Next(_started.Count)];
            calls.Add(_random.Next(12) switch
            {
                0 => Call(state => state.Suspend(id, "x")),
                1 => Call(state => state.Resume(id, "x")),
                2 => Call(state => state.Terminate(id, "x", true), () => _stopped.Add(id)),
                _ => Call(state => state.RaiseEvent(id, $"E{_random.Next(2)}", $"\"{_clock.Now.Ticks}\"")),
            });
        }

        return calls;
    }

    private List<Answer> Events() =>
    [
        .. Unfinished().SelectMany(id => new[]
        {
            Call(state => state.Resume(id, null)), Call(state => state.RaiseEvent(id, "E0", "\"end\"")), Call(state => state.RaiseEvent(id, "E1", "\"end\"")),
        }),
    ];

    private List<string> Unfinished()
    {
        var ids = new List<string>();
        using var statement = _hub.Query("SELECT id FROM instances WHERE status >= 0 AND completed_at IS NULL ORDER BY key");
        while (statement.Step())
        {
            ids.Add(statement.Text(0));
        }

        return ids;
    }

    private bool Ended() => _hub.IsIdle && _hub.NextDue is null && Unfinished().Count == 0;

    private void Check()
    {
        foreach (var id in _started)
        {
            var state = _hub.Instance(id).ShouldNotBeNull($"{id} was acknowledged and is gone.");
            if (state.OrchestrationStatus == OrchestrationStatus.Terminated)
            {
                _stopped.ShouldContain(id);
            }

            var history = _hub.History(id);
            history.Count(e => e.ExecutionStarted is not null).ShouldBe(1, id);
            history.Count(e => e.ExecutionCompleted is not null).ShouldBe(1, id);
            var steps = history.Where(e => e.EventId >= 0 && e.ExecutionCompleted is null).Select(e => e.EventId).ToList();
            steps.ShouldBe(Enumerable.Range(0, steps.Count), id);
            history.Select(e => e.TaskCompleted?.TaskScheduledId).OfType<int>().ShouldBeUnique(id);
            history.Where(e => e.OrchestratorStarted is not null).Select(e => e.Timestamp.ToDateTime()).ShouldBeInOrder();
            CheckResults(id, history);
        }

        // The event that orchestrations send goes to an instance that never comes.
        _hub.Number("SELECT count(*) FROM inbox WHERE instance_key NOT IN (SELECT key FROM instances WHERE id = 'other')").ShouldBe(0);
        _hub.Number("SELECT count(*) FROM tasks").ShouldBe(0);
        _hub.Number("SELECT count(*) FROM history WHERE instance_key NOT IN (SELECT key FROM instances)").ShouldBe(0);
    }

    /// <summary>Every result in the history is one that was acknowledged; they say it once.</summary>
    private void CheckResults(string id, List<HistoryEvent> history)
    {
        var known = _worker.Acknowledged.Where(one => one.InstanceId == id).Select(one => one.Result).ToList();
        var results = history.Select(e => e.TaskCompleted?.Result).OfType<string>().ToList();
        results.ShouldBeUnique(id);
        results.ShouldBeSubsetOf(known, id);
    }

    private static Answer Call(Action<HubState> apply, Action? committed = null) => new(apply, committed ?? (static () => { }), static () => { }, static () => { });
}

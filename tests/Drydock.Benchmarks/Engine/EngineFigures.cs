using System.Globalization;

namespace Drydock.Benchmarks.Engine;

/// <summary>
/// Our engine beside its peers: the same workloads, one engine after the other in every round, each with commits on disk as it is
/// shipped, every result checked.
/// </summary>
internal sealed class EngineFigures(int rounds, TextWriter output)
{
    private const int Chains = 500;
    private const int StepsOfChain = 5;
    private const int Width = 1000;
    private const int Crashed = 100;
    private const int Waiting = 2000;

    // From the first start to the moment the last timer is due, and a little more.
    private static readonly TimeSpan UntilTimersAreDue = TimeSpan.FromSeconds(7);

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(15);

    private readonly List<(string Engine, string Figure, double Value)> _values = [];
    private readonly Dictionary<string, string> _absent = [];
    private readonly List<double> _syncs = [];

    /// <summary>Measures and writes.</summary>
    /// <returns>Whether every target is kept.</returns>
    public async Task<bool> MeasureAsync(IReadOnlyCollection<string> only)
    {
        for (var round = 1; round <= rounds; round++)
        {
            Func<Contender>[] contenders = [() => new DrydockContender(), () => new RestateContender(), () => new DbosContender()];
            foreach (var make in contenders)
            {
                await using var contender = make();
                if (!_absent.ContainsKey(contender.Name) && (only.Count == 0 || only.Contains(contender.Name, StringComparer.OrdinalIgnoreCase)))
                {
                    await TakePartAsync(contender, round);
                }
            }
        }

        await LengthsAsync();
        await ForeignAsync();
        return await new EngineTable(_values, _absent, _syncs).WriteAsync(output);
    }

    private async Task TakePartAsync(Contender contender, int round)
    {
        var machine = Calibration.Measure();
        _syncs.Add(machine.SyncMilliseconds);
        await output.WriteLineAsync($"round {round}, {contender.Name}: {machine}");
        try
        {
            await contender.StartAsync();
        }
        catch (PeerException e)
        {
            _absent[contender.Name] = e.Message;
            await output.WriteLineAsync($"  could not be started: {e.Message}");
            return;
        }

        await ThroughputAsync(contender);
        await AloneAsync(contender);
        await CrashAsync(contender, round);
        await WaitingAsync(contender, round);
    }

    private async Task ThroughputAsync(Contender contender)
    {
        // The same time for each: all of them compile while they run.
        var from = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(from) < WarmUp)
        {
            await contender.AskAsync($"chains {Chains}");
        }

        for (var i = 0; i < 3; i++)
        {
            var before = contender.ProcessorSeconds();
            var seconds = (await contender.AskAsync($"chains {Chains}")).GetProperty("seconds").GetDouble();
            await AddAsync(contender, EngineTable.Chains, Chains * StepsOfChain / seconds);
            await AddAsync(contender, EngineTable.Processor, (contender.ProcessorSeconds() - before) * 1000 / (Chains * StepsOfChain));
        }

        await AddAsync(contender, EngineTable.Memory, contender.Megabytes());
        await contender.AskAsync($"fan {Width}");
        for (var i = 0; i < 3; i++)
        {
            await AddAsync(contender, EngineTable.Fan, Width / (await contender.AskAsync($"fan {Width}")).GetProperty("seconds").GetDouble());
        }
    }

    private async Task AloneAsync(Contender contender)
    {
        await contender.AskAsync("alone 5");
        var latencies = (await contender.AskAsync("alone 50")).GetProperty("latencies").EnumerateArray().Select(one => one.GetDouble()).Order().ToList();
        await AddAsync(contender, EngineTable.Alone, latencies[latencies.Count / 2]);
    }

    /// <summary>Workflows in the middle of a timer; the engine is killed and starts again when all the timers are due.</summary>
    private async Task CrashAsync(Contender contender, int round)
    {
        var started = TimeProvider.System.GetTimestamp();
        await contender.AskAsync($"start {Crashed} {round}");

        // Time to take the two steps before the timer.
        await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, CancellationToken.None);
        await contender.KillAsync();
        await Task.Delay(UntilTimersAreDue - TimeProvider.System.GetElapsedTime(started), TimeProvider.System, CancellationToken.None);
        var from = TimeProvider.System.GetTimestamp();
        await contender.StartAsync();
        await contender.AskAsync($"finish {Crashed} {round}");
        await AddAsync(contender, EngineTable.Crash, TimeProvider.System.GetElapsedTime(from).TotalSeconds);
    }

    /// <summary>What workflows cost that do nothing but wait, in a process that has just started and ended a few.</summary>
    private async Task WaitingAsync(Contender contender, int round)
    {
        await RestsAsync(contender);
        var before = contender.Megabytes();
        await contender.AskAsync($"wait {Waiting} {round}");
        await RestsAsync(contender);
        var after = contender.Megabytes();
        await AddAsync(contender, EngineTable.MemoryWaiting, after);
        await AddAsync(contender, EngineTable.MemoryOfOne, (after - before) * 1000 / Waiting);
    }

    /// <summary>Waits until an engine has nothing to do; no engine says so, but its processor time does.</summary>
    private static async Task RestsAsync(Contender contender)
    {
        var before = contender.ProcessorSeconds();
        for (var second = 0; second < 120; second++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, CancellationToken.None);
            var now = contender.ProcessorSeconds();
            if (now - before < 0.1)
            {
                return;
            }

            before = now;
        }
    }

    /// <summary>The cost of one step of one instance, with a short and with a long history behind it.</summary>
    private async Task LengthsAsync()
    {
        await using var contender = new DrydockContender();
        await contender.StartAsync();
        await contender.AskAsync("long 20000 10000");
        for (var i = 0; i < 3; i++)
        {
            foreach (var (length, figure) in new[] { (100, EngineTable.Short), (100_000, EngineTable.Long) })
            {
                // The instance of 100 events is measured before its own steps make it long.
                var steps = length == 100 ? 300 : 1000;
                var cost = await contender.AskAsync($"long {length} {steps}");
                await AddAsync(contender, figure, cost.GetProperty("cpu").GetDouble());
                await AddAsync(contender, figure + EngineTable.WallSuffix, cost.GetProperty("wall").GetDouble());
            }
        }
    }

    /// <summary>A worker of another language at our gRPC endpoint.</summary>
    private async Task ForeignAsync()
    {
        var packages = Path.Combine(SourceTree.Benchmarks, "..", "Drydock.ConformanceTests", "JavaScript", "node_modules");
        if (!Directory.Exists(packages))
        {
            _absent["the JavaScript SDK"] = "npm ci in tests/Drydock.ConformanceTests/JavaScript";
            return;
        }

        var folder = Directory.CreateTempSubdirectory("drydock-engine-benchmark-");
        using var endpoint = await LineProcess.StartAsync("dotnet", [typeof(EngineFigures).Assembly.Location, EngineProcess.ServeVerb, Path.Combine(folder.FullName, "hub.db")]);
        using (var worker = await LineProcess.StartAsync(
            "node", [Path.Combine(SourceTree.Benchmarks, "Peers", "foreign", "worker.js"), endpoint.Greeting.GetProperty("address").GetString()!],
            new Dictionary<string, string>(StringComparer.Ordinal) { ["NODE_PATH"] = Path.GetFullPath(packages) }))
        {
            await worker.AskAsync($"fan {Width}");
            await worker.AskAsync($"fan {Width}");
            for (var i = 0; i < 3; i++)
            {
                var (hub, foreign) = (ProcessTimes.OfTree(endpoint.Id), ProcessTimes.OfTree(worker.Id));
                var seconds = (await worker.AskAsync($"fan {Width}")).GetProperty("seconds").GetDouble();
                await AddAsync("JavaScript worker", EngineTable.Foreign, Width / seconds);
                await AddAsync("JavaScript worker", EngineTable.ForeignHub, (ProcessTimes.OfTree(endpoint.Id) - hub) * 1000 / Width);
                await AddAsync("JavaScript worker", EngineTable.ForeignWorker, (ProcessTimes.OfTree(worker.Id) - foreign) * 1000 / Width);
            }
        }

        await endpoint.KillAsync();
        folder.Delete(recursive: true);
    }

    private Task AddAsync(Contender contender, string figure, double value) => AddAsync(contender.Name, figure, value);

    private async Task AddAsync(string engine, string figure, double value)
    {
        _values.Add((engine, figure, value));
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"  {engine,-18} {figure,-60} {value,10:0.000}"));
    }
}

using System.Diagnostics;
using System.Globalization;
using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>
/// A process with the whole engine under load, killed at random moments and started again on the same file; now and then it is stopped
/// for a while first, as by a machine that pauses. In the end everything that was acknowledged must have ended as it should.
/// </summary>
internal sealed class KillLoop(string folder, int seed)
{
    public const string Verb = "load-child";
    private const int InFlight = 16;

    private static readonly IReadOnlyList<(string Name, object? Input, string Output)> Kinds =
    [
        (CrashTasks.Chain, null, "3"), (CrashTasks.FanOut, null, "12"), (CrashTasks.Timer, null, "\"in time\""), (CrashTasks.Events, null, "\"onetwo\""),
        (CrashTasks.Parent, null, "9"), (CrashTasks.Entities, null, "22"), (CrashTasks.Generations, 0, "3"),
    ];

    private readonly Random _random = new(seed);
    private readonly Ledger _ledger = new(folder);

    /// <summary>The load itself: <c>load-child FOLDER</c> runs until it is killed.</summary>
    public static async Task<int> RunLoadAsync(string[] arguments)
    {
        var ledger = new Ledger(arguments[1]);
        // Whatever is in hand when the process is killed is not at fault, however often.
        await using var host = await CrashHost.StartAsync(arguments[1], ledger, configure: options => options.MaximumDeliveries = 0);
        await Console.Out.WriteLineAsync("ready");
        await Task.WhenAll(Enumerable.Range(0, InFlight).Select(lane => RunLaneAsync(host.Client, ledger, lane)));
        return 0;
    }

    /// <summary>Kills and starts again for that long; returns how often.</summary>
    public async Task<int> RunAsync(TimeSpan time)
    {
        var from = TimeProvider.System.GetTimestamp();
        var kills = 0;
        while (TimeProvider.System.GetElapsedTime(from) < time)
        {
            await RunAndKillAsync();
            kills++;
        }

        return kills;
    }

    /// <summary>Lets the rest end, and checks every instance that was acknowledged; returns how many there were.</summary>
    public async Task<int> CheckAsync()
    {
        var started = _ledger.Lines().Where(line => line.StartsWith("started ", StringComparison.Ordinal)).Select(line => line.Split(' ')).ToList();
        await using (var host = await CrashHost.StartAsync(folder, _ledger))
        {
            foreach (var line in started)
            {
                var what = $"{line[1]}, a {line[2]}, seed {seed.ToString(CultureInfo.InvariantCulture)}";
                (await host.Client.GetInstanceAsync(line[1])).ShouldNotBeNull($"It was acknowledged and is gone: {what}");
                if (line[2] == CrashTasks.Events)
                {
                    await RaiseAsync(host.Client, line[1]);
                }

                var output = Kinds.Single(kind => kind.Name == line[2]).Output;
                var one = new CrashWorkload(line[2], _ => Task.CompletedTask, new Dictionary<string, string?>(StringComparer.Ordinal) { [line[1]] = output });
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
                await host.Client.WaitForInstanceCompletionAsync(line[1], limit.Token);
                await CrashChecks.EndsAsync(host.Hub, one, _ledger, what, waitForIdle: false);
            }

            await EndUnacknowledgedAsync(host.Client);
            await host.Hub.WhenIdleAsync(CancellationToken.None);
        }

        CrashChecks.NothingIsLeft(folder, $"seed {seed.ToString(CultureInfo.InvariantCulture)}");
        return started.Count;
    }

    private static async Task RunLaneAsync(DurableTaskClient client, Ledger ledger, int lane)
    {
        for (var i = 0; ; i++)
        {
            var (name, input, _) = Kinds[(i + lane) % Kinds.Count];
            var id = $"{Environment.ProcessId}-{lane}-{i}";
            await client.ScheduleNewOrchestrationInstanceAsync(name, input, new StartOrchestrationOptions { InstanceId = id });
            ledger.Write($"started {id} {name}");
            if (name == CrashTasks.Events)
            {
                await RaiseAsync(client, id);
            }

            await client.WaitForInstanceCompletionAsync(id);
        }
    }

    private static async Task RaiseAsync(DurableTaskClient client, string id)
    {
        await client.RaiseEventAsync(id, "one", "one");
        await client.RaiseEventAsync(id, "two", "two");
    }

    /// <summary>What was committed and never acknowledged waits for its events too.</summary>
    private static async Task EndUnacknowledgedAsync(DurableTaskClient client)
    {
        await foreach (var left in client.GetAllInstancesAsync(new OrchestrationQuery(Statuses: [OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running])))
        {
            await RaiseAsync(client, left.InstanceId);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
            await client.WaitForInstanceCompletionAsync(left.InstanceId, limit.Token);
        }
    }

    private async Task RunAndKillAsync()
    {
        var start = new ProcessStartInfo("dotnet", ["exec", typeof(KillLoop).Assembly.Location, Verb, folder]) { RedirectStandardOutput = true, UseShellExecute = false };
        using var child = Process.Start(start)!;
        (await child.StandardOutput.ReadLineAsync()).ShouldBe("ready");
        await PauseAsync(200, 1500);
        if (_random.Next(4) == 0)
        {
            await SignalAsync(child, "-STOP");
            await PauseAsync(300, 1000);
            await SignalAsync(child, "-CONT");
            await PauseAsync(50, 300);
        }

        child.HasExited.ShouldBeFalse("The load ended by itself.");
        child.Kill();
        await child.WaitForExitAsync();
    }

    private Task PauseAsync(int least, int most) =>
        Task.Delay(TimeSpan.FromMilliseconds(_random.Next(least, most)), TimeProvider.System, CancellationToken.None);

    private static async Task SignalAsync(Process process, string signal)
    {
        using var kill = Process.Start("kill", [signal, process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }
}

/// <summary>The loop for a minute; <c>kill-loop --minutes N</c> of this program runs it for longer.</summary>
public sealed class HubKillLoopTests(ITestOutputHelper output)
{
    public const string Verb = "kill-loop";

    [Fact]
    public async Task Nothing_that_was_acknowledged_is_lost_however_often_it_is_killed()
    {
        var (kills, instances) = await RunAsync(TimeSpan.FromMinutes(1), output.WriteLine);

        kills.ShouldBeGreaterThan(2);
        instances.ShouldBeGreaterThan(kills);
    }

    /// <summary>Runs <c>kill-loop [--minutes N] [--seed N]</c>.</summary>
    internal static async Task<int> RunAsync(string[] arguments)
    {
        var minutes = arguments is [_, "--minutes", var text] ? double.Parse(text, CultureInfo.InvariantCulture) : 1;
        await RunAsync(TimeSpan.FromMinutes(minutes), Console.WriteLine);
        return 0;
    }

    private static async Task<(int Kills, int Instances)> RunAsync(TimeSpan time, Action<string> say)
    {
        var seed = Random.Shared.Next();
        using var folder = new HubFolder().Create();
        var loop = new KillLoop(folder.Folder, seed);
        var kills = await loop.RunAsync(time);
        var instances = await loop.CheckAsync();
        say(string.Create(CultureInfo.InvariantCulture, $"{kills} kills, {instances} instances acknowledged and found as they should be; seed {seed}"));
        return (kills, instances);
    }
}

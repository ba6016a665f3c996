using System.Text.Json;
using System.Threading.Channels;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Following;
using Drydock.Cli.Output;
using Drydock.Cli.Verbs;
using Drydock.Simulator.Scenarios;

namespace Drydock.Cli.Demo;

/// <summary>One demonstration: a simulated cluster here, a server in a process of its own, one node from plan to proof.</summary>
internal sealed class DemoRun(DemoOptions options, IOutput output, Terminal terminal)
{
    private static readonly TimeSpan SettlePatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>Runs it.</summary>
    /// <returns>0 only if the cluster is as the scenario expects, and with crashes only if nothing was repeated or extended.</returns>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        using var folder = DemoFolder.Create();
        await using var cluster = await DemoCluster.StartAsync(options.Crash ? WithTimeToCrash(options.Scenario) : options.Scenario, 0, options.Speed, 1, terminal.Clock, cancellationToken);
        var kubeconfig = Path.Combine(folder.Path, "kubeconfig");
        await cluster.WriteKubeconfigAsync(kubeconfig, cancellationToken);
        output.Say(
            "cluster",
            $"Simulated cluster '{options.Scenario.Name}': {options.Scenario.Description}\n  look:  kubectl --kubeconfig {kubeconfig} get nodes,pods,vmi,vmim -A",
            new { scenario = options.Scenario.Name, kubeconfig, address = cluster.Address });
        await using var server = new DemoServer(kubeconfig, Path.Combine(folder.Path, "hub.db"), terminal.Clock);
        await server.StartAsync(cancellationToken);
        output.Say(
            "server",
            $"Server {server.ProcessId} at {server.Address}api/v1\n  look:  drydock list --server {server.Address}\n",
            new { address = server.Address, process = server.ProcessId });
        var isGood = await DemonstrateAsync(cluster, server, cancellationToken);
        if (options.Keep)
        {
            output.Say("kept", "\nCluster and server stay up. Ctrl-C ends both.");
            await cancellationToken.WhenCancelledAsync();
        }

        return isGood ? ExitCodes.Done : ExitCodes.Failed;
    }

    private async Task<bool> DemonstrateAsync(DemoCluster cluster, DemoServer server, CancellationToken cancellationToken)
    {
        var client = DrydockApiClient.For(server.Address, Caller.Name);
        var request = Request();
        var memoryAtRest = server.MemoryBytes;
        var plan = await client.PlanAsync(request, cancellationToken);
        output.Plan(plan);
        cluster.RememberPods(plan.Pods.Where(pod => pod.Verdict == "Evict").Select(pod => (pod.Namespace, pod.Name)));

        var started = await client.CreateMaintenanceAsync(request, null, cancellationToken);
        var (last, crashes) = await FollowAsync(cluster, server, client, started.Id, cancellationToken);
        output.Summary(last);

        var memory = server.MemoryBytes;
        await SettleAsync(cluster, cancellationToken);
        var proof = new Proof([.. cluster.Check(), .. cluster.Repetitions(), OutcomeLine(last)]);
        output.Part("proof", proof, proof.Lines().Prepend(""));
        var isCrashGood = SayCrashes(crashes);
        var numbers = DemoNumbers.From(last, await client.GetHistoryAsync(started.Id, cancellationToken), (memoryAtRest, memory), server.StartUp);
        output.Part("numbers", numbers, numbers.Lines().Prepend(""));
        var isGood = proof.Holds && isCrashGood;
        output.Say("verdict", isGood ? "\nThe expected end was reached." : "\nTHE EXPECTED END WAS NOT REACHED.", new { ok = isGood });
        return isGood;
    }

    /// <summary>A VM that was started again at the end, and pods that came back, take a moment of their own.</summary>
    private async Task SettleAsync(DemoCluster cluster, CancellationToken cancellationToken)
    {
        var from = terminal.Clock.GetTimestamp();
        while (cluster.Check().Any(statement => !statement.Holds) && terminal.Clock.GetElapsedTime(from) < SettlePatience)
        {
            await Task.Delay(LookEvery, terminal.Clock, cancellationToken);
        }
    }

    /// <summary>Migrations long enough that a server that was killed during the eviction is back before they end, on a slow machine too.</summary>
    private static Scenario WithTimeToCrash(Scenario scenario) => scenario with
    {
        VirtualMachines = [.. scenario.VirtualMachines.Select(vm => vm with { Copy = TimeSpan.FromSeconds(Math.Max(vm.Copy.TotalSeconds, 20)) })],
    };

    private MaintenanceCreate Request()
    {
        var request = options.Scenario.Request.Deserialize<MaintenanceCreate>(ApiJson.Strict) ?? new MaintenanceCreate();
        return request with { Node = options.Scenario.Maintain, Reason = request.Reason ?? $"demo of scenario {options.Scenario.Name}" };
    }

    private ProofLine OutcomeLine(MaintenanceView last)
    {
        var expected = options.Scenario.Expect.Outcome ?? nameof(MaintenanceState.Completed);
        return new ProofLine($"the maintenance says {expected}", last.State.ToString(), last.State.ToString().Equals(expected, StringComparison.OrdinalIgnoreCase));
    }

    private async Task<(MaintenanceView Last, IReadOnlyList<CrashReport>? Crashes)> FollowAsync(
        DemoCluster cluster, DemoServer server, DrydockApiClient client, string id, CancellationToken cancellationToken)
    {
        var events = Channel.CreateUnbounded<ProgressEvent>();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var crashing = options.Crash
            ? new CrashDirector(cluster, server, client, id, terminal.Clock, events.Writer).RunAsync(over.Token)
            : null;
        var following = PumpAsync(client, id, crashing, events.Writer, over.Token);
        try
        {
            var last = await output.FollowAsync(events.Reader.ReadAllAsync(cancellationToken), cancellationToken);
            await following;
            return (last!, crashing is null ? null : await crashing);
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    /// <summary>Passes the views on until the maintenance is over. A director that fails ends the demonstration with its own failure.</summary>
    private async Task PumpAsync(
        DrydockApiClient client, string id, Task? crashing, ChannelWriter<ProgressEvent> events, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var progress in new RemoteFollower(client, terminal.Clock).FollowAsync(id, RemoteFollower.UsualPatience, cancellationToken))
            {
                await events.WriteAsync(progress, cancellationToken);
                if (crashing is { IsFaulted: true })
                {
                    await crashing;
                }
            }

            events.Complete();
        }
        catch (Exception exception)
        {
            events.Complete(exception);
        }
    }

    private bool SayCrashes(IReadOnlyList<CrashReport>? crashes)
    {
        if (crashes is null)
        {
            return true;
        }

        const int expected = 2;
        var title = crashes.Count == expected ? "Killed and restarted" : $"KILLED ONLY {crashes.Count} OF {expected} TIMES: the moment did not come";
        output.Part("crashes", crashes, ["", title, .. crashes.SelectMany(crash => crash.Lines())]);
        return crashes.Count == expected && crashes.All(crash => crash.IsGood);
    }
}

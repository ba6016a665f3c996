using System.Diagnostics;
using System.Globalization;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Grpc.Core;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>A process that shares a hub is killed, or stopped: when others take its work, and what it may still do.</summary>
public sealed class PostgreSqlTakeoverTests
{
    public const string Verb = "replica-child";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_work_of_a_killed_process_is_taken_over_long_before_its_lease_is_over()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();
        await using var hub = await PostgreSqlHubs.OpenAsync(address, configure: options => options.Lease = TimeSpan.FromMinutes(10));
        using var child = Start(address, TimeSpan.FromMinutes(10));
        await StartAsync(hub);
        (await child.StandardOutput.ReadLineAsync(Token)).ShouldBe("holding");
        await using var worker = new HandWorker(hub);
        await SeenAsync(hub);

        child.Kill();
        await child.WaitForExitAsync(Token);

        await TakeOverAsync(hub, worker);
    }

    [Fact]
    public async Task What_an_activity_of_a_killed_process_had_said_is_there_for_who_goes_on_with_it()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();
        await using var hub = await PostgreSqlHubs.OpenAsync(address, configure: options => options.Lease = TimeSpan.FromMinutes(10));
        await StartAsync(hub);
        await using (var turns = new HandWorker(hub, new GetWorkItemsRequest { MaxConcurrentActivityWorkItems = 1 }))
        {
            await turns.DoTurnAsync(Act.Schedule(0, "Work"));
        }

        using var child = Start(address, TimeSpan.FromMinutes(10));
        (await child.StandardOutput.ReadLineAsync(Token)).ShouldBe("holding");
        await SeenAsync(hub);
        child.Kill();
        await child.WaitForExitAsync(Token);

        (await hub.GetOpenActivitiesAsync("a", Token)).Single().SerializedProgress.ShouldBe("\"half\"");
        await using var worker = new HandWorker(hub);
        (await worker.NextAsync(Patience)).ActivityRequest.Tags["drydock.progress"].ShouldBe("\"half\"");
    }

    [Fact]
    public async Task A_process_that_was_stopped_for_longer_than_its_lease_commits_nothing_when_it_goes_on()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();
        await using var hub = await PostgreSqlHubs.OpenAsync(address, configure: options => options.Lease = TimeSpan.FromSeconds(2));
        using var child = Start(address, TimeSpan.FromSeconds(2));
        try
        {
            await StartAsync(hub);
            (await child.StandardOutput.ReadLineAsync(Token)).ShouldBe("holding");
            await SignalAsync(child, "-STOP");
            await using var worker = new HandWorker(hub);
            await TakeOverAsync(hub, worker);

            await SignalAsync(child, "-CONT");
            await child.StandardInput.WriteLineAsync("go on");

            (await child.StandardOutput.ReadLineAsync(Token)).ShouldBe(nameof(StatusCode.NotFound));
            (await StateAsync(hub)).Output.ShouldBe("\"taken over\"");
        }
        finally
        {
            child.Kill();
        }
    }

    /// <summary>The other process: takes a turn, or an activity whose progress it tells, says so, and answers it when it is told to: <c>replica-child ADDRESS LEASE-IN-SECONDS</c>.</summary>
    internal static async Task<int> RunAsync(string[] arguments)
    {
        var lease = TimeSpan.FromSeconds(double.Parse(arguments[2], CultureInfo.InvariantCulture));
        await using var hub = await PostgreSqlHubs.OpenAsync(arguments[1], configure: options => options.Lease = lease);
        await using var worker = new HandWorker(hub);
        var item = await worker.NextAsync();
        var token = item.CompletionToken;
        if (item.ActivityRequest is not null)
        {
            await hub.HeartbeatActivityAsync(token, "\"half\"", CancellationToken.None);
            await TaskHubProgress.ToldAsync(hub, "\"half\"");
        }

        Console.WriteLine("holding");
        await Console.In.ReadLineAsync();
        try
        {
            await worker.CompleteAsync(token, Act.Complete(0, "\"late\""));
            Console.WriteLine("taken");
        }
        catch (TaskHubException e)
        {
            Console.WriteLine(e.Status);
        }

        return 0;
    }

    private static Process Start(string address, TimeSpan lease)
    {
        var seconds = lease.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        return Process.Start(new ProcessStartInfo("dotnet", ["exec", typeof(PostgreSqlTakeoverTests).Assembly.Location, Verb, address, seconds])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
        })!;
    }

    /// <summary>Waits until this process has seen the other: only what was there can be missing.</summary>
    private static async Task SeenAsync(PostgreSqlTaskHub hub)
    {
        while (hub.Processes == 1)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        }
    }

    private static async Task TakeOverAsync(ITaskHub hub, HandWorker worker)
    {
        var (_, token) = await worker.TurnAsync(Patience);
        await worker.CompleteAsync(token, Act.Complete(0, "\"taken over\""));
        (await StateAsync(hub)).OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
    }

    private static Task StartAsync(ITaskHub hub) =>
        hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "a", Name = "Orchestrator" }, Token);

    private static async Task<OrchestrationState> StateAsync(ITaskHub hub) =>
        (await hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = "a", GetInputsAndOutputs = true }, Token)).OrchestrationState;

    private static async Task SignalAsync(Process process, string signal)
    {
        using var kill = Process.Start("kill", [signal, process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(Token);
        kill.ExitCode.ShouldBe(0);
    }
}

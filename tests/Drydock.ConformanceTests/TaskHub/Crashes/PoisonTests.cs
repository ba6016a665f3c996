using System.Diagnostics;
using Drydock.DurableTask.Protobuf;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>Work that kills the process it runs in: the process dies of it a few times, and then no more.</summary>
public sealed class PoisonTests : IDisposable
{
    public const string Verb = "poison-child";
    private const int Limit = 2;
    private readonly HubFolder _folder = new HubFolder().Create();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task An_activity_that_kills_the_process_fails_in_the_end()
    {
        var state = await RunUntilItSurvivesAsync(CrashTasks.Survivor);

        state.OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
        state.Output.ShouldBe("\"WorkItemPoisoned\"");
    }

    [Fact]
    public async Task An_orchestrator_that_kills_the_process_fails_in_the_end()
    {
        var state = await RunUntilItSurvivesAsync(CrashTasks.Deadly);

        state.OrchestrationStatus.ShouldBe(OrchestrationStatus.Failed);
        state.FailureDetails.ErrorMessage.ShouldContain("--max-deliveries");
    }

    /// <summary>The process that dies: <c>poison-child FOLDER ORCHESTRATOR</c>.</summary>
    internal static async Task<int> RunAsync(string[] arguments)
    {
        var ledger = new Ledger(arguments[1]);
        await using var host = await CrashHost.StartAsync(arguments[1], ledger, configure: options => options.MaximumDeliveries = Limit);
        await new CrashCalls(host.Client, ledger).RunAsync(arguments[2]);
        return 0;
    }

    private async Task<OrchestrationState> RunUntilItSurvivesAsync(string orchestrator)
    {
        var deaths = 0;
        while (await RunChildAsync(orchestrator) != 0)
        {
            (++deaths).ShouldBeLessThan(Limit + 2, "It still dies of it.");
        }

        // The first time, nobody could know that it is dangerous.
        deaths.ShouldBe(Limit + 1);
        new Ledger(_folder.Folder).Lines().Count(line => line == CrashTasks.Dies).ShouldBe(deaths);
        await using var hub = await _folder.OpenAsync();
        return (await hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = "it", GetInputsAndOutputs = true }, CancellationToken.None)).OrchestrationState;
    }

    private async Task<int> RunChildAsync(string orchestrator)
    {
        using var child = Process.Start(new ProcessStartInfo("dotnet", ["exec", typeof(PoisonTests).Assembly.Location, Verb, _folder.Folder, orchestrator]))!;
        await child.WaitForExitAsync();
        return child.ExitCode;
    }
}

using Drydock.DurableTask;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>A host that stops in the middle: what it had in hand is finished, interrupted, or gone on with by the next one.</summary>
public sealed class WorkerStopTests
{
    [Fact]
    public async Task What_was_running_when_the_host_stopped_goes_on_in_the_next_one()
    {
        var folder = Directory.CreateTempSubdirectory("drydock-engine-");
        string id;
        await using (var first = await EngineHost.StartAsync(Tasks, folder: folder))
        {
            id = await first.Client.ScheduleNewOrchestrationInstanceAsync("Counter", 10);
            await first.Client.WaitForInstanceStartAsync(id);
        }

        await using (var second = await EngineHost.StartAsync(Tasks, folder: folder))
        {
            await second.Client.RaiseEventAsync(id, "Add", 5);
            (await second.EndOfAsync(id)).ReadOutputAs<int>().ShouldBe(15);
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_stopping_worker_lets_an_activity_finish_that_can()
    {
        var gate = new Gate();
        var folder = Directory.CreateTempSubdirectory("drydock-engine-");
        string id;
        await using (var first = await EngineHost.StartAsync(
            Tasks, services: services => services.AddSingleton(gate), folder: folder))
        {
            id = await first.Client.ScheduleNewOrchestrationInstanceAsync("Gated");
            await gate.Entered.Task;
            gate.Opened.SetResult();
        }

        var other = new Gate();
        await using (var second = await EngineHost.StartAsync(
            Tasks, services: services => services.AddSingleton(other), folder: folder))
        {
            (await second.EndOfAsync(id)).ReadOutputAs<string>().ShouldBe("opened");
        }

        other.Entered.Task.IsCompleted.ShouldBeFalse();
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task An_activity_that_cannot_finish_in_time_is_interrupted_and_run_again()
    {
        var gate = new Gate();
        var folder = Directory.CreateTempSubdirectory("drydock-engine-");
        string id;
        await using (var first = await EngineHost.StartAsync(
            Tasks,
            configure: options => options.DrainTimeout = TimeSpan.FromMilliseconds(50),
            services: services => services.AddSingleton(gate),
            folder: folder))
        {
            id = await first.Client.ScheduleNewOrchestrationInstanceAsync("Gated");
            await gate.Entered.Task;
        }

        var other = new Gate();
        other.Opened.SetResult();
        await using (var second = await EngineHost.StartAsync(
            Tasks, services: services => services.AddSingleton(other), folder: folder))
        {
            (await second.EndOfAsync(id)).ReadOutputAs<string>().ShouldBe("opened");
        }

        other.Entered.Task.IsCompleted.ShouldBeTrue();
        folder.Delete(recursive: true);
    }

    private static void Tasks(DurableTaskRegistry tasks)
    {
        tasks.AddActivity<GatedActivity>("Gate");
        tasks.AddOrchestratorFunc<string>("Gated", context => context.CallActivityAsync<string>("Gate"));
        tasks.AddOrchestratorFunc<int, int>("Counter", async (context, sum) => sum + await context.WaitForExternalEvent<int>("add"));
    }

    private sealed class Gate
    {
        public TaskCompletionSource Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Opened { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class GatedActivity(Gate gate) : TaskActivity<object?, string>
    {
        public override async Task<string> RunAsync(TaskActivityContext context, object? input)
        {
            gate.Entered.TrySetResult();
            await gate.Opened.Task.WaitAsync(context.GetCancellationToken());
            return "opened";
        }
    }
}

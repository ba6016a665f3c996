using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.Converters;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>Activities that are told to stop, show that they go on, and are given up.</summary>
public sealed class ActivityLimitTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly TaskCompletionSource _running = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Fact]
    public async Task Terminating_an_orchestration_trips_the_token_of_its_activity()
    {
        await using var host = await EngineHost.StartAsync(tasks => tasks
            .AddOrchestratorFunc<object?>("Orchestrator", context => context.CallActivityAsync<object?>("Endless"))
            .AddActivityFunc<object?>("Endless", EndlessAsync));
        var id = await host.Client.ScheduleNewOrchestrationInstanceAsync("Orchestrator");
        await _running.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);

        await host.Client.TerminateInstanceAsync(id, TestContext.Current.CancellationToken);

        await _stopped.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        (await host.EndOfAsync(id)).RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Terminated);
    }

    [Fact]
    public async Task An_activity_that_was_told_to_stop_leaves_its_place_to_the_next()
    {
        await using var host = await EngineHost.StartAsync(
            tasks => tasks
                .AddOrchestratorFunc<string, object?>("Orchestrator", (context, name) => context.CallActivityAsync<object?>(name))
                .AddActivityFunc<object?>("Endless", EndlessAsync)
                .AddActivityFunc<object?>("Quick", _ => Task.FromResult<object?>("done")),
            configure: options => options.Concurrency.MaximumConcurrentActivityWorkItems = 1);
        var id = await host.Client.ScheduleNewOrchestrationInstanceAsync("Orchestrator", "Endless");
        await _running.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        await host.Client.TerminateInstanceAsync(id, TestContext.Current.CancellationToken);

        (await host.RunAsync("Orchestrator", "Quick")).ReadOutputAs<string>().ShouldBe("done");

        // Nothing is held for ever: otherwise this does not return.
        await host.Services.GetRequiredService<SqliteTaskHub>().WhenIdleAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task An_activity_past_its_limit_fails_is_stopped_and_can_be_retried()
    {
        var attempts = 0;
        await using var host = await EngineHost.StartAsync(tasks => tasks
            .AddOrchestratorFunc<string>("Orchestrator", context => context.CallActivityAsync<string>(
                "SlowAtFirst",
                options: TaskOptions.FromRetryPolicy(new RetryPolicy(50, TimeSpan.FromMilliseconds(1))).WithStartToCloseTimeout(TimeSpan.FromMilliseconds(100))))
            .AddActivityFunc<string>("SlowAtFirst", async context =>
            {
                // The limit holds for each attempt, and one that is quick can meet it too, on a machine that is busy.
                if (Interlocked.Increment(ref attempts) == 1)
                {
                    await EndlessAsync(context);
                }

                return "done";
            }));

        (await host.RunAsync("Orchestrator")).ReadOutputAs<string>().ShouldBe("done");

        await _stopped.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_silent_activity_fails_and_one_that_beats_does_not()
    {
        var clock = new FakeTimeProvider();
        await using var host = await EngineHost.StartAsync(
            tasks => tasks
                .AddOrchestratorFunc<string, string>("Orchestrator", (context, name) => context.CallActivityAsync<string>(
                    name, options: new TaskOptions().WithHeartbeatTimeout(TimeSpan.FromSeconds(2))))
                .AddActivityFunc<string>("Silent", async context =>
                {
                    clock.Advance(TimeSpan.FromSeconds(3));
                    await EndlessAsync(context);
                    return "";
                })
                .AddActivityFunc<string>("Beating", async context =>
                {
                    // Longer than it may be silent.
                    for (var beat = 0; beat < 4; beat++)
                    {
                        await context.HeartbeatAsync(beat);
                        clock.Advance(TimeSpan.FromSeconds(1));
                    }

                    return "done";
                }),
            services: services => services.AddSingleton<TimeProvider>(clock));

        (await host.RunAsync("Orchestrator", "Silent")).FailureDetails!.InnerFailure!.IsCausedBy<TimeoutException>().ShouldBeTrue();
        (await host.RunAsync("Orchestrator", "Beating")).ReadOutputAs<string>().ShouldBe("done");
    }

    [Theory]
    [InlineData(Replaying.Seldom)]
    [InlineData(Replaying.Always)]
    [InlineData(Replaying.Compared)]
    public async Task A_retry_goes_on_from_what_the_attempts_that_failed_had_said(Replaying replaying)
    {
        List<int> begun = [];
        await using var host = await EngineHost.StartAsync(
            tasks => tasks
                .AddOrchestratorFunc<int>("Orchestrator", context => context.CallActivityAsync<int>(
                    "Step", options: TaskOptions.FromRetryPolicy(new RetryPolicy(4, TimeSpan.FromMilliseconds(1)))))
                .AddActivityFunc<int>("Step", async Task<int> (context) =>
                {
                    var from = context.GetProgress<int>();
                    begun.Add(from);
                    if (begun.Count == 3)
                    {
                        // One that said nothing does not take away what was said before.
                        throw new IOException("again");
                    }

                    await context.HeartbeatAsync(from + 10);
                    return begun.Count == 4 ? from : throw new IOException("again");
                }),
            replaying);

        (await host.RunAsync("Orchestrator")).ReadOutputAs<int>().ShouldBe(20);
        begun.ShouldBe([0, 10, 20, 20]);
    }

    [Fact]
    public async Task A_client_reads_how_far_an_activity_has_come()
    {
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await EngineHost.StartAsync(tasks => tasks
            .AddOrchestratorFunc<object?>("Orchestrator", context => context.CallActivityAsync<object?>("Step"))
            .AddActivityFunc<object?>("Step", async context =>
            {
                await context.HeartbeatAsync(42);
                _running.TrySetResult();
                await goOn.Task;
                return null;
            }));
        var id = await host.Client.ScheduleNewOrchestrationInstanceAsync("Orchestrator");
        await _running.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);

        ActivityProgress step;
        do
        {
            // A heartbeat does not wait for the disk.
            step = (await host.Client.GetActivityProgressAsync(id, TestContext.Current.CancellationToken)).Single();
        }
        while (step.ReportedAt is null);

        (step.Name.Name, step.TaskId, step.ReadProgressAs<int>()).ShouldBe(("Step", 0, 42));
        goOn.SetResult();
        await host.EndOfAsync(id);
        (await host.Client.GetActivityProgressAsync(id, TestContext.Current.CancellationToken)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(null, 0)]
    [InlineData("7", 7)]
    public void An_attempt_knows_what_the_one_before_it_had_said(string? said, int progress)
    {
        var request = new ActivityRequest { Name = "Step", OrchestrationInstance = new OrchestrationInstance { InstanceId = "a" } };
        if (said is not null)
        {
            request.Tags[ActivityLimits.ProgressTag] = said;
        }

        using var end = new CancellationTokenSource();
        TaskActivityContext context = new ActivityContext(request, "token", FaultyHub.Around(null!).Hub, JsonDataConverter.Default, end, NullLogger.Instance);

        context.GetProgress<int>().ShouldBe(progress);
    }

    private async Task<object?> EndlessAsync(TaskActivityContext context)
    {
        _running.TrySetResult();
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.GetCancellationToken());
        }
        finally
        {
            _stopped.TrySetResult();
        }

        return null;
    }
}

using System.Collections.Concurrent;
using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>Hub, worker and client together, with orchestrators kept, replayed, and both compared.</summary>
public sealed class TaskHubWorkerTests
{
    [Theory]
    [InlineData(Replaying.Seldom)]
    [InlineData(Replaying.Always)]
    [InlineData(Replaying.Compared)]
    public async Task A_chain_of_activities_gives_its_result(Replaying replaying)
    {
        await using var engine = await EngineHost.StartAsync(Tasks, replaying);

        var end = await engine.RunAsync("Chain", 20);

        end.RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Completed);
        end.ReadOutputAs<int>().ShouldBe(20);
        end.ReadCustomStatusAs<string>().ShouldBe("step 20");
    }

    [Theory]
    [InlineData(Replaying.Seldom)]
    [InlineData(Replaying.Always)]
    [InlineData(Replaying.Compared)]
    public async Task Children_timers_retries_and_fan_out_work_together(Replaying replaying)
    {
        await using var engine = await EngineHost.StartAsync(Tasks, replaying);

        var end = await engine.RunAsync("Everything");

        end.SerializedOutput.ShouldBe("\"10 12 retried child\"");
    }

    [Theory]
    [InlineData(Replaying.Seldom)]
    [InlineData(Replaying.Always)]
    [InlineData(Replaying.Compared)]
    public async Task An_event_reaches_an_orchestration_that_continued_as_new(Replaying replaying)
    {
        await using var engine = await EngineHost.StartAsync(Tasks, replaying);
        var id = await engine.Client.ScheduleNewOrchestrationInstanceAsync("Counter", 0);

        foreach (var i in Enumerable.Range(1, 5))
        {
            await engine.Client.RaiseEventAsync(id, "Add", i);
        }

        (await engine.EndOfAsync(id)).ReadOutputAs<int>().ShouldBe(15);
    }

    [Theory]
    [InlineData(Replaying.Seldom)]
    [InlineData(Replaying.Always)]
    [InlineData(Replaying.Compared)]
    public async Task A_failure_arrives_with_its_causes(Replaying replaying)
    {
        await using var engine = await EngineHost.StartAsync(Tasks, replaying);

        var end = await engine.RunAsync("Fails");

        end.RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Failed);
        end.FailureDetails!.IsCausedBy<TaskFailedException>().ShouldBeTrue();
        end.FailureDetails.InnerFailure!.IsCausedBy<IOException>().ShouldBeTrue();
        end.FailureDetails.InnerFailure.ErrorMessage.ShouldBe("disk");
    }

    [Theory]
    [InlineData(Replaying.Seldom)]
    [InlineData(Replaying.Always)]
    public async Task A_replay_safe_logger_says_each_line_once_however_often_the_code_is_replayed(Replaying replaying)
    {
        var lines = new Lines();
        await using var engine = await EngineHost.StartAsync(
            tasks => tasks
                .AddActivityFunc<int, int>("AddOne", (_, value) => value + 1)
                .AddOrchestratorFunc<int>("Chatty", async context =>
                {
                    var typed = context.CreateReplaySafeLogger<TaskHubWorkerTests>();
                    var named = context.ReplaySafeLoggerFactory.CreateLogger("Chatty");
                    var sum = 0;
                    for (var step = 0; step < 3; step++)
                    {
                        typed.LogWarning("typed {Step}", step);
                        named.LogWarning("named {Step}", step);
                        sum = await context.CallActivityAsync<int>("AddOne", sum);
                    }

                    context.CreateReplaySafeLogger("Chatty").LogWarning("last");
                    return sum;
                }),
            replaying,
            services: services => services.AddSingleton<ILoggerProvider>(lines));

        (await engine.RunAsync("Chatty")).ReadOutputAs<int>().ShouldBe(3);

        lines.Said.ShouldBe(["typed 0", "named 0", "typed 1", "named 1", "typed 2", "named 2", "last"]);
    }

    [Theory]
    [InlineData(Replaying.Always)]
    [InlineData(Replaying.Compared)]
    public async Task What_a_provider_knows_of_exceptions_travels_with_the_failures(Replaying replaying)
    {
        await using var engine = await EngineHost.StartAsync(
            tasks => tasks
                .AddActivityFunc<int>("Disk", Task<int> (_) => throw new InvalidOperationException("no", new IOException("disk") { HResult = 42 }))
                .AddOrchestratorFunc<int>("Fails", async context =>
                {
                    try
                    {
                        return await context.CallActivityAsync<int>("Disk");
                    }
                    catch (TaskFailedException failed)
                    {
                        throw new IOException((string)failed.FailureDetails.InnerFailure!.Properties!["code"]! + "!", failed) { HResult = 7 };
                    }
                }),
            replaying,
            services: services => services.AddSingleton<IExceptionPropertiesProvider, CodesOfExceptions>());

        var end = await engine.RunAsync("Fails");

        end.FailureDetails!.ErrorMessage.ShouldBe("code 42!");
        end.FailureDetails.Properties!["code"].ShouldBe("code 7");
    }

    [Fact]
    public async Task Suspended_it_waits_and_resumed_it_goes_on()
    {
        await using var engine = await EngineHost.StartAsync(Tasks, Replaying.Compared);
        var id = await engine.Client.ScheduleNewOrchestrationInstanceAsync("Counter", 14);
        await engine.Client.WaitForInstanceStartAsync(id);

        await engine.Client.SuspendInstanceAsync(id);
        await engine.Client.RaiseEventAsync(id, "Add", 1);
        await engine.Client.ResumeInstanceAsync(id);

        (await engine.EndOfAsync(id)).ReadOutputAs<int>().ShouldBe(15);
    }

    [Fact]
    public async Task A_terminated_orchestration_has_the_output_it_was_given()
    {
        await using var engine = await EngineHost.StartAsync(Tasks);
        var id = await engine.Client.ScheduleNewOrchestrationInstanceAsync("Counter", 0);

        await engine.Client.TerminateInstanceAsync(id, "enough");

        var end = await engine.EndOfAsync(id);
        end.RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Terminated);
        end.ReadOutputAs<string>().ShouldBe("enough");
    }

    [Fact]
    public async Task An_instance_of_a_newer_version_fails_if_the_worker_is_told_so()
    {
        await using var engine = await EngineHost.StartAsync(Tasks, services: services => services
            .AddDurableTaskWorker()
            .UseVersioning(new DurableTaskWorkerOptions.VersioningOptions
            {
                Version = "1.0",
                MatchStrategy = DurableTaskWorkerOptions.VersionMatchStrategy.CurrentOrOlder,
                FailureStrategy = DurableTaskWorkerOptions.VersionFailureStrategy.Fail,
            }));

        var end = await engine.RunAsync("Chain", 1, new StartOrchestrationOptions { Version = "1.1" });

        end.FailureDetails!.ErrorType.ShouldBe("VersionMismatch");
        (await engine.RunAsync("Chain", 1, new StartOrchestrationOptions { Version = "0.9" })).IsCompleted.ShouldBeTrue();
    }

    [Fact]
    public async Task Workers_with_filters_get_only_what_is_registered_with_them()
    {
        await using var engine = await EngineHost.StartAsync(
            static tasks => tasks.AddOrchestratorFunc<string>("One", static context => context.CallActivityAsync<string>("Step")),
            services: services =>
            {
                services.AddDurableTaskWorker().UseWorkItemFilters();
                services.AddDurableTaskWorker("other", worker => worker
                    .AddTasks(static tasks => tasks
                        .AddOrchestratorFunc<string>("Two", static _ => Task.FromResult("two"))
                        .AddActivityFunc<string>("Step", static _ => Task.FromResult("step")))
                    .UseTaskHub()
                    .UseWorkItemFilters());
            });

        // Without the filters, one of the two would fail what only the other knows.
        for (var i = 0; i < 5; i++)
        {
            (await engine.RunAsync("One")).ReadOutputAs<string>().ShouldBe("step");
            (await engine.RunAsync("Two")).ReadOutputAs<string>().ShouldBe("two");
        }
    }

    [Fact]
    public async Task Tags_go_with_an_instance_and_its_parts()
    {
        await using var engine = await EngineHost.StartAsync(tasks => tasks
            .AddOrchestratorFunc("Parent", static context => context.CallSubOrchestratorAsync(
                "Part", options: new SubOrchestrationOptions(new TaskOptions(tags: new Dictionary<string, string> { ["kind"] = "part" }), "parent.part")))
            .AddOrchestratorFunc("Part", static _ => Task.CompletedTask));

        var end = await engine.RunAsync(
            "Parent", options: new StartOrchestrationOptions("parent") { Tags = new Dictionary<string, string> { ["team"] = "docks", ["kind"] = "whole" } });

        (end.Tags["team"], end.Tags["kind"]).ShouldBe(("docks", "whole"));
        (await engine.Client.GetInstanceAsync("parent.part"))!.Tags["kind"].ShouldBe("part");
    }

    [Fact]
    public async Task A_taken_id_is_refused_where_it_must_not_be_replaced()
    {
        await using var engine = await EngineHost.StartAsync(Tasks);
        await engine.RunAsync("Chain", 1, new StartOrchestrationOptions("one"));

        var again = new StartOrchestrationOptions("one").WithDedupeStatuses(OrchestrationRuntimeStatus.Completed);

        await Should.ThrowAsync<OrchestrationAlreadyExistsException>(
            () => engine.Client.ScheduleNewOrchestrationInstanceAsync("Chain", 1, again));
    }

    [Fact]
    public async Task What_nobody_registered_fails_for_good()
    {
        await using var engine = await EngineHost.StartAsync(Tasks);

        (await engine.RunAsync("Nothing")).FailureDetails!.ErrorType.ShouldBe("OrchestratorTaskNotFound");
        (await engine.RunAsync("CallsNothing")).FailureDetails!.InnerFailure!.ErrorType.ShouldBe("ActivityTaskNotFound");
    }

    private static void Tasks(DurableTaskRegistry tasks)
    {
        tasks.AddActivityFunc<int, int>("AddOne", (_, n) => n + 1);
        tasks.AddActivityFunc<string>("Disk", Task<string> (_) => throw new IOException("disk"));
        tasks.AddActivityFunc("Flaky", Flaky());
        tasks.AddOrchestratorFunc<int, int>("Chain", async (context, length) =>
        {
            var n = 0;
            for (var i = 0; i < length; i++)
            {
                n = await context.CallActivityAsync<int>("AddOne", n);
                context.SetCustomStatus($"step {n}");
            }

            return n;
        });
        tasks.AddOrchestratorFunc<string>("Child", async context =>
        {
            await context.CreateTimer(TimeSpan.FromMilliseconds(20), CancellationToken.None);
            return "child";
        });
        tasks.AddOrchestratorFunc<string>("Everything", EverythingAsync);
        tasks.AddOrchestratorFunc<int, int>("Counter", async (context, sum) =>
        {
            sum += await context.WaitForExternalEvent<int>("add");
            if (sum < 15)
            {
                context.ContinueAsNew(sum);
            }

            return sum;
        });
        tasks.AddOrchestratorFunc("Fails", context => context.CallActivityAsync("Disk"));
        tasks.AddOrchestratorFunc("CallsNothing", context => context.CallActivityAsync("Nothing"));
    }

    private static async Task<string> EverythingAsync(TaskOrchestrationContext context)
    {
        var child = context.CallSubOrchestratorAsync<string>("Child");
        var chain = context.CallSubOrchestratorAsync<int>("Chain", 10);
        var retried = context.CallActivityAsync<string>(
            "Flaky", TaskOptions.FromRetryPolicy(new RetryPolicy(5, TimeSpan.FromMilliseconds(5))));
        var sums = await Task.WhenAll(Enumerable.Range(0, 12).Select(n => context.CallActivityAsync<int>("AddOne", n)));
        return $"{await chain} {sums[^1]} {await retried} {await child}";
    }

    // Fails twice in each engine.
    private static Func<TaskActivityContext, string> Flaky()
    {
        var attempts = 0;
        return _ => Interlocked.Increment(ref attempts) > 2 ? "retried" : throw new TimeoutException("not yet");
    }

    private sealed class CodesOfExceptions : IExceptionPropertiesProvider
    {
        public IDictionary<string, object?>? GetExceptionProperties(Exception exception) =>
            exception is IOException ? new Dictionary<string, object?>(StringComparer.Ordinal) { ["code"] = $"code {exception.HResult}" } : null;
    }

    /// <summary>What was logged under the categories of the test.</summary>
    private sealed class Lines : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _said = new();

        public IEnumerable<string> Said => _said;

        public ILogger CreateLogger(string categoryName) =>
            categoryName == "Chatty" || categoryName == typeof(TaskHubWorkerTests).FullName ? this : NullLogger.Instance;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _said.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}

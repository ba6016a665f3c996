using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.Client.Entities;
using Drydock.DurableTask.Entities;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>Entities of ours: as classes, from orchestrations and from clients; live and replayed.</summary>
public sealed class EntityTests
{
    private static readonly EntityInstanceId One = new("Counter", "one");

    [Theory]
    [InlineData(Replaying.Seldom)]
    [InlineData(Replaying.Always)]
    [InlineData(Replaying.Compared)]
    public async Task An_orchestration_calls_signals_and_hears_of_failures(Replaying replaying)
    {
        await using var host = await StartAsync(replaying, tasks => tasks.AddOrchestratorFunc<string>("Orchestrator", async context =>
        {
            await context.Entities.SignalEntityAsync(One, "Add", 1);
            var sum = await context.Entities.CallEntityAsync<int>(One, "add", 2);
            try
            {
                await context.Entities.CallEntityAsync(One, "break", 100);
                return "it did not fail";
            }
            catch (EntityOperationFailedException failure)
            {
                var after = await context.Entities.CallEntityAsync<int>(One, "Get");
                return $"{sum} {after} {failure.OperationName} {failure.FailureDetails.ErrorMessage}";
            }
        }));

        (await RunAsync(host)).ShouldBe("3 3 break it breaks");
    }

    [Fact]
    public async Task Operations_come_in_the_older_form_too()
    {
        await using var host = await StartAsync(
            Replaying.Seldom,
            tasks => tasks.AddOrchestratorFunc<string>("Orchestrator", async context =>
            {
                await context.Entities.SignalEntityAsync(One, "Add", 1);
                try
                {
                    await context.Entities.CallEntityAsync(One, "break", 100);
                    return "it did not fail";
                }
                catch (EntityOperationFailedException failure)
                {
                    return $"{await context.Entities.CallEntityAsync<int>(One, "Add", 2)} {failure.FailureDetails.ErrorMessage}";
                }
            }),
            services => services.AddSingleton(static provider => OldFormHub.Around(provider.GetRequiredService<SqliteTaskHub>())));

        (await RunAsync(host)).ShouldBe("3 it breaks");
    }

    [Theory]
    [InlineData(Replaying.Seldom)]
    [InlineData(Replaying.Always)]
    public async Task Orchestrations_that_lock_do_not_lose_each_others_steps(Replaying replaying)
    {
        await using var host = await StartAsync(replaying, tasks => tasks.AddOrchestratorFunc<int>("Orchestrator", async context =>
        {
            await using (await context.Entities.LockEntitiesAsync(One, new EntityInstanceId("Counter", "two")))
            {
                context.Entities.InCriticalSection().ShouldBeTrue();
                var before = await context.Entities.CallEntityAsync<int>(One, "Get");
                await context.CreateTimer(TimeSpan.FromMilliseconds(20), CancellationToken.None);
                var now = await context.Entities.CallEntityAsync<int>(One, "Get");
                await context.Entities.CallEntityAsync<int>(One, "Add", before == now ? 1 : 100);
                return now;
            }
        }));
        var ids = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => host.Client.ScheduleNewOrchestrationInstanceAsync("Orchestrator")));

        var results = await Task.WhenAll(ids.Select(async id => (await host.EndOfAsync(id)).ReadOutputAs<int>()));

        results.Order().ShouldBe([0, 1, 2, 3, 4]);
    }

    [Fact]
    public async Task A_lock_is_free_when_its_orchestration_fails_in_the_critical_section()
    {
        await using var host = await StartAsync(Replaying.Seldom, tasks => tasks
            .AddOrchestratorFunc<int>("Fails", async context =>
            {
                await context.Entities.LockEntitiesAsync(One);
                throw new InvalidOperationException("in the middle");
            })
            .AddOrchestratorFunc<int>("Orchestrator", context => context.Entities.CallEntityAsync<int>(One, "Add", 1)));

        (await host.RunAsync("Fails")).RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Failed);

        (await RunAsync(host)).ShouldBe("1");
    }

    [Fact]
    public async Task In_a_critical_section_only_what_is_locked_is_called()
    {
        await using var host = await StartAsync(Replaying.Seldom, tasks => tasks.AddOrchestratorFunc<string>("Orchestrator", async context =>
        {
            await using var section = await context.Entities.LockEntitiesAsync(One);
            List<string> refusals = [];
            foreach (var attempt in new Func<Task>[]
            {
                () => context.Entities.CallEntityAsync(new EntityInstanceId("Counter", "two"), "Get"),
                () => context.Entities.SignalEntityAsync(One, "Add", 1),
                () => context.Entities.LockEntitiesAsync(One),
                () => context.CallSubOrchestratorAsync("Orchestrator"),
            })
            {
                try
                {
                    await attempt();
                }
                catch (InvalidOperationException refusal)
                {
                    refusals.Add(refusal.Message);
                }
            }

            return refusals.Count.ToString();
        }));

        (await RunAsync(host)).ShouldBe("4");
    }

    [Fact]
    public async Task A_client_signals_reads_queries_and_cleans()
    {
        await using var host = await StartAsync(Replaying.Seldom, static _ => { });
        var entities = host.Client.Entities;
        await entities.SignalEntityAsync(One, "Add", 5, cancellation: TestContext.Current.CancellationToken);
        await UntilAsync(async () => (await entities.GetEntityAsync<int>(One))?.State == 5);

        (await entities.GetAllEntitiesAsync(new EntityQuery { InstanceIdStartsWith = "Counter" }).ToListAsync(TestContext.Current.CancellationToken))
            .Single().State.ReadAs<int>().ShouldBe(5);
        await entities.SignalEntityAsync(One, "delete", TestContext.Current.CancellationToken);
        await UntilAsync(async () => await entities.GetEntityAsync(One) is null);
        (await entities.CleanEntityStorageAsync()).EmptyEntitiesRemoved.ShouldBe(1);
    }

    [Fact]
    public async Task An_entity_starts_orchestrations_and_signals_others()
    {
        await using var host = await StartAsync(Replaying.Seldom, tasks => tasks.AddOrchestratorFunc<string, string>("Started", (_, input) => Task.FromResult(input + "!")));

        await host.Client.Entities.SignalEntityAsync(One, "Start", "orchestration-1", cancellation: TestContext.Current.CancellationToken);

        (await host.EndOfAsync("orchestration-1")).ReadOutputAs<string>().ShouldBe("hello!");
        await UntilAsync(async () => (await host.Client.Entities.GetEntityAsync<int>(new EntityInstanceId("Counter", "two")))?.State == 7);
    }

    private static Task<EngineHost> StartAsync(
        Replaying replaying, Action<DurableTaskRegistry> tasks, Action<IServiceCollection>? more = null) => EngineHost.StartAsync(
        registry =>
        {
            registry.AddEntity<Counter>();
            tasks(registry);
        },
        replaying,
        services: services =>
        {
            services.AddDurableTaskWorker().Configure(static options => options.EnableEntitySupport = true);
            services.AddDurableTaskClient().Configure(static options => options.EnableEntitySupport = true);
            more?.Invoke(services);
        });

    private static async Task<string> RunAsync(EngineHost host)
    {
        var end = await host.RunAsync("Orchestrator");
        end.RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Completed, end.FailureDetails?.ToString());
        return end.SerializedOutput!.Trim('"');
    }

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var attempt = 0; !await isSo(); attempt++)
        {
            attempt.ShouldBeLessThan(400);
            await Task.Delay(TimeSpan.FromMilliseconds(25), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

#pragma warning disable CA1822 // Operations are methods of the entity.
    private sealed class Counter : TaskEntity<int>
    {
        public int Add(int amount) => State += amount;

        public Task<int> Get() => Task.FromResult(State);

        public void Break(int amount)
        {
            State += amount;
            throw new InvalidOperationException("it breaks");
        }

        public void Start(string id)
        {
            Context.ScheduleNewOrchestration("Started", "hello", new StartOrchestrationOptions(id));
            Context.SignalEntity(new EntityInstanceId("Counter", "two"), "Add", 7);
        }
    }
#pragma warning restore CA1822
}

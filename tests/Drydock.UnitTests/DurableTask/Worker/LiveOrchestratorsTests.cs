using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.TaskHub;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Worker;

public sealed class LiveOrchestratorsTests
{
    private int _created;
    private FaultyHub? _faults;

    [Fact]
    public async Task A_chain_of_activities_needs_one_orchestrator()
    {
        await using var engine = await EngineHost.StartAsync(Tasks);

        (await engine.RunAsync("Chain", 10)).ReadOutputAs<int>().ShouldBe(10);

        _created.ShouldBe(1);
    }

    [Fact]
    public async Task Switched_off_every_turn_needs_one()
    {
        await using var engine = await EngineHost.StartAsync(Tasks, Replaying.Always);

        (await engine.RunAsync("Chain", 10)).ReadOutputAs<int>().ShouldBe(10);

        _created.ShouldBe(11);
    }

    [Fact]
    public async Task With_room_for_one_many_at_once_still_come_to_their_end()
    {
        await using var engine = await EngineHost.StartAsync(Tasks, configure: options => options.MaximumLiveOrchestrators = 1);

        var ends = await Task.WhenAll(Enumerable.Range(1, 8).Select(n => engine.RunAsync("Chain", n)));

        ends.Select(static end => end.ReadOutputAs<int>()).ShouldBe(Enumerable.Range(1, 8));
        _created.ShouldBeGreaterThan(8);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_turn_whose_commit_was_not_acknowledged_is_repeated_or_was_done_but_never_both(bool afterEffect)
    {
        await using var engine = await EngineHost.StartAsync(Tasks, services: UseFaultyHub);
        _faults!.Fail(nameof(ITaskHub.CompleteOrchestratorTaskAsync), StatusCode.Unavailable, afterEffect);

        var end = await engine.RunAsync("Chain", 5);

        end.RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Completed);
        end.ReadOutputAs<int>().ShouldBe(5);
    }

    [Fact]
    public async Task A_turn_that_the_hub_refuses_is_forgotten_and_taken_again()
    {
        await using var engine = await EngineHost.StartAsync(Tasks, services: UseFaultyHub);
        _faults!.Fail(nameof(ITaskHub.CompleteOrchestratorTaskAsync), StatusCode.PermissionDenied);

        (await engine.RunAsync("Chain", 5)).ReadOutputAs<int>().ShouldBe(5);

        _created.ShouldBe(2);
        _faults.Calls(nameof(ITaskHub.AbandonOrchestratorTaskAsync)).ShouldBe(1);
    }

    [Fact]
    public async Task A_lost_stream_is_opened_again()
    {
        await using var engine = await EngineHost.StartAsync(Tasks, services: services =>
        {
            UseFaultyHub(services);
            _faultsAtStart = faults =>
            {
                faults.Fail(nameof(ITaskHub.HelloAsync), StatusCode.Unavailable);
                faults.Fail(nameof(ITaskHub.GetWorkItemsAsync), StatusCode.Unavailable);
            };
        });

        (await engine.RunAsync("Chain", 2)).ReadOutputAs<int>().ShouldBe(2);

        _faults!.Calls(nameof(ITaskHub.HelloAsync)).ShouldBe(3);
    }

    private Action<FaultyHub>? _faultsAtStart;

    private void UseFaultyHub(IServiceCollection services) => services.AddSingleton(provider =>
    {
        (var hub, _faults) = FaultyHub.Around(provider.GetRequiredService<SqliteTaskHub>());
        _faultsAtStart?.Invoke(_faults);
        return hub;
    });

    private void Tasks(DurableTaskRegistry tasks)
    {
        tasks.AddActivityFunc<int, int>("AddOne", (_, n) => n + 1);
        tasks.AddOrchestrator("Chain", () =>
        {
            Interlocked.Increment(ref _created);
            return FuncTaskOrchestrator.Create<int, int>(ChainAsync);
        });
    }

    private static async Task<int> ChainAsync(TaskOrchestrationContext context, int length)
    {
        var n = 0;
        for (var i = 0; i < length; i++)
        {
            n = await context.CallActivityAsync<int>("AddOne", n);
        }

        return n;
    }
}

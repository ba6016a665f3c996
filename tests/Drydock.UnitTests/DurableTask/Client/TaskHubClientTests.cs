using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.UnitTests.DurableTask.Worker;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Client;

public sealed class TaskHubClientTests
{
    [Fact]
    public async Task Instances_are_read_page_by_page_until_there_are_no_more()
    {
        await using var engine = await EngineHost.StartAsync(Tasks);
        var ids = Enumerable.Range(0, 5).Select(static i => $"page-{i}").ToList();
        await Task.WhenAll(ids.Select(id => engine.RunAsync("Echo", id, new StartOrchestrationOptions(id))));
        await engine.RunAsync("Echo", "x", new StartOrchestrationOptions("other"));

        var query = new OrchestrationQuery(InstanceIdPrefix: "page-", PageSize: 2, FetchInputsAndOutputs: true);
        var pages = await engine.Client.GetAllInstancesAsync(query).AsPages().ToListAsync();
        var all = await engine.Client.GetAllInstancesAsync(query).ToListAsync();

        pages.Select(static page => page.Values.Count).ShouldBe([2, 2, 1]);
        all.Select(static instance => instance.ReadOutputAs<string>()).Order().ShouldBe(ids);
    }

    [Fact]
    public async Task Texts_are_only_there_if_they_were_asked_for()
    {
        await using var engine = await EngineHost.StartAsync(Tasks);
        await engine.RunAsync("Echo", "x", new StartOrchestrationOptions("one") { Tags = new Dictionary<string, string> { ["k"] = "v" } });

        var without = await engine.Client.GetInstanceAsync("one");
        var with = await engine.Client.GetInstanceAsync("one", getInputsAndOutputs: true);

        without!.SerializedInput.ShouldBeNull();
        without.Tags["k"].ShouldBe("v");
        with!.ReadInputAs<string>().ShouldBe("x");
        (await engine.Client.GetInstanceAsync("nobody")).ShouldBeNull();
    }

    [Fact]
    public async Task Ids_of_ended_instances_are_listed_page_by_page()
    {
        await using var engine = await EngineHost.StartAsync(static tasks => tasks
            .AddOrchestratorFunc<string>("Ends", static _ => Task.FromResult("x"))
            .AddOrchestratorFunc<string>("Waits", static context => context.WaitForExternalEvent<string>("never")));
        await engine.Client.ScheduleNewOrchestrationInstanceAsync("Waits", new StartOrchestrationOptions("waits"), TestContext.Current.CancellationToken);
        foreach (var id in new[] { "a", "b", "c" })
        {
            await engine.RunAsync("Ends", options: new StartOrchestrationOptions(id));
        }

        var first = await engine.Client.ListInstanceIdsAsync(pageSize: 2, cancellation: TestContext.Current.CancellationToken);
        var second = await engine.Client.ListInstanceIdsAsync(
            pageSize: 2, lastInstanceKey: first.ContinuationToken, cancellation: TestContext.Current.CancellationToken);

        first.Values.ShouldBe(["a", "b"]);
        second.Values.ShouldBe(["c"]);
        second.ContinuationToken.ShouldBeNull();
        (await engine.Client.ListInstanceIdsAsync([OrchestrationRuntimeStatus.Failed], cancellation: TestContext.Current.CancellationToken)).Values.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_purge_by_filter_that_has_no_time_left_says_that_it_is_not_complete()
    {
        await using var engine = await EngineHost.StartAsync(Tasks);
        await engine.RunAsync("Echo", "x", new StartOrchestrationOptions("one"));

        var stopped = await engine.Client.PurgeAllInstancesAsync(new PurgeInstancesFilter { Timeout = TimeSpan.Zero }, TestContext.Current.CancellationToken);
        var ended = await engine.Client.PurgeAllInstancesAsync(new PurgeInstancesFilter { Timeout = TimeSpan.FromMinutes(5) }, TestContext.Current.CancellationToken);

        (stopped.PurgedInstanceCount, stopped.IsComplete).ShouldBe((0, false));
        (ended.PurgedInstanceCount, ended.IsComplete).ShouldBe((1, true));
    }

    [Fact]
    public async Task Purged_instances_are_gone()
    {
        await using var engine = await EngineHost.StartAsync(Tasks);
        await engine.RunAsync("Echo", "x", new StartOrchestrationOptions("one"));

        (await engine.Client.PurgeInstanceAsync("one")).PurgedInstanceCount.ShouldBe(1);

        (await engine.Client.GetInstanceAsync("one")).ShouldBeNull();
    }

    [Fact]
    public async Task An_event_for_an_orchestration_needs_a_name() =>
        await Should.ThrowAsync<ArgumentException>(async () =>
        {
            await using var engine = await EngineHost.StartAsync(Tasks);
            await engine.Client.RaiseEventAsync("one", string.Empty);
        });

    private static void Tasks(DurableTaskRegistry tasks) =>
        tasks.AddOrchestratorFunc<string, string>("Echo", Task<string> (_, input) => Task.FromResult(input));
}

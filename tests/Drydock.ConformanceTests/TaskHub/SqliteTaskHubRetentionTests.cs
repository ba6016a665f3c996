using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>What is not kept for ever.</summary>
public sealed class SqliteTaskHubRetentionTests
{
    [Fact]
    public async Task Finished_orchestrations_go_with_their_parts_when_their_time_is_over()
    {
        using var folder = new HubFolder().Create();
        var clock = new FakeTimeProvider();
        await using var hub = await folder.OpenAsync(clock, options => options.Retention[OrchestrationStatus.Completed] = TimeSpan.FromDays(7));
        await using (var worker = new HandWorker(hub))
        {
            foreach (var id in (string[])["old", "failed", "running"])
            {
                await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "Orchestrator" }, TestContext.Current.CancellationToken);
                await worker.DoTurnAsync(id == "old" ? Act.Child(0, "part") : id == "failed" ? Act.Fail(0, "bad") : Act.Timer(0, clock.GetUtcNow().AddDays(90)));
                if (id == "old")
                {
                    await worker.DoTurnAsync(Act.Complete(0));
                    await worker.DoTurnAsync(Act.Complete(1));
                }
            }
        }

        (await hub.ApplyRetentionAsync(TestContext.Current.CancellationToken)).ShouldBe(0);
        clock.Advance(TimeSpan.FromDays(8));
        await hub.ApplyRetentionAsync(TestContext.Current.CancellationToken);

        var left = await hub.QueryInstancesAsync(new QueryInstancesRequest(), TestContext.Current.CancellationToken);
        left.OrchestrationState.Select(state => state.InstanceId).ShouldBe(["failed", "running"]);
    }

    [Fact]
    public async Task The_hub_looks_every_hour_by_itself_and_each_way_to_end_has_its_own_time()
    {
        using var folder = new HubFolder().Create();
        var clock = new FakeTimeProvider();
        await using var hub = await folder.OpenAsync(clock, options =>
        {
            options.Retention[OrchestrationStatus.Completed] = TimeSpan.FromDays(7);
            options.Retention[OrchestrationStatus.Failed] = TimeSpan.FromDays(30);
        });
        await using (var worker = new HandWorker(hub))
        {
            foreach (var (id, end) in new[] { ("completed", Act.Complete(0)), ("failed", Act.Fail(0, "bad")), ("terminated", Act.Terminated(0)) })
            {
                await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "Orchestrator" }, TestContext.Current.CancellationToken);
                await worker.DoTurnAsync(end);
            }
        }

        clock.Advance(TimeSpan.FromDays(6));
        (await LeftAsync(hub, 3)).ShouldBe(["completed", "failed", "terminated"]);
        clock.Advance(TimeSpan.FromDays(2));
        (await LeftAsync(hub, 2)).ShouldBe(["failed", "terminated"]);
        clock.Advance(TimeSpan.FromDays(30));
        (await LeftAsync(hub, 1)).ShouldBe(["terminated"]);
    }

    /// <summary>What is left when there are so few; the hub's timer does not say when it is done.</summary>
    private static async Task<List<string>> LeftAsync(SqliteTaskHub hub, int count)
    {
        while (true)
        {
            var left = (await hub.QueryInstancesAsync(new QueryInstancesRequest(), TestContext.Current.CancellationToken)).OrchestrationState;
            if (left.Count <= count)
            {
                return [.. left.Select(state => state.InstanceId)];
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}

using Drydock.DurableTask.Protobuf;
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
}

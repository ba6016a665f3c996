using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>What is not kept for ever.</summary>
public abstract class TaskHubRetention
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Opens an empty hub.</summary>
    protected abstract Task<EmbeddedTaskHub> OpenAsync(TimeProvider clock, Action<TaskHubOptions> configure);

    [Fact]
    public async Task Finished_orchestrations_go_with_their_parts_when_their_time_is_over()
    {
        var clock = new FakeTimeProvider();
        await using var hub = await OpenAsync(clock, options => options.Retention[OrchestrationStatus.Completed] = TimeSpan.FromDays(7));
        await using (var worker = new HandWorker(hub))
        {
            foreach (var id in (string[])["old", "failed", "running"])
            {
                await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "Orchestrator" }, Token);
                await worker.DoTurnAsync(id == "old" ? Act.Child(0, "part") : id == "failed" ? Act.Fail(0, "bad") : Act.Timer(0, clock.GetUtcNow().AddDays(90)));
                if (id == "old")
                {
                    await worker.DoTurnAsync(Act.Complete(0));
                    await worker.DoTurnAsync(Act.Complete(1));
                }
            }
        }

        (await hub.ApplyRetentionAsync(Token)).ShouldBe(0);
        clock.Advance(TimeSpan.FromDays(8));
        await hub.ApplyRetentionAsync(Token);

        var left = await hub.QueryInstancesAsync(new QueryInstancesRequest(), Token);
        left.OrchestrationState.Select(state => state.InstanceId).ShouldBe(["failed", "running"]);
    }

    [Fact]
    public async Task The_hub_looks_every_hour_by_itself_and_each_way_to_end_has_its_own_time()
    {
        var clock = new FakeTimeProvider();
        await using var hub = await OpenAsync(clock, options =>
        {
            options.Retention[OrchestrationStatus.Completed] = TimeSpan.FromDays(7);
            options.Retention[OrchestrationStatus.Failed] = TimeSpan.FromDays(30);
        });
        await using (var worker = new HandWorker(hub))
        {
            foreach (var (id, end) in new[] { ("completed", Act.Complete(0)), ("failed", Act.Fail(0, "bad")), ("terminated", Act.Terminated(0)) })
            {
                await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "Orchestrator" }, Token);
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

    [Fact]
    public async Task Parts_that_belong_to_nobody_any_more_go_by_themselves()
    {
        var clock = new FakeTimeProvider();
        await using var hub = await OpenAsync(clock, options => options.Retention[OrchestrationStatus.Completed] = TimeSpan.FromDays(7));
        await using var worker = new HandWorker(hub);
        await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "purged", Name = "Orchestrator" }, Token);
        await worker.DoTurnAsync(Act.Child(0, "orphan"));
        await worker.DoTurnAsync(Act.Complete(0));
        await worker.DoTurnAsync(Act.Complete(1));
        await hub.PurgeInstancesAsync(new PurgeInstancesRequest { InstanceId = "purged" }, Token);
        await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "eternal", Name = "Orchestrator" }, Token);
        await worker.DoTurnAsync(Act.Child(0, "of an earlier execution"));
        await worker.DoTurnAsync(Act.Complete(0));
        await worker.DoTurnAsync(Act.ContinueAsNew(1, null));
        await worker.DoTurnAsync(Act.Child(0, "of this execution"));
        await worker.DoTurnAsync(Act.Complete(0));
        await worker.DoTurnAsync(Act.Timer(1, clock.GetUtcNow().AddDays(90)));
        (await hub.ApplyRetentionAsync(Token)).ShouldBe(0);

        clock.Advance(TimeSpan.FromDays(8));
        await hub.ApplyRetentionAsync(Token);

        (await LeftAsync(hub, 2)).ShouldBe(["eternal", "of this execution"]);
    }

    [Fact]
    public async Task Events_for_an_instance_that_never_came_are_not_kept_for_its_id_for_ever()
    {
        var clock = new FakeTimeProvider();
        await using var hub = await OpenAsync(clock, options =>
        {
            options.Retention[OrchestrationStatus.Failed] = TimeSpan.FromDays(7);
            options.Retention[OrchestrationStatus.Completed] = TimeSpan.FromDays(1);
        });
        await RaiseAsync(hub, "never");
        await RaiseAsync(hub, "later");
        clock.Advance(TimeSpan.FromDays(5));
        await RaiseAsync(hub, "later");
        await hub.ApplyRetentionAsync(Token);
        clock.Advance(TimeSpan.FromDays(5));

        await hub.ApplyRetentionAsync(Token);

        await using var worker = new HandWorker(hub);
        await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "never", Name = "Orchestrator" }, Token);
        (await worker.DoTurnAsync(Act.Complete(0))).NewEvents.ShouldNotContain(e => e.EventRaised != null);
        await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "later", Name = "Orchestrator" }, Token);
        (await worker.DoTurnAsync(Act.Complete(0))).NewEvents.Count(e => e.EventRaised is not null).ShouldBe(2);
    }

    private static Task RaiseAsync(EmbeddedTaskHub hub, string id) => hub.RaiseEventAsync(new RaiseEventRequest { InstanceId = id, Name = "x" }, Token);

    /// <summary>What is left when there are so few; the hub's timer does not say when it is done.</summary>
    private static async Task<List<string>> LeftAsync(EmbeddedTaskHub hub, int count)
    {
        while (true)
        {
            var left = (await hub.QueryInstancesAsync(new QueryInstancesRequest(), Token)).OrchestrationState;
            if (left.Count <= count)
            {
                return [.. left.Select(state => state.InstanceId)];
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
        }
    }
}

public sealed class SqliteTaskHubRetention : TaskHubRetention, IDisposable
{
    private readonly HubFolder _folder = new HubFolder().Create();

    public void Dispose() => _folder.Dispose();

    protected override async Task<EmbeddedTaskHub> OpenAsync(TimeProvider clock, Action<TaskHubOptions> configure) =>
        await _folder.OpenAsync(clock, configure);
}

public sealed class PostgreSqlTaskHubRetention : TaskHubRetention
{
    protected override async Task<EmbeddedTaskHub> OpenAsync(TimeProvider clock, Action<TaskHubOptions> configure) =>
        await PostgreSqlHubs.OpenAsync(PostgreSqlServer.Shared.NewDatabase(), clock, configure);
}

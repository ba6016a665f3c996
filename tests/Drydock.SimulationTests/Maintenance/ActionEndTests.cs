using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Actions that end otherwise than by themselves: nothing that they began goes on afterwards.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ActionEndTests
{
    private const string Hours = """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"36000"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";

    private static readonly MaintenancePolicy Policy = new("p")
    {
        Jobs = new Dictionary<string, JobTemplate> { ["hours"] = new("default", Hours) },
    };

    [Theory(Timeout = World.Timeout)]
    [InlineData(MaintenanceAction.Job, "jobs.batch")]
    [InlineData(MaintenanceAction.PowerCycle, "baremetalhosts.metal3.io")]
    public async Task What_was_begun_is_ended_when_the_API_server_was_away_for_longer_than_the_maintenance_waits(MaintenanceAction kind, string resource)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy));
        DateTimeOffset? away = null;
        world.Api.Intercept = request =>
        {
            if (request.Resource != resource)
            {
                return Task.CompletedTask;
            }

            away ??= request is { IsChange: true, IsDone: true } ? world.Time.GetUtcNow() : null;
            return request.IsDone || away is null || world.Time.GetUtcNow() > away + TimeSpan.FromMinutes(25)
                ? Task.CompletedTask
                : throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out");
        };

        var report = await world.MaintainAsync(Request(world, kind) with { OnFailure = FailurePolicy.KeepCordoned });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        away.ShouldNotBeNull();
        (report.Outcome, report.Actions.ShouldHaveSingleItem().Outcome).ShouldBe((MaintenanceOutcome.Failed, ActionOutcome.Failed));
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldBeEmpty();
        var host = await ActionTests.HostAsync(world);
        host.Annotations.Keys.ShouldNotContain(key => key.StartsWith("reboot.metal3.io", StringComparison.Ordinal));
        host.Power!.IsOn.ShouldBeTrue();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_of_a_maintenance_that_is_suspended_for_hours_and_then_cancelled_is_deleted()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy));
        await world.BeginAsync(Request(world, MaintenanceAction.Job));
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        world.Cluster.Store.List(ResourceTypes.Jobs).Count.ShouldBe(1);

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann", "storage is down"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromHours(2));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", "enough"), CancellationToken.None);
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, true), report.Message);
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldBeEmpty();
    }

    private static MaintenanceRequest Request(World world, MaintenanceAction kind) => world.Request() with
    {
        Policy = "p",
        Action = kind,
        ActionOptions = new ActionOptions { Template = kind == MaintenanceAction.Job ? "hours" : null, PowerOffFor = TimeSpan.FromMinutes(5), Timeout = TimeSpan.FromHours(12) },
        Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
    };
}

using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>Maintenances by REST against the simulated cluster, with the real hub, worker and orchestrations.</summary>
public sealed class MaintenanceByRestTests
{
    private static readonly MaintenanceCreate Request = new()
    {
        Node = "node-1", Reason = "new kernel", Health = new HealthSettings { StableFor = "1s" },
    };

    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task A_maintenance_goes_from_plan_to_done_and_leaves_the_node_as_it_was()
    {
        await using var harbour = await Harbour.OpenAsync(Token);

        var plan = await harbour.Api.PlanAsync(Request, Token);
        var started = await harbour.Api.CreateMaintenanceAsync(Request, null, Token);
        var ended = await harbour.WatchAsync(started.Id, static _ => false, Token);
        var history = await harbour.Api.GetHistoryAsync(started.Id, Token);

        plan.CanStart.ShouldBeTrue();
        plan.Vms.Count.ShouldBe(2);
        ended.State.ShouldBe(MaintenanceState.Completed, ended.Message);
        ended.LeftBehind.ShouldBeEmpty();
        ended.Vms.ShouldAllBe(static vm => vm.Outcome == "Migrated");
        ended.Report!.Pods.ShouldAllBe(static pod => pod.IsGone);
        ended.Steps.Select(static step => step.Step).ShouldContain("Drain");
        history.ShouldContain(static line => line.Kind == "activity-completed" && line.Name == "node.mark");
        harbour.Cluster.Check().Where(static each => !each.Ok).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_server_that_is_stopped_in_the_drain_goes_on_when_it_is_started_again()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var started = await harbour.Api.CreateMaintenanceAsync(Request, null, Token);
        var before = await harbour.WatchAsync(started.Id, static view => view.Step == "Drain", Token);

        await harbour.StopServerAsync();
        await harbour.StartServerAsync(Token);
        var ended = await harbour.WatchAsync(started.Id, static _ => false, Token);

        before.IsOver.ShouldBeFalse();
        ended.State.ShouldBe(MaintenanceState.Completed, ended.Message);
        harbour.Cluster.Check().Where(static each => !each.Ok).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_cancelled_maintenance_puts_the_node_back()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var started = await harbour.Api.CreateMaintenanceAsync(Request, null, Token);
        await harbour.WatchAsync(started.Id, static view => view.Step == "Drain", Token);

        await harbour.Api.CancelMaintenanceAsync(started.Id, "wrong node", Token);
        var ended = await harbour.WatchAsync(started.Id, static _ => false, Token);
        var node = await harbour.GetAsync("/api/v1/nodes/node-1", Token);

        ended.State.ShouldBe(MaintenanceState.Cancelled, ended.Message);
        node!["spec"]!["unschedulable"]?.GetValue<bool>().ShouldNotBe(true);
        node["spec"]!["taints"].ShouldBeNull();
    }

    [Fact]
    public async Task A_held_node_goes_on_when_it_is_told_to()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var started = await harbour.Api.CreateMaintenanceAsync(Request with { Action = "Hold" }, null, Token);
        var held = await harbour.WatchAsync(started.Id, static view => view.State == MaintenanceState.Holding, Token);
        var again = await Should.ThrowAsync<ApiProblemException>(() => harbour.Api.CreateMaintenanceAsync(Request, null, Token));

        await harbour.Api.CompleteMaintenanceAsync(started.Id, skipHealth: false, Token);
        var ended = await harbour.WatchAsync(started.Id, static _ => false, Token);

        held.State.ShouldBe(MaintenanceState.Holding, held.Message);
        again.Problem.SubjectId.ShouldBe(started.Id);
        ended.State.ShouldBe(MaintenanceState.Completed, ended.Message);
    }

    [Fact]
    public async Task A_rollout_takes_one_node_after_the_other()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var settings = new MaintenanceSettings { Health = new HealthSettings { StableFor = "1s" } };
        var rollout = await harbour.Api.CreateRolloutAsync(new RolloutCreate { Nodes = ["node-2", "node-3"], Maintenance = settings }, null, Token);

        while (rollout.EndedAt is null)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
            rollout = await harbour.Api.GetRolloutAsync(rollout.Id, Token);
            rollout.Nodes.Count(static node => node.State == "UnderMaintenance").ShouldBeLessThanOrEqualTo(1);
        }

        rollout.Nodes.Select(static node => node.State).ShouldBe(["Completed", "Completed"], rollout.Message);
        (await harbour.Api.ListMaintenancesAsync(null, onlyRunning: false, null, Token)).Items.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Ready_is_said_while_it_is_true()
    {
        await using var harbour = await Harbour.OpenAsync(Token);

        var up = await harbour.Http.GetAsync("readyz", Token);
        using var fault = harbour.Cluster.Api.Fail(new Drydock.Simulator.Api.Fault { ConnectionReset = true });
        var down = await harbour.Http.GetAsync("readyz", Token);
        while (down.IsSuccessStatusCode)
        {
            // One look counts for a second.
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
            down = await harbour.Http.GetAsync("readyz", Token);
        }

        up.IsSuccessStatusCode.ShouldBeTrue();
        ((int)down.StatusCode).ShouldBe(503);
    }
}

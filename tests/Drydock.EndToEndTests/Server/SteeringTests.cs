using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>Suspend, resume and extend by REST, with the real hub, worker and orchestrations.</summary>
public sealed class SteeringTests
{
    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task A_held_maintenance_is_extended_suspended_and_goes_on_when_resumed_also_after_a_restart()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var started = await harbour.Api.CreateMaintenanceAsync(
            new MaintenanceCreate
            {
                Node = "node-1", Action = "Hold", ActionOptions = new ActionSettings { Timeout = "1h" }, Health = new HealthSettings { StableFor = "1s" },
            },
            null, Token);
        var held = await harbour.WatchAsync(started.Id, static view => view.State == MaintenanceState.Holding, Token);

        await harbour.Api.ExtendMaintenanceAsync(started.Id, "2h", "the fan takes longer", "CHG-1", Token);
        var extended = await harbour.WatchAsync(started.Id, view => view.Deadline != held.Deadline, Token);
        var again = await harbour.Api.ExtendMaintenanceAsync(started.Id, "2h", "the fan takes longer", "CHG-1", Token);
        await harbour.Api.SuspendMaintenanceAsync(started.Id, "lunch", null, Token);
        var suspended = await harbour.WatchAsync(started.Id, static view => view.State == MaintenanceState.Suspended, Token);
        await harbour.StopServerAsync();
        await harbour.StartServerAsync(Token);
        await harbour.Api.CompleteMaintenanceAsync(started.Id, skipHealth: false, Token);
        var still = await harbour.WatchAsync(started.Id, static view => view.Actions.Any(static action => action.Outcome == "Done"), Token);
        await harbour.Api.ResumeMaintenanceAsync(started.Id, null, null, Token);
        var ended = await harbour.WatchAsync(started.Id, static _ => false, Token);

        extended.Deadline.ShouldBe(held.Deadline!.Value.AddHours(2));
        again.Deadline.ShouldBe(extended.Deadline);
        (suspended.Suspension!.Reason, suspended.Deadline).ShouldBe(("lunch", null));
        (still.State, still.Step).ShouldBe((MaintenanceState.Suspended, "Action"));
        ended.State.ShouldBe(MaintenanceState.Completed, ended.Message);
        ended.Steers.Select(static steer => steer.Kind).ShouldBe(["Extend", "Suspend", "Resume"]);
        harbour.Cluster.Check().Where(static each => !each.Ok && !each.Statement.Contains("within", StringComparison.Ordinal)).ShouldBeEmpty();
    }
}

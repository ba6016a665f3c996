using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>How a maintenance that failed ends: what stays as it is, what is put back, and that the report says neither more nor less.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class FailedTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(FailurePolicy.KeepCordoned)]
    [InlineData(FailurePolicy.Restore)]
    public async Task One_that_never_marked_the_node_leaves_nothing_behind_and_says_so(FailurePolicy policy)
    {
        await using var world = await World.StartAsync("healthy");
        var until = World.Start.AddMinutes(20);
        world.Api.Intercept = request => request is { Verb: "patch", Resource: "nodes", IsDone: false } && world.Time.GetUtcNow() < until
            ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: leader changed")
            : Task.CompletedTask;

        var report = await world.MaintainAsync(world.Request() with { OnFailure = policy });

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, true));
        report.LeftBehind.ShouldBeEmpty();
        IsCordoned(world).ShouldBeFalse();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(FailurePolicy.KeepCordoned)]
    [InlineData(FailurePolicy.Restore)]
    public async Task One_that_lost_its_lease_before_the_mark_does_not_say_that_anything_is_still_changed(FailurePolicy policy)
    {
        await using var world = await World.StartAsync("healthy");
        world.Api.Intercept = request =>
        {
            if (request is { Verb: "create", Resource: "leases.coordination.k8s.io", IsDone: true })
            {
                LeaseTests.Take(world, "drydock/other/m9");
            }

            return Task.CompletedTask;
        };

        var report = await world.MaintainAsync(world.Request() with { OnFailure = policy });

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.LeftBehind.ShouldBeEmpty();
        (world.Time.GetUtcNow() - World.Start).ShouldBeLessThan(TimeSpan.FromMinutes(12), "there was nothing to wait for the lease for");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(503)]
    [InlineData(403)]
    public async Task A_node_that_cannot_be_looked_at_stays_cordoned_and_the_report_says_what_was_in_the_way(int code)
    {
        await using var world = await HeldAsync(new HealthPolicy { Timeout = TimeSpan.FromMinutes(10), StableFor = TimeSpan.FromSeconds(1) });

        DenyNodes(world, code, TimeSpan.FromMinutes(40));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldStartWith("Node node-1 was not healthy within 10m: The node could not be looked at: ");
        (report.LeftBehind.Count, report.IsRestored, IsCordoned(world)).ShouldBe((1, false, true));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(503)]
    public async Task A_node_that_can_be_looked_at_again_before_the_deadline_passes(int code)
    {
        await using var world = await HeldAsync(new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) });

        DenyNodes(world, code, TimeSpan.FromSeconds(50));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(NotLetIn))]
    public async Task An_API_server_that_accepts_no_token_or_knows_no_role_for_a_while_ends_nothing_wherever_the_maintenance_is(int code, int from)
    {
        await using var world = await World.StartAsync("vm-not-migratable");
        var (refused, seen) = (0, 0);
        DateTimeOffset? until = null;
        world.Api.Intercept = request =>
        {
            // The answer to a plan is for a person: counted from the lease on.
            if (request is { Verb: "create", Resource: "leases.coordination.k8s.io", IsDone: true } || (seen > 0 && request is { Verb: not "watch", IsDone: false }))
            {
                seen++;
            }

            if (seen < from || request.IsDone || request.Verb == "watch" || world.Time.GetUtcNow() > (until ??= world.Time.GetUtcNow().AddSeconds(20)))
            {
                return Task.CompletedTask;
            }

            refused++;
            throw new ApiException(code, code == 401 ? "Unauthorized" : "Forbidden", "not now");
        };
        var request = world.Request();

        var report = await world.MaintainAsync(request with { VirtualMachines = request.VirtualMachines with { OnNotMigratable = StuckVmPolicy.ShutDown } });

        refused.ShouldBeGreaterThan(0);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.LeftBehind.ShouldBeEmpty();
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_permission_that_stays_missing_ends_it_after_a_minute_and_is_named()
    {
        await using var world = await World.StartAsync("healthy");
        world.Api.Intercept = request => request is { Verb: "patch", Resource: "nodes", IsDone: false }
            ? throw new ApiException(403, "Forbidden", """nodes "node-1" is forbidden: User "drydock" cannot patch resource "nodes" in API group "" at the cluster scope""")
            : Task.CompletedTask;

        var report = await world.MaintainAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldContain("User \"drydock\" is not allowed to patch nodes (403).");
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(3));
        report.LeftBehind.ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(401, "The API server does not accept the credentials (401 on ", "Log in again, or give Drydock a token or certificate that is valid.")]
    [InlineData(403, "The API server forbids to get nodes", ": not now")]
    public async Task Whoever_waits_for_a_plan_is_told_at_once_that_it_is_not_let_in(int code, string begin, string end)
    {
        await using var world = await World.StartAsync("healthy");
        DenyNodes(world, code, TimeSpan.FromHours(1));

        var report = await world.MaintainAsync();

        (report.Outcome, world.Time.GetUtcNow() - World.Start < TimeSpan.FromSeconds(1)).ShouldBe((MaintenanceOutcome.Refused, true));
        report.Message.ShouldStartWith(begin);
        report.Message.ShouldEndWith(end);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(403, 1)]
    [InlineData(503, 20)]
    public async Task The_marks_are_looked_after_again_once_the_node_can_be_read(int code, int minutes)
    {
        await using var world = await HeldAsync(new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) });

        DenyNodes(world, code, TimeSpan.FromMinutes(minutes));
        await world.RunForAsync(TimeSpan.FromMinutes(minutes + 2));
        world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", node => node["spec"]!.AsObject().Remove("unschedulable"));
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var isCordoned = IsCordoned(world);
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        isCordoned.ShouldBeTrue();
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.ShouldContain(finding => finding.Kind == "marks-reasserted" && finding.Message.Contains("the cordon"));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(503, 25)]
    [InlineData(403, 3)]
    public async Task A_held_node_whose_pods_cannot_be_read_for_a_while_stays_held_and_is_kept_empty_afterwards(int code, int minutes)
    {
        await using var world = await HeldAsync(new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) });

        Deny(world, code, TimeSpan.FromMinutes(minutes), "list", "pods");
        await world.RunForAsync(TimeSpan.FromMinutes(minutes - 1));
        var blocker = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers.ShouldHaveSingleItem();
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        var meanwhile = (await world.StatusAsync<MaintenanceStatus>())!;
        var isCordoned = IsCordoned(world);
        LaterPodsTests.Land(world, "late");
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var blockers = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        (blocker.Kind, blocker.Object).ShouldBe(("node-unseen", "node/node-1"));
        (meanwhile.IsHolding, isCordoned).ShouldBe((true, true));
        blockers.ShouldNotContain(static one => one.Kind == "node-unseen");
        world.AcceptedEvictions().ShouldContain("default/late");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_cannot_be_looked_at_after_its_start_does_not_lose_the_report_nor_keep_the_lease()
    {
        await using var world = await World.StartAsync("vm-not-migratable");
        var request = world.Request();
        var isStarted = false;
        world.Api.Intercept = seen =>
        {
            isStarted |= seen is { IsChange: true, Subresource: "start", IsDone: true };
            return isStarted && seen.Resource == "virtualmachineinstances.kubevirt.io" && !seen.IsDone
                ? throw new ApiException(403, "Forbidden", "virtualmachineinstances is forbidden")
                : Task.CompletedTask;
        };

        var report = await world.MaintainAsync(request with { VirtualMachines = request.VirtualMachines with { OnNotMigratable = StuckVmPolicy.ShutDown } });

        isStarted.ShouldBeTrue();
        report.VirtualMachines.ShouldContain(vm => vm.Message.Contains("whether it runs could not be seen: "));
        IsCordoned(world).ShouldBeFalse();
        world.Cluster.Store.List(ResourceTypes.Leases).ShouldNotContain(lease => HolderOf(lease).StartsWith("drydock/", StringComparison.Ordinal));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Health_checks_that_stay_paused_for_a_node_that_is_kept_are_named()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);

        var report = await world.MaintainAsync(world.Request() with
        {
            Health = new HealthPolicy { KubeletVersion = "v1.99.0", Timeout = TimeSpan.FromMinutes(1) },
        });

        report.LeftBehind.ShouldBe(
        [
            "Node node-1 is still cordoned, tainted and marked. When it is fit: drydock restore node-1",
            "NodeHealthCheck workers is still paused for it, and remediates none of its nodes until then: drydock restore node-1",
            "OpenShiftHealthCheck metal/workers is still paused for it, and remediates none of its nodes until then: drydock restore node-1",
        ]);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_failed_while_it_was_suspended_and_is_cancelled_then_is_put_back()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.Job, ActionOptions = new ActionOptions { Job = EndedByForceTests.NineHours, Timeout = TimeSpan.FromHours(12) },
            OnFailure = FailurePolicy.KeepCordoned,
        });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var job = world.Cluster.Store.List(ResourceTypes.Jobs).Single();
        world.Cluster.Store.Delete(ResourceTypes.Jobs, "default", (string)job["metadata"]!["name"]!, new Deletion());
        await world.RunForAsync(TimeSpan.FromMinutes(2));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, true), report.Message);
        IsCordoned(world).ShouldBeFalse();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_failed_while_it_was_suspended_says_so_and_keeps_its_lease_until_it_is_resumed()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.Job, ActionOptions = new ActionOptions { Job = EndedByForceTests.NineHours, Timeout = TimeSpan.FromHours(12) },
        });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var job = world.Cluster.Store.List(ResourceTypes.Jobs).Single();
        world.Cluster.Store.Delete(ResourceTypes.Jobs, "default", (string)job["metadata"]!["name"]!, new Deletion());
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var told = (await world.StatusAsync<MaintenanceStatus>())!.Message;
        foreach (var part in (string[])[InstanceIds.Lease("m1"), InstanceIds.Hold("m1")])
        {
            await world.Client.TerminateInstanceAsync(part, CancellationToken.None);
        }

        await world.RunForAsync(TimeSpan.FromMinutes(90));
        var running = await LeftRunningTests.RunningAsync(world);
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Resume, "ann"), CancellationToken.None);
        var report = await world.EndAsync();

        told.ShouldEndWith(" It goes on to its end, and puts back what is to be put back, when it is resumed or cancelled.");
        told.ShouldStartWith(report.Message);
        running.ShouldBe(["m1", InstanceIds.Pods("m1"), InstanceIds.Lease("m1"), InstanceIds.Hold("m1")], ignoreOrder: true);
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, true), report.Message);
        report.Findings.ShouldNotContain(static finding => finding.Kind == "lease-lost");
    }

    public static TheoryData<int, int> NotLetIn()
    {
        TheoryData<int, int> all = [];
        foreach (var from in (int[])[1, 6, 13, 24, 40, 60])
        {
            all.Add(401, from);
            all.Add(403, from);
        }

        return all;
    }

    private static async Task<World> HeldAsync(HealthPolicy health)
    {
        var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold, Health = health, Drain = world.Request().Drain with { EvictUnmanaged = true } });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();
        return world;
    }

    /// <summary>From now on the product gets that answer when it reads the node.</summary>
    private static void DenyNodes(World world, int code, TimeSpan span) => Deny(world, code, span, "get", "nodes");

    private static void Deny(World world, int code, TimeSpan span, string verb, string resource)
    {
        var until = world.Time.GetUtcNow() + span;
        world.Api.Intercept = request => !request.IsDone && request.Verb == verb && request.Resource == resource && world.Time.GetUtcNow() < until
            ? throw new ApiException(code, code == 503 ? "ServiceUnavailable" : code == 403 ? "Forbidden" : "Unauthorized", "not now")
            : Task.CompletedTask;
    }

    private static string HolderOf(JsonObject lease) => (string?)lease["spec"]!["holderIdentity"] ?? "";

    private static bool IsCordoned(World world) => (bool?)world.Cluster.Store.Get(ResourceTypes.Nodes, null, "node-1")!["spec"]!["unschedulable"] == true;
}

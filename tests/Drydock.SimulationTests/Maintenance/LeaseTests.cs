using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>A lease that is lost, deleted or too old in the middle of a drain: nothing is changed until it is ours again, and it is told.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class LeaseTests
{
    private const string Leases = "leases.coordination.k8s.io";

    private static readonly string[] Told = ["events", "events.events.k8s.io", Leases];

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_is_changed_after_somebody_took_the_lease_and_it_goes_on_when_it_is_free(bool crash)
    {
        await using var world = await World.StartAsync(Slow);
        await InTheMiddleAsync(world, world.Request());

        Take(world, "node-maintenance");
        var at = world.Time.GetUtcNow();
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var lost = (await world.StatusAsync<MaintenanceStatus>())!;
        if (crash)
        {
            await world.CrashAsync();
        }

        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var changes = ChangesSince(world, at);
        world.Cluster.Store.Delete(ResourceTypes.Leases, "medik8s-leases", "node-node-1", new Deletion());
        var report = await world.EndAsync();

        (lost.Step, lost.IsLeaseLost).ShouldBe((MaintenanceStep.Drain, true));
        lost.Message.ShouldBe(
            "The lease of node node-1 is held by the Node Maintenance Operator: nothing is changed until it is free. See that maintenance to its end, or cancel this one.");
        changes.ShouldBeEmpty();
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var told = report.Findings.Where(finding => finding.Kind == "lease-lost").ShouldHaveSingleItem();
        told.Message.ShouldStartWith("The lease of node node-1 was held by the Node Maintenance Operator from 2026-01-02 03:0");
        told.Message.ShouldEndWith("; nothing was changed meanwhile.");
        world.AcceptedEvictions().ShouldBeUnique();
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_lease_that_somebody_else_keeps_is_asked_for_ever_more_seldom_and_is_ours_again_a_minute_after_it_is_free_at_the_latest()
    {
        await using var world = await World.StartAsync(Slow);
        await InTheMiddleAsync(world, world.Request() with { LeaseDuration = TimeSpan.FromSeconds(150) });

        Take(world, "node-maintenance");
        await world.RunForAsync(TimeSpan.FromMinutes(30));
        var tries = (await world.StatusAsync<HoldLeaseStatus>(InstanceIds.Lease("m1")))!.Failures;
        world.Cluster.Store.Delete(ResourceTypes.Leases, "medik8s-leases", "node-node-1", new Deletion());
        var free = world.Time.GetUtcNow();
        await world.RunUntilAsync(() => Holder(world) is not null, TimeSpan.FromMinutes(5));

        tries.ShouldBeInRange(25, 40, "every five seconds would be 360");
        (world.Time.GetUtcNow() - free).ShouldBeLessThanOrEqualTo(TimeSpan.FromMinutes(1.1));
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_lease_that_somebody_deleted_is_taken_back_at_once_and_the_drain_goes_on()
    {
        await using var world = await World.StartAsync(Slow);
        await InTheMiddleAsync(world, world.Request());

        world.Cluster.Store.Delete(ResourceTypes.Leases, "medik8s-leases", "node-node-1", new Deletion());
        await world.RunUntilAsync(() => Holder(world) is not null, TimeSpan.FromMinutes(2));
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.Count(finding => finding.Kind == "lease-lost").ShouldBe(1);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_lease_that_cannot_be_renewed_stops_all_changes_when_it_is_two_thirds_old_and_is_told_then_and_not_before()
    {
        await using var world = await World.StartAsync(Slow);
        await InTheMiddleAsync(world, world.Request() with { LeaseDuration = TimeSpan.FromMinutes(3) });
        var renewed = (await world.Kubernetes.GetLeaseAsync("node-1", CancellationToken.None))!.RenewedAt!.Value;
        var isAway = true;
        world.Api.Intercept = request => isAway && request is { Resource: Leases, IsChange: true, IsDone: false }
            ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: leader changed")
            : Task.CompletedTask;

        await world.RunForAsync(renewed + TimeSpan.FromSeconds(115) - world.Time.GetUtcNow());
        var before = (await world.StatusAsync<MaintenanceStatus>())!;
        var evicted = world.AcceptedEvictions().Count;
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var lost = (await world.StatusAsync<MaintenanceStatus>())!;
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var changes = ChangesSince(world, renewed + TimeSpan.FromMinutes(2));
        isAway = false;
        var report = await world.EndAsync();

        (before.IsLeaseLost, before.Message).ShouldBe((false, "Evicting pods and moving virtual machines."));
        evicted.ShouldBeGreaterThan(2, "until then it went on");
        lost.IsLeaseLost.ShouldBeTrue();
        lost.Message.ShouldBe($"The lease of node node-1 could not be renewed since {renewed:u}: nothing is changed until the API server answers again.");
        changes.ShouldBeEmpty();
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.Where(finding => finding.Kind == "lease-lost").ShouldHaveSingleItem().Message.ShouldContain($"could not be renewed since {renewed:u}");
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_renewal_that_fails_once_is_no_loss()
    {
        await using var world = await World.StartAsync(Slow);
        await InTheMiddleAsync(world, world.Request() with { LeaseDuration = TimeSpan.FromMinutes(3) });
        var failed = 0;
        world.Api.Intercept = request => request is { Resource: Leases, IsChange: true, IsDone: false } && failed++ == 0
            ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: leader changed")
            : Task.CompletedTask;

        var report = await world.EndAsync();

        failed.ShouldBeGreaterThan(1);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.ShouldNotContain(finding => finding.Kind == "lease-lost");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_lease_that_stays_with_somebody_else_ends_the_maintenance_by_its_deadline_and_everything_that_is_left_is_told()
    {
        await using var world = await World.StartAsync(Slow);
        var request = world.Request();
        await InTheMiddleAsync(world, request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(10), OnTimeout = DeadlinePolicy.Fail } });

        Take(world, "drydock/other/m9");
        var at = world.Time.GetUtcNow();
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldStartWith("Node node-1 was not empty within 10m: The lease of node node-1 is held by maintenance m9: nothing is changed until it is free.");
        (report.Steps[^1].To - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(60));
        report.IsRestored.ShouldBeFalse();
        report.LeftBehind.ShouldContain("Node node-1 was not put back: The lease of node node-1 is held by maintenance m9. Try: drydock restore node-1");
        report.Findings.Where(finding => finding.Kind == "lease-lost").ShouldHaveSingleItem().Message.ShouldEndWith(", and was not ours again; nothing was changed from then on.");
        ChangesSince(world, at).ShouldBeEmpty();
        Holder(world).ShouldBe("drydock/other/m9");
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBeTrue();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task While_it_is_lost_during_a_cancel_nobody_is_told_to_cancel_but_what_becomes_of_the_node()
    {
        await using var world = await World.StartAsync(Slow);
        await InTheMiddleAsync(world, world.Request());
        Take(world, "drydock/other/m9");
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var status = (await world.StatusAsync<MaintenanceStatus>())!;
        var report = await world.EndAsync();

        (status.IsCancelling, status.IsLeaseLost).ShouldBe((true, true));
        status.Message.ShouldBe(
            "The lease of node node-1 is held by maintenance m9: nothing is changed until it is free. See that maintenance to its end."
            + " What cannot be put back within ten minutes is left to: drydock restore node-1");
        report.LeftBehind.ShouldContain("Node node-1 was not put back: The lease of node node-1 is held by maintenance m9. Try: drydock restore node-1");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_lease_whose_answer_was_lost_is_given_up_when_the_maintenance_is_refused_for_it()
    {
        await using var world = await World.StartAsync(Slow);
        DateTimeOffset? taken = null;
        world.Api.Intercept = request =>
        {
            taken ??= request is { Verb: "create", Resource: Leases, IsDone: true } ? world.Time.GetUtcNow() : null;
            return request.Resource == Leases && taken is { } since && world.Time.GetUtcNow() < since.AddMinutes(20)
                ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: leader changed")
                : Task.CompletedTask;
        };

        var report = await world.MaintainAsync(world.Request());

        taken.ShouldNotBeNull();
        report.Outcome.ShouldBe(MaintenanceOutcome.Refused);
        Holder(world).ShouldBeNull();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_that_is_deleted_and_comes_back_under_its_name_is_ours_again_and_its_machines_run_in_the_end(bool wasCordoned)
    {
        await using var world = await World.StartAsync("vm-not-migratable");
        if (wasCordoned)
        {
            // What was so of the node before is no business of the next one.
            world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", static before =>
            {
                before["spec"]!["unschedulable"] = true;
                before["metadata"]!["annotations"] = new JsonObject { ["cluster-autoscaler.kubernetes.io/scale-down-disabled"] = "true" };
                return true;
            });
        }

        var request = world.Request();
        await world.BeginAsync(request with
        {
            Action = MaintenanceAction.Hold, VirtualMachines = request.VirtualMachines with { OnNotMigratable = StuckVmPolicy.ShutDown },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();

        var node = world.Cluster.Store.Get(ResourceTypes.Nodes, null, "node-1")!.DeepClone().AsObject();
        world.Cluster.Store.Delete(ResourceTypes.Nodes, null, "node-1", new Deletion());
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        node["metadata"] = new JsonObject { ["name"] = "node-1", ["labels"] = node["metadata"]!["labels"]!.DeepClone() };
        node["metadata"]!["labels"]!.AsObject().Remove("remediation.medik8s.io/exclude-from-remediation");
        node["spec"] = new JsonObject();
        world.Cluster.Store.Create(ResourceTypes.Nodes, node);
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        var again = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        var lease = Holder(world);
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        (again.Unschedulable, again.Mark?.HeldBy, lease).ShouldBe((true, "drydock/hub/m1", "drydock/hub/m1"));
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.Cluster.Store.List(KubeVirtTypes.Instances).ShouldAllBe(vmi => vmi.InstancePhase() == "Running");
        var end = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        (end.Unschedulable, end.Mark, end.Annotations.ContainsKey("cluster-autoscaler.kubernetes.io/scale-down-disabled")).ShouldBe((false, null, false));
        report.Findings.Where(static finding => finding.Kind == "marks-reasserted").ShouldHaveSingleItem().Message.ShouldBe(
            "Node node-1 was deleted during its maintenance, and is another one of that name now: it was cordoned and marked too.");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(1)]
    [InlineData(5)]
    public async Task What_renews_the_lease_and_is_ended_by_somebody_is_started_again_and_told(int times)
    {
        await using var world = await World.StartAsync(Slow);
        await InTheMiddleAsync(world, world.Request() with { LeaseDuration = TimeSpan.FromMinutes(2) });
        for (var time = 0; time < times; time++)
        {
            await world.Client.TerminateInstanceAsync(InstanceIds.Lease("m1"), "by mistake", CancellationToken.None);
            await world.RunForAsync(TimeSpan.FromSeconds(5));
        }

        var told = (await world.StatusAsync<MaintenanceStatus>())!;
        await world.CrashAsync();
        var report = await world.EndAsync();

        told.Message.ShouldStartWith("What renews the lease of node node-1 ended at 2026-01-02 03:0");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.ShouldNotContain(finding => finding.Kind == "lease-lost");
        var unkept = report.Findings.Where(finding => finding.Kind == "lease-unkept").ToList();
        unkept.Count.ShouldBeInRange(1, 2, "what ends again and again is started once a minute");
        unkept.ShouldAllBe(finding => finding.Message.Contains("by mistake") && finding.NextStep == "If nobody ended it, see: drydock history m1:lease");
        Holder(world).ShouldBeNull();
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_lease_that_is_somebody_elses_when_its_renewing_is_started_again_is_still_waited_for_and_taken_back()
    {
        await using var world = await World.StartAsync(Slow);
        await InTheMiddleAsync(world, world.Request());
        Take(world, "node-maintenance");
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        await world.Client.TerminateInstanceAsync(InstanceIds.Lease("m1"), "by mistake", CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var lost = (await world.StatusAsync<MaintenanceStatus>())!;

        world.Cluster.Store.Delete(ResourceTypes.Leases, "medik8s-leases", "node-node-1", new Deletion());
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var ours = (await world.StatusAsync<MaintenanceStatus>())!;
        var report = await world.EndAsync();

        (lost.IsLeaseLost, ours.IsLeaseLost).ShouldBe((true, false));
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.Count(finding => finding.Kind == "lease-lost").ShouldBe(1);
    }

    // Ten pods that leave one after the other, half a minute apart.
    private static Scenario Slow { get; } = new()
    {
        Name = "slow",
        Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}"))],
        Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 10, On = ["node-1"], StartAfter = TimeSpan.FromSeconds(30) }],
        Budgets = [new BudgetSpec("shop", "web", "web") { MaxUnavailable = "1" }],
        Maintain = "node-1",
    };

    private static async Task InTheMiddleAsync(World world, MaintenanceRequest request)
    {
        await world.BeginAsync(request with { Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) } });
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count == 2);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
    }

    /// <summary>The lease of node-1 is somebody else's, for ten hours.</summary>
    internal static void Take(World world, string holder) => world.Cluster.Store.Update(ResourceTypes.Leases, "medik8s-leases", "node-node-1", lease =>
    {
        lease["spec"]!["holderIdentity"] = holder;
        lease["spec"]!["leaseDurationSeconds"] = 36000;
        lease["spec"]!["renewTime"] = world.Time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'");
        return true;
    });

    private static string? Holder(World world) =>
        (string?)world.Cluster.Store.Get(ResourceTypes.Leases, "medik8s-leases", "node-node-1")?["spec"]?["holderIdentity"];

    /// <summary>What the product changed in the cluster since then, but for what it tells and its lease.</summary>
    private static IReadOnlyList<string> ChangesSince(World world, DateTimeOffset since) =>
    [
        .. world.Api.RequestLog.All
            .Where(request => request.Time > since && request.Code < 300 && request.Verb is "create" or "update" or "patch" or "delete"
                && request.Resource is { } resource && !Told.Contains(resource) && !resource.Contains("reviews.", StringComparison.Ordinal))
            .Select(request => $"{request.Time:HH:mm:ss} {request.Verb} {request.Path}"),
    ];
}

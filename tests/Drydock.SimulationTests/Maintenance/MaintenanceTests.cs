using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>What a person notices of a maintenance beyond its happy end.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class MaintenanceTests
{
    private static readonly Cancel Person = new("ann", "wrong node");

    [Theory(Timeout = World.Timeout)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_cancel_in_the_middle_evicts_nothing_more_and_puts_the_node_back(int seconds)
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request());
        await world.RunForAsync(TimeSpan.FromSeconds(seconds));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, Person, CancellationToken.None);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Cancelled, report.Message);
        report.Message.ShouldBe("Cancelled by ann: wrong node.");
        report.LeftBehind.ShouldBeEmpty();
        var node = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        (node.Unschedulable, node.Mark, node.Taints.Count).ShouldBe((false, null, 0));
        (await world.Kubernetes.GetLeaseAsync("node-1", CancellationToken.None)).ShouldBeNull();
        NothingWasEvictedAfterTheCancelMark(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_somebody_cordoned_before_stays_cordoned()
    {
        var healthy = Scenario.Named("healthy");
        await using var world = await World.StartAsync(healthy with
        {
            Nodes = [.. healthy.Nodes.Select(node => node with { Cordoned = node.Name == "node-1" })],
            Expect = healthy.Expect with { Schedulable = false },
        });

        var report = await world.MaintainAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.WhatIsWrong().ShouldBeEmpty();
        var node = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        node.Mark.ShouldBeNull();
        node.Taints.ShouldNotContain(taint => taint.Key == "medik8s.io/drain");
        Uncordons(world).ShouldBe(0);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public async Task An_uncordon_is_recorded_on_the_node_only_where_it_was_cordoned(bool isMarked, int events)
    {
        await using var world = await World.StartAsync("healthy");
        var wasHeard = false;
        world.Api.Intercept = async request =>
        {
            if (request is not { Resource: "nodes", Verb: "patch" } || request.IsDone != isMarked)
            {
                return;
            }

            if (!wasHeard)
            {
                wasHeard = true;
                await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, Person, CancellationToken.None);
            }

            if (!isMarked)
            {
                throw new ApiException(403, "Forbidden", "no");
            }
        };

        var report = await world.MaintainAsync();

        wasHeard.ShouldBeTrue();
        report.Outcome.ShouldBe(MaintenanceOutcome.Cancelled, report.Message);
        Uncordons(world).ShouldBe(events);
    }

    private static int Uncordons(World world) => world.Cluster.Store.List(ResourceTypes.Events)
        .Where(static found => (string?)found["reason"] == "UncordonNode").Sum(static found => (int?)found["count"] ?? 1);

    [Theory(Timeout = World.Timeout)]
    [InlineData("Always")]
    [InlineData("RerunOnFailure")]
    [InlineData("Once")]
    public async Task A_stopped_virtual_machine_runs_again_with_its_original_run_strategy(string strategy)
    {
        var scenario = Scenario.Named("vm-not-migratable");
        await using var world = await World.StartAsync(scenario with
        {
            VirtualMachines = [.. scenario.VirtualMachines.Select(vm => vm.Name == "gpu" ? vm with { RunStrategy = strategy } : vm)],
        });

        var report = await world.MaintainAsync();

        world.WhatIsWrong().ShouldBeEmpty(report.ToString());
        var gpu = report.VirtualMachines.Single(vm => vm.Vmi.Name == "gpu");
        (gpu.Outcome, gpu.StoppedRunStrategy, gpu.IsRestored).ShouldBe((VmOutcome.Stopped, strategy, true));
        (await world.Kubernetes.GetVmAsync(gpu.Vmi, CancellationToken.None))!.Mark.ShouldBeNull();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_held_node_stays_empty_until_somebody_says_complete()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromHours(3));
        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();
        (await world.Kubernetes.GetLeaseAsync("node-1", CancellationToken.None))!.ExpiresAt.ShouldNotBeNull().ShouldBeGreaterThan(world.Time.GetUtcNow());

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_held_node_s_histories_do_not_grow()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold, LeaseDuration = TimeSpan.FromMinutes(6) });
        await world.RunForAsync(TimeSpan.FromHours(1));
        var own = await world.HistoryEventsAsync("m1");

        // Each part begins anew after some rounds; four hours are more than any needs but the reminder.
        await world.RunForAsync(TimeSpan.FromHours(4));

        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();
        (await world.HistoryEventsAsync("m1")).ShouldBe(own);
        await foreach (var part in world.Client.GetAllInstancesAsync())
        {
            (await world.HistoryEventsAsync(part.InstanceId)).ShouldBeLessThanOrEqualTo(500, part.InstanceId);
        }
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_second_maintenance_of_the_same_node_is_refused_and_names_the_first()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request());
        await world.RunForAsync(TimeSpan.FromSeconds(1));

        var second = await world.MaintainAsync(world.Request(), "m2");

        second.Outcome.ShouldBe(MaintenanceOutcome.Refused);
        second.Message.ShouldContain("maintenance m1");
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_refused_maintenance_changes_nothing()
    {
        var healthy = Scenario.Named("healthy");
        await using var world = await World.StartAsync(healthy with
        {
            Workloads = [.. healthy.Workloads, new WorkloadSpec("pod", "shop", "naked") { On = ["node-1"] }],
        });

        var report = await world.MaintainAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Refused);
        report.Findings.ShouldContain(finding => finding.Kind == "pod-unmanaged" && finding.Message.Contains("shop/naked"));
        world.Api.RequestLog.All.ShouldNotContain(request => request.Verb == "patch" || request.Subresource == "eviction" || request.Resource == "leases.coordination.k8s.io" && request.Verb != "get");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_unknown_node_is_refused_in_one_sentence()
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync(world.Request() with { Node = "node-9" });

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Refused, "There is no node named node-9."));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_is_restored_from_its_marks_alone()
    {
        await using var world = await World.StartAsync("vm-not-migratable");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold, LeaseDuration = TimeSpan.FromMinutes(1) });
        await world.RunForAsync(TimeSpan.FromSeconds(30));
        var restore = new NodeRestore(world.Kubernetes, world.Neighbours, world.Time);
        (await restore.RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None)).IsRefused.ShouldBeTrue();

        await world.LoseHubAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var result = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromSeconds(10));

        result.LeftBehind.ShouldBeEmpty();
        result.Done.Count.ShouldBe(2);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_maintenance_of_250_pods_and_12_virtual_machines_is_under_2000_events()
    {
        await using var world = await World.StartAsync(new Scenario
        {
            Name = "large",
            EvictionStrategy = "LiveMigrate",
            Nodes = [.. Enumerable.Range(1, 4).Select(n => new NodeSpec($"node-{n}") { Cpu = "64", Memory = "256Gi", Pods = 500 })],
            Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 250, On = ["node-1"], TerminateAfter = TimeSpan.FromSeconds(1) }],
            VirtualMachines = [.. Enumerable.Range(1, 12).Select(n => new VirtualMachineSpec("vms", $"vm-{n}") { On = "node-1" })],
            Maintain = "node-1",
        });

        var report = await world.MaintainAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldAllBe(vm => vm.Outcome == VmOutcome.Migrated);
        report.Pods.Where(pod => pod.Pod.Namespace == "shop").Max(pod => pod.GoneAt).ShouldNotBeNull()
            .ShouldBeLessThan(report.Steps.Single(step => step.Step == MaintenanceStep.Drain).From.AddSeconds(4));
        (await world.HistoryEventsAsync()).ShouldBeLessThan(2000);
    }

    private static void NothingWasEvictedAfterTheCancelMark(World world)
    {
        var log = world.Api.RequestLog.All;
        var marked = log.ToList().FindLastIndex(request => request.Resource == "leases.coordination.k8s.io" && request.Verb is "patch" or "update");
        log.Skip(Math.Max(0, marked)).ShouldNotContain(request => request.Subresource == "eviction");
    }
}

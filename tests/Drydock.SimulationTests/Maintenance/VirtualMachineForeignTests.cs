using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Machines that are not here yet, or not any more, or that their owner or somebody else ends while a maintenance is under way.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineForeignTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task One_that_still_starts_is_in_the_plan_and_migrates_when_it_runs()
    {
        await using var world = await World.StartAsync(Machines(Machine("two") with { On = "node-2" }));
        MakeBare(world, "fake-kubelet/start-after", "30");
        await world.RunForAsync(TimeSpan.FromSeconds(2));
        var request = Request(world, Quick with { OnNotMigratable = StuckVmPolicy.Skip });
        var plan = (await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None)).VirtualMachines.ShouldHaveSingleItem();
        Vmi(world, "one").InstancePhase().ShouldBe("Scheduling");

        var report = await world.MaintainAsync(request);

        (plan.Fate, plan.Reason).ShouldBe((VmFate.Migrates, "It is still starting: when it runs it migrates to another node, if KubeVirt finds that it can."));
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.Migrated);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_has_left_is_not_stopped_by_force_when_its_pod_stays_behind()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { On = "node-2" }));
        LeaveLauncher(world);
        var uid = Vmi(world, "one")!["metadata"]!["uid"]!.ToString();
        var request = Request(world, Quick);

        var report = await world.MaintainAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(5), OnTimeout = DeadlinePolicy.Force } });

        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "stop").ShouldBeEmpty();
        Vmi(world, "one")!["metadata"]!["uid"]!.ToString().ShouldBe(uid);
        Vmi(world, "one").InstancePhase().ShouldBe("Running");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.Migrated);
        world.Api.RequestLog.Of("delete", "pods").ShouldHaveSingleItem();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Where_the_pod_that_it_left_may_not_be_deleted_that_is_told_and_tried_again_in_a_while()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { On = "node-2" }));
        LeaveLauncher(world);
        var tried = 0;
        world.Api.Intercept = request =>
        {
            if (request is not { Verb: "delete", Resource: "pods", IsDone: false })
            {
                return Task.CompletedTask;
            }

            tried++;
            throw new ApiException(500, "InternalError", "Internal error occurred: failed calling webhook \"guard.example.com\": failed to call webhook: context deadline exceeded");
        };
        var request = Request(world, Quick);
        await world.BeginAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(5), OnTimeout = DeadlinePolicy.Force } });
        await world.RunForAsync(TimeSpan.FromMinutes(8));

        var told = await VmAsync(world, "one");
        var report = await world.EndAsync();

        told.Blocker.ShouldNotBeNull(told.Message).Kind.ShouldBe("webhook-unreachable");
        tried.ShouldBeInRange(10, 40);
        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Steps.Single(static step => step.Step == MaintenanceStep.Drain).To.ShouldBe(World.Start.AddMinutes(10), TimeSpan.FromSeconds(30));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_goes_down_on_a_node_that_does_not_answer_is_not_taken_for_dead_by_force()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { EvictionStrategy = "None", Shutdown = TimeSpan.FromHours(1) }) with
        {
            Faults = [new FaultSpec("kubeletDies", "node-1") { After = TimeSpan.FromMinutes(1) }],
        });
        Change(world, "one", vmi => vmi["spec"]!["terminationGracePeriodSeconds"] = 7200);
        var uid = Vmi(world, "one")!["metadata"]!["uid"]!.ToString();
        var request = Request(world, Quick with { StopTimeout = TimeSpan.FromMinutes(2) });
        await world.BeginAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(5), OnTimeout = DeadlinePolicy.Force } });
        await world.RunForAsync(TimeSpan.FromMinutes(9));

        var told = await VmAsync(world, "one");
        var report = await world.EndAsync();

        told.Blocker.ShouldNotBeNull(told.Message).Kind.ShouldBe("stuck-terminating");
        world.Api.RequestLog.Of("delete", "pods").Count.ShouldBe(1, "the kubelet decides, when it answers again");
        Vmi(world, "one")!["metadata"]!["uid"]!.ToString().ShouldBe(uid, "it would run twice");
        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldStartWith("Virtual machine vms/one: It did not leave by force within 5m of the deadline either: ");
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.NotRunningAgain);
        report.Steps.Single(static step => step.Step == MaintenanceStep.Drain).To.ShouldBe(World.Start.AddMinutes(10), TimeSpan.FromSeconds(30));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_its_owner_stops_while_its_eviction_shuts_it_down_stays_down()
    {
        await using var world = await World.StartAsync(Machines(
            Machine("one") with { EvictionStrategy = "None", RunStrategy = "RerunOnFailure", Shutdown = TimeSpan.FromMinutes(3) }));
        Change(world, "one", vmi => vmi["spec"]!["terminationGracePeriodSeconds"] = 3600);
        await world.BeginAsync(Request(world, Quick));
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Pods, "vms").Any(static pod => pod["metadata"]!["deletionTimestamp"] is not null));
        (await world.Kubernetes.CallVmAsync(new ObjectRef("vms", "one"), VmCall.Stop, null, CancellationToken.None)).IsAccepted.ShouldBeTrue();

        var report = await world.EndAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.StaysDown);
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "start").ShouldBeEmpty();
        world.Cluster.Store.Get(KubeVirtTypes.VirtualMachines, "vms", "one")!["metadata"]!["annotations"]?.ToJsonString().ShouldNotContain("drydock");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_goes_down_at_the_deadline_restarts_elsewhere_as_the_plan_said()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { EvictionStrategy = "None", Shutdown = TimeSpan.FromHours(1) }));
        Change(world, "one", vmi => vmi["spec"]!["terminationGracePeriodSeconds"] = 7200);
        var request = Request(world, Quick with { StopTimeout = TimeSpan.FromMinutes(2) });
        request = request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(5), OnTimeout = DeadlinePolicy.Force } };
        var plan = (await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None)).VirtualMachines.ShouldHaveSingleItem();

        var report = await world.MaintainAsync(request);

        plan.Fate.ShouldBe(VmFate.RestartsElsewhere);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.RestartedElsewhere);
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "stop").ShouldBeEmpty();
        var drain = report.Steps.Single(step => step.Step == MaintenanceStep.Drain);
        (drain.To - drain.From).ShouldBeInRange(TimeSpan.FromMinutes(7), TimeSpan.FromMinutes(7.3));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("Always")]
    [InlineData("Manual")]
    [InlineData("RerunOnFailure")]
    public async Task One_that_its_owner_stops_is_not_started_by_the_restore_nor_counted_as_a_failure(string runStrategy)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { RunStrategy = runStrategy, Shutdown = TimeSpan.FromMinutes(10) }));
        if (runStrategy == "Manual")
        {
            await world.Kubernetes.CallVmAsync(new ObjectRef("vms", "one"), VmCall.Start, null, CancellationToken.None);
        }

        await world.RunUntilAsync(() => Vmi(world, "one")?.InstancePhase() == "Running");
        Change(world, "one", vmi => vmi["spec"]!["terminationGracePeriodSeconds"] = 3600);
        (await world.Kubernetes.CallVmAsync(new ObjectRef("vms", "one"), VmCall.Stop, null, CancellationToken.None)).IsAccepted.ShouldBeTrue();
        var request = Request(world, Quick with { StopTimeout = TimeSpan.FromMinutes(1) });

        var report = await world.MaintainAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(2), OnTimeout = DeadlinePolicy.Force } });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.StaysDown);
        Vmi(world, "one").ShouldBeNull("its owner switched it off");
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "start").Count.ShouldBe(runStrategy == "Manual" ? 1 : 0, "only the first");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_whose_launcher_somebody_deletes_while_it_migrates_and_that_finds_no_node_is_told()
    {
        await using var world = await World.StartAsync(NoRoom());
        await world.BeginAsync(Request(world, Quick with { SchedulingTimeout = TimeSpan.FromHours(1), RestartTimeout = TimeSpan.FromMinutes(6) }));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => (string?)migration["status"]?["phase"] == "Scheduling"));
        foreach (var pod in world.Cluster.Store.List(ResourceTypes.Pods, "vms").Where(pod => (string?)pod["spec"]!["nodeName"] == "node-1"))
        {
            world.Cluster.Store.Delete(ResourceTypes.Pods, "vms", pod["metadata"]!["name"]!.ToString(), new Deletion());
        }

        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var told = await VmAsync(world, "one");
        var report = await world.EndAsync();

        told.Blocker.ShouldNotBeNull(told.Message).Kind.ShouldBe("vm-pending-after-restart");
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.NotRunningAgain);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_its_owner_stops_while_it_is_started_again_is_not_waited_for()
    {
        await using var world = await World.StartAsync(NoRoom() with
        {
            VirtualMachines = [Machine("one") with { Memory = "40Gi", NotMigratable = "HostDeviceNotLiveMigratable" }],
        });
        world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", static node =>
        {
            // Somebody else's cordon: it stays.
            node["spec"]!["unschedulable"] = true;
            return true;
        });
        await world.BeginAsync(Request(world, Quick with { OnNotMigratable = StuckVmPolicy.ShutDown, RestartTimeout = TimeSpan.FromHours(1) }));
        await world.RunUntilAsync(() => world.Cluster.Store.Get(KubeVirtTypes.VirtualMachines, "vms", "one")!["spec"]!["runStrategy"]!.ToString() == "Halted");
        await world.RunUntilAsync(() => world.Cluster.Store.Get(KubeVirtTypes.VirtualMachines, "vms", "one")!["spec"]!["runStrategy"]!.ToString() == "Always");
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        (await world.Kubernetes.CallVmAsync(new ObjectRef("vms", "one"), VmCall.Stop, null, CancellationToken.None)).IsAccepted.ShouldBeTrue();
        var stopped = world.Time.GetUtcNow();

        var report = await world.EndAsync();

        (world.Time.GetUtcNow() - stopped).ShouldBeLessThan(TimeSpan.FromMinutes(5));
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_migration_that_KubeVirt_makes_while_it_is_cancelled_is_withdrawn_too()
    {
        await using var world = await World.StartAsync(NoRoom());
        await world.BeginAsync(Request(world, Quick));
        await world.RunUntilAsync(() => Migrations(world, "one").Count > 0);
        world.Api.Intercept = request =>
        {
            if (request is { Subresource: "evacuate/cancel", IsDone: false } && Migrations(world, "one") is [var seen])
            {
                // The one that was seen ends, and KubeVirt makes another before the mark is gone.
                var next = seen.DeepClone().AsObject();
                next["metadata"] = new JsonObject
                {
                    ["name"] = "made-meanwhile",
                    ["namespace"] = "vms",
                    ["annotations"] = seen["metadata"]!["annotations"]!.DeepClone(),
                    ["labels"] = seen["metadata"]!["labels"]!.DeepClone(),
                };
                next.Remove("status");
                world.Cluster.Together(() =>
                {
                    world.Cluster.Store.Create(KubeVirtTypes.Migrations, next);
                    world.Cluster.Store.Delete(KubeVirtTypes.Migrations, "vms", seen["metadata"]!["name"]!.ToString(), new Deletion());
                });
            }

            return Task.CompletedTask;
        };
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);

        var report = await world.EndAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        report.Outcome.ShouldBe(MaintenanceOutcome.Cancelled);
        Migrations(world, "one").Where(migration => !IsOver(migration)).ShouldBeEmpty();
        Vmi(world, "one")!["status"]!["nodeName"]!.ToString().ShouldBe("node-1");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true, " Its VirtualMachine was deleted meanwhile.")]
    [InlineData(false, " Virtual machine vms/one: somebody changed its run strategy meanwhile; left as it is.")]
    public async Task One_that_we_stopped_and_its_owner_deletes_or_halts_is_no_failure_and_is_not_told_as_started_again(bool isDeleted, string message)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable", RunStrategy = "Manual" }));
        await world.Kubernetes.CallVmAsync(new ObjectRef("vms", "one"), VmCall.Start, null, CancellationToken.None);
        await world.RunUntilAsync(() => Vmi(world, "one")?.InstancePhase() == "Running");
        await world.BeginAsync(Request(world, Quick with { OnNotMigratable = StuckVmPolicy.ShutDown }) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        Vmi(world, "one").ShouldBeNull();

        if (isDeleted)
        {
            world.Cluster.Store.Delete(KubeVirtTypes.VirtualMachines, "vms", "one", new Deletion());
        }
        else
        {
            world.Cluster.Store.Update(KubeVirtTypes.VirtualMachines, "vms", "one", static vm =>
            {
                vm["spec"]!["runStrategy"] = "Halted";
                return true;
            });
        }

        await world.RunForAsync(TimeSpan.FromMinutes(1));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        var vm = report.VirtualMachines.ShouldHaveSingleItem();
        (vm.Outcome, vm.IsRestored, vm.IsUnwanted).ShouldBe((VmOutcome.Stopped, false, true), vm.Message);
        vm.Message.ShouldEndWith(message);
        Vmi(world, "one").ShouldBeNull();
    }

    /// <summary>A launcher pod of machine "one" on node-1, which runs elsewhere: as one that does not end after a migration.</summary>
    private static void LeaveLauncher(World world)
    {
        var pod = world.Cluster.Store.List(ResourceTypes.Pods, "vms").Single().DeepClone().AsObject();
        var metadata = pod["metadata"]!.AsObject();
        metadata["name"] = "virt-launcher-one-left";
        foreach (var own in new[] { "uid", "resourceVersion", "creationTimestamp", "generateName", "generation" })
        {
            metadata.Remove(own);
        }

        pod["spec"]!["nodeName"] = "node-1";
        world.Cluster.Store.Create(ResourceTypes.Pods, pod);
    }
}

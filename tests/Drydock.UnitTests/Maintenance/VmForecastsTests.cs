using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Planning;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>What the plan says about a virtual machine: strategy × migratable × cluster default × changed since.</summary>
public sealed class VmForecastsTests
{
    private static readonly string?[] Strategies = ["LiveMigrate", "LiveMigrateIfPossible", "None", "External", null];

    public static TheoryData<string?, bool, string?> Matrix()
    {
        var matrix = new TheoryData<string?, bool, string?>();
        foreach (var own in Strategies)
        {
            foreach (var cluster in Strategies)
            {
                matrix.Add(own, true, cluster);
                matrix.Add(own, false, cluster);
            }
        }

        return matrix;
    }

    [Theory]
    [MemberData(nameof(Matrix))]
    public void The_plan_says_what_KubeVirt_then_does(string? own, bool migratable, string? cluster)
    {
        var forecast = VmForecasts.Forecast(Vmi(own, migratable), Vm("Always") with { TemplateEvictionStrategy = own }, KubeVirt(cluster), new VirtualMachinePolicy());

        forecast.EvictionStrategy.ShouldBe(own ?? cluster ?? "None");
        forecast.StrategySource.ShouldBe(own is not null ? "VirtualMachineInstance" : cluster is not null ? "KubeVirt" : "default");
        forecast.Fate.ShouldBe((own ?? cluster ?? "None", migratable) switch
        {
            ("LiveMigrate", true) => VmFate.Migrates,
            ("LiveMigrate", false) => VmFate.Blocks,
            ("LiveMigrateIfPossible", true) => VmFate.Migrates,
            ("LiveMigrateIfPossible", false) => VmFate.RestartsElsewhere,
            ("External", _) => VmFate.WaitsForExternal,
            _ => VmFate.RestartsElsewhere,
        });
    }

    [Theory]
    [InlineData("Always", true, VmFate.RestartsElsewhere)]
    [InlineData("Manual", true, VmFate.StaysDown)]
    [InlineData("Halted", false, VmFate.StaysDown)]
    public void A_machine_that_is_going_down_is_told_as_that_whatever_its_strategy(string runStrategy, bool isBeingDeleted, VmFate fate)
    {
        var forecast = VmForecasts.Forecast(Vmi("LiveMigrate", true) with { IsBeingDeleted = isBeingDeleted }, Vm(runStrategy), KubeVirt(null), new VirtualMachinePolicy());

        forecast.Fate.ShouldBe(fate);
        forecast.Reason.ShouldStartWith("It is shutting down already");
    }

    [Theory]
    [InlineData(StuckVmPolicy.Wait, DeadlinePolicy.Wait, "somebody else must move it.")]
    [InlineData(StuckVmPolicy.Wait, DeadlinePolicy.Fail, "If nobody does, the maintenance fails at the deadline of the drain.")]
    [InlineData(StuckVmPolicy.Wait, DeadlinePolicy.Force, "If nobody does: At the deadline of the drain it is stopped by force, and started again after the maintenance.")]
    [InlineData(StuckVmPolicy.ShutDown, DeadlinePolicy.Force, "If nobody does within 30m, the policy stops it and starts it again after the maintenance.")]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Fail, "If nobody does within 30m, the policy leaves it on the node.")]
    [InlineData(StuckVmPolicy.Fail, DeadlinePolicy.Fail, "If nobody does within 30m, the policy fails the maintenance.")]
    public void A_machine_that_somebody_else_moves_is_told_with_what_happens_if_nobody_does(StuckVmPolicy onStuck, DeadlinePolicy onTimeout, string end)
    {
        var policy = new VirtualMachinePolicy { OnStuck = onStuck, ExternalTimeout = TimeSpan.FromMinutes(30) };

        var forecast = VmForecasts.Forecast(Vmi("External", true), Vm("Always") with { TemplateEvictionStrategy = "External" }, KubeVirt(null), policy, new DrainPolicy { OnTimeout = onTimeout });

        forecast.Fate.ShouldBe(VmFate.WaitsForExternal);
        forecast.Reason.ShouldEndWith(end);
    }

    [Theory]
    [InlineData(StuckVmPolicy.ShutDown, DeadlinePolicy.Fail, "If nobody does, the maintenance fails at the deadline of the drain.")]
    [InlineData(StuckVmPolicy.ShutDown, DeadlinePolicy.Wait, "If nobody does within 1h, the policy stops it and starts it again after the maintenance.")]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Force, "If nobody does: At the deadline of the drain it is stopped by force, and started again after the maintenance.")]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Wait, "If nobody does within 1h, the policy leaves it on the node.")]
    public void A_time_for_somebody_else_that_is_as_long_as_the_drains_decides_nothing_before_that(StuckVmPolicy onStuck, DeadlinePolicy onTimeout, string end) =>
        VmForecasts.Forecast(
            Vmi("External", true), Vm("Always") with { TemplateEvictionStrategy = "External" }, KubeVirt(null),
            new VirtualMachinePolicy { OnStuck = onStuck, ExternalTimeout = TimeSpan.FromHours(1) }, new DrainPolicy { OnTimeout = onTimeout }).Reason.ShouldEndWith(end);

    [Theory]
    [InlineData("bare", DeadlinePolicy.Fail, "would shut it down. It has no VirtualMachine: stopping it would delete it for good. The maintenance fails at the deadline of the drain.")]
    [InlineData("bare", DeadlinePolicy.Force, "At the deadline of the drain it is deleted by force, for good.")]
    [InlineData("both keys", DeadlinePolicy.Wait, "would shut it down. Running and RunStrategy are both set: KubeVirt refuses every change of it.")]
    [InlineData("receiver", DeadlinePolicy.Force, "nothing would start it again: it is not stopped. At the deadline of the drain its launcher pod is deleted by force.")]
    [InlineData("set", DeadlinePolicy.Fail, "If nobody does within 30m, the policy deletes it; its VirtualMachineInstanceReplicaSet web makes another.")]
    [InlineData("held", DeadlinePolicy.Wait, "would shut it down. It carries the mark of maintenance m0 of node node-2, and may not be marked by another.")]
    public void What_the_policy_can_do_with_one_that_nobody_moves_is_told_as_the_ladder_does_it(string which, DeadlinePolicy onTimeout, string end)
    {
        var (vmi, vm) = which switch
        {
            "bare" => (Vmi("External", true) with { Controller = null }, null),
            "set" => (Vmi("External", true) with { Controller = new OwnerRef("VirtualMachineInstanceReplicaSet", "web", "rs") }, null),
            "both keys" => (Vmi("External", true), Vm("Always") with { Running = true }),
            "receiver" => (Vmi("External", true), Vm("WaitAsReceiver")),
            _ => (Vmi("External", true), Vm("Always") with { Mark = Mark }),
        };
        vm = vm is null ? null : vm with { TemplateEvictionStrategy = "External" };

        var forecast = VmForecasts.Forecast(
            vmi, vm, KubeVirt(null), new VirtualMachinePolicy { OnStuck = StuckVmPolicy.ShutDown, ExternalTimeout = TimeSpan.FromMinutes(30) }, new DrainPolicy { OnTimeout = onTimeout });

        forecast.Reason.ShouldEndWith(end);
    }

    [Fact]
    public void A_mark_of_another_maintenance_blocks_only_what_needs_a_mark_and_one_of_this_nothing()
    {
        var policy = new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown };
        var held = Vm("Always") with { Mark = Mark };

        Of(Vmi("LiveMigrate", false), held).ShouldBe((VmFate.Blocks, "vm-held-by-other", true));
        Of(Vmi("LiveMigrate", false), held, "drydock/hub/m0").ShouldBe((VmFate.StoppedAndRestored, null, false));
        Of(Vmi("None", true), held with { RunStrategy = "RerunOnFailure" }).ShouldBe((VmFate.Blocks, "vm-held-by-other", true));
        Of(Vmi("None", true), held).ShouldBe((VmFate.RestartsElsewhere, null, true));
        Of(Vmi("LiveMigrate", true), held).ShouldBe((VmFate.Migrates, null, true));

        (VmFate, string?, bool) Of(VmiSnapshot vmi, VmSnapshot vm, string? holder = null)
        {
            var forecast = VmForecasts.Forecast(vmi, vm, null, policy, null, holder);
            return (forecast.Fate, forecast.Blocker, forecast.Held is not null);
        }
    }

    [Theory]
    [InlineData(false, "LiveMigrate", "KubeVirt")]
    [InlineData(true, "LiveMigrate", "HyperConverged")]
    [InlineData(true, "External", "VirtualMachineInstance")]
    public void A_strategy_that_KubeVirt_copied_into_the_instance_is_told_by_whose_it_is(bool isHyperConverged, string ofInstance, string source) =>
        VmForecasts.Forecast(
            Vmi(ofInstance, true), Vm("Always"), KubeVirt("LiveMigrate") with { ManagedByHyperConverged = isHyperConverged }, new VirtualMachinePolicy())
            .StrategySource.ShouldBe(source);

    [Theory]
    [InlineData("None", null, "default")]
    [InlineData("LiveMigrate", null, "VirtualMachineInstance")]
    [InlineData("None", "None", "VirtualMachineInstance")]
    public void The_default_that_KubeVirt_copied_is_told_as_that(string ofInstance, string? ofTemplate, string source) =>
        VmForecasts.Forecast(Vmi(ofInstance, true), Vm("Always") with { TemplateEvictionStrategy = ofTemplate }, KubeVirt(null), new VirtualMachinePolicy())
            .StrategySource.ShouldBe(source);

    [Theory]
    [InlineData("LiveMigrate", "LiveMigrate", true, "VirtualMachineInstance or HyperConverged")]
    [InlineData("LiveMigrate", "LiveMigrate", false, "VirtualMachineInstance or KubeVirt")]
    [InlineData("None", null, false, "VirtualMachineInstance or default")]
    [InlineData("External", "LiveMigrate", true, "VirtualMachineInstance")]
    [InlineData(null, "LiveMigrate", true, "HyperConverged")]
    public void One_without_a_template_whose_strategy_is_that_of_the_cluster_may_have_it_from_there(string? own, string? cluster, bool isHyperConverged, string source) =>
        VmForecasts.Forecast(
            Vmi(own, true) with { Controller = null }, null, KubeVirt(cluster) with { ManagedByHyperConverged = isHyperConverged }, new VirtualMachinePolicy())
            .StrategySource.ShouldBe(source);

    [Theory]
    [InlineData("None")]
    [InlineData("External")]
    [InlineData("LiveMigrate")]
    public void Why_a_machine_cannot_migrate_is_told_whatever_its_strategy(string strategy)
    {
        VmForecasts.Forecast(Vmi(strategy, false), Vm("Always"), null, new VirtualMachinePolicy()).WhyNotMigratable.ShouldNotBeNull().ShouldStartWith("It cannot migrate");
        VmForecasts.Forecast(Vmi(strategy, true), Vm("Always"), null, new VirtualMachinePolicy()).WhyNotMigratable.ShouldBeNull();
    }

    [Theory]
    [InlineData("bare", StuckVmPolicy.ShutDown, "Make it migratable, delete it by hand, or let the drain force it at its deadline (on-timeout: Force).")]
    [InlineData("both keys", StuckVmPolicy.ShutDown, "Remove spec.running or spec.runStrategy.")]
    [InlineData("receiver", StuckVmPolicy.ShutDown, "Migrate or stop it by hand.")]
    [InlineData("vm", StuckVmPolicy.Fail, "Stop it, make it migratable, or choose another policy for it (on-not-migratable: ShutDown).")]
    [InlineData("vm", StuckVmPolicy.Wait, "Stop it, make it migratable, or let the policy shut it down (on-not-migratable: ShutDown).")]
    public void What_to_do_about_one_that_blocks_is_what_can_be_done(string which, StuckVmPolicy onNotMigratable, string nextStep)
    {
        var vm = which switch
        {
            "bare" => null,
            "both keys" => Vm("Always") with { Running = true },
            "receiver" => Vm("WaitAsReceiver"),
            _ => Vm("Always"),
        };

        var forecast = VmForecasts.Forecast(Vmi("LiveMigrate", false) with { Controller = null }, vm, null, new VirtualMachinePolicy { OnNotMigratable = onNotMigratable });

        (forecast.Fate, forecast.NextStep).ShouldBe((VmFate.Blocks, nextStep));
        PlanFindings.OfVirtualMachines([forecast]).ShouldHaveSingleItem().NextStep.ShouldBe(nextStep);
    }

    [Theory]
    [InlineData("Always", VmFate.RestartsElsewhere)]
    [InlineData("RerunOnFailure", VmFate.RestartsElsewhere)]
    [InlineData("Manual", VmFate.StaysDown)]
    [InlineData("Once", VmFate.StaysDown)]
    [InlineData("Halted", VmFate.StaysDown)]
    public void A_machine_that_is_shut_down_comes_back_as_its_run_strategy_says(string runStrategy, VmFate fate) =>
        VmForecasts.Forecast(Vmi("None", true), Vm(runStrategy), null, new VirtualMachinePolicy()).Fate.ShouldBe(fate);

    [Fact]
    public void A_strategy_that_was_changed_after_the_start_is_told_and_does_not_apply_yet()
    {
        var vm = Vm("Always") with { TemplateEvictionStrategy = "LiveMigrateIfPossible" };

        var forecast = VmForecasts.Forecast(Vmi("LiveMigrate", true), vm, null, new VirtualMachinePolicy());

        forecast.EvictionStrategy.ShouldBe("LiveMigrate");
        forecast.Reason.ShouldEndWith("Running with LiveMigrate; LiveMigrateIfPossible applies after a restart.");
    }

    [Fact]
    public void A_machine_that_cannot_migrate_is_stopped_and_restored_if_the_policy_says_so_but_never_a_bare_instance()
    {
        var policy = new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown };

        VmForecasts.Forecast(Vmi("LiveMigrate", false), Vm("Manual"), null, policy).Fate.ShouldBe(VmFate.StoppedAndRestored);
        VmForecasts.Forecast(Vmi("LiveMigrate", false) with { Controller = null }, null, null, policy).Fate.ShouldBe(VmFate.Blocks);
        VmForecasts.Forecast(Vmi("LiveMigrate", false), Vm("WaitAsReceiver"), null, policy).Fate.ShouldBe(VmFate.Blocks);
        VmForecasts.Forecast(Vmi("LiveMigrate", false), Vm("Always") with { Running = true }, null, policy).Fate.ShouldBe(VmFate.Blocks);
    }

    [Fact]
    public void An_instance_of_a_replica_set_is_replaced_and_one_of_a_pool_names_it()
    {
        var policy = new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown };
        var ofSet = Vmi("LiveMigrate", false) with { Controller = new OwnerRef("VirtualMachineInstanceReplicaSet", "web", "rs") };
        var ofPool = Vm("Always") with { Controller = new OwnerRef("VirtualMachinePool", "desk", "pool") };

        var replaced = VmForecasts.Forecast(ofSet, null, null, policy);
        (replaced.Fate, replaced.Reason.Contains("its VirtualMachineInstanceReplicaSet web makes another")).ShouldBe((VmFate.RestartsElsewhere, true));
        VmForecasts.Forecast(Vmi("LiveMigrate", true), ofPool, null, policy).Reason.ShouldContain("It belongs to VirtualMachinePool desk.");
    }

    [Theory]
    [InlineData(StuckVmPolicy.Wait)]
    [InlineData(StuckVmPolicy.ShutDown)]
    public void What_blocks_is_ended_at_the_deadline_by_force_where_that_is_possible(StuckVmPolicy onNotMigratable)
    {
        var policy = new VirtualMachinePolicy { OnNotMigratable = onNotMigratable };
        var ofSet = Vmi("LiveMigrate", false) with { Controller = new OwnerRef("VirtualMachineInstanceReplicaSet", "web", "rs") };

        Forced(Vmi("LiveMigrate", false) with { Controller = null }, null).ShouldBe(VmFate.StaysDown);
        Forced(ofSet, null).ShouldBe(VmFate.RestartsElsewhere);
        Forced(Vmi("LiveMigrate", false), Vm("Manual")).ShouldBe(VmFate.StoppedAndRestored);
        Forced(Vmi("LiveMigrate", false), Vm("WaitAsReceiver")).ShouldBe(VmFate.Blocks);
        Forced(Vmi("LiveMigrate", false), Vm("Always") with { Running = true }).ShouldBe(VmFate.Blocks);
        Forced(Vmi("LiveMigrate", true), Vm("Always")).ShouldBe(VmFate.Migrates);

        VmFate Forced(VmiSnapshot vmi, VmSnapshot? vm) => VmForecasts.Forecast(vmi, vm, null, policy, new DrainPolicy { OnTimeout = DeadlinePolicy.Force }).Fate;
    }

    [Fact]
    public void A_machine_that_is_skipped_stays_on_the_node() =>
        VmForecasts.Forecast(Vmi("LiveMigrate", false), Vm("Always"), null, new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.Skip })
            .Fate.ShouldBe(VmFate.Stays);

    [Fact]
    public void HyperConverged_is_named_where_it_owns_the_setting() =>
        VmForecasts.Forecast(Vmi(null, true), Vm("Always"), KubeVirt("LiveMigrate") with { ManagedByHyperConverged = true }, new())
            .StrategySource.ShouldBe("HyperConverged");

    private static HoldMark Mark => new("drydock/hub/m0", """{"node":"node-2","runStrategy":"Always"}""");

    private static VmiSnapshot Vmi(string? strategy, bool migratable) => new(new ObjectRef("vms", "one"), "uid", "node-1")
    {
        Phase = "Running",
        EvictionStrategy = strategy,
        Controller = new OwnerRef("VirtualMachine", "one", "vm-uid"),
        LiveMigratable = new Condition("LiveMigratable", migratable ? "True" : "False", migratable ? null : "DisksNotLiveMigratable", null, null),
    };

    private static VmSnapshot Vm(string runStrategy) => new(new ObjectRef("vms", "one"), "vm-uid", "1") { RunStrategy = runStrategy };

    private static KubeVirtSnapshot KubeVirt(string? strategy) => new(new ObjectRef("kubevirt", "kubevirt"), strategy, 5, 2, "v1.9.0", false);
}

using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>What was asked of KubeVirt for a machine that stays is withdrawn, or told as left behind, however the maintenance ends.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineLeftTests
{
    private const string StillMarked =
        "Virtual machine vms/one is still marked for evacuation, so that it may leave later: This KubeVirt has no evacuate/cancel";

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_mark_that_a_KubeVirt_without_evacuate_cancel_keeps_after_a_cancel_is_told_as_left_behind(bool afterAnAbort)
    {
        await using var world = await World.StartAsync(NoRoom());
        SetVersion(world, "v1.5.0");
        await world.BeginAsync(Request(world, afterAnAbort ? Quick with { MaxAttempts = 5 } : null));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => (string?)migration["status"]?["phase"] == "Scheduling"));
        if (afterAnAbort)
        {
            await world.RunForAsync(TimeSpan.FromMinutes(1.5));
            (await VmAsync(world, "one")).Attempts.ShouldBe(1, "one was aborted, and KubeVirt has made another");
        }

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", null), CancellationToken.None);
        var report = await world.EndAsync();

        Mark(world).ShouldBe("node-1");
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, false));
        report.LeftBehind.ShouldHaveSingleItem().ShouldStartWith(StillMarked);
        report.VirtualMachines.ShouldHaveSingleItem().Message.ShouldContain("It is still marked for evacuation");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_mark_that_cannot_be_withdrawn_is_told_as_left_behind_at_the_deadline_too()
    {
        await using var world = await World.StartAsync(NoRoom());
        SetVersion(world, "v1.5.0");

        var report = await world.MaintainAsync(Request(world, Quick with { MaxAttempts = 9 }) with
        {
            Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(3), OnTimeout = DeadlinePolicy.Fail },
        });

        Mark(world).ShouldBe("node-1");
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, false), report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.StillThere);
        report.LeftBehind.ShouldHaveSingleItem().ShouldStartWith(StillMarked);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_refusal_to_take_an_evacuation_back_because_of_the_nodes_taint_is_told_in_KubeVirts_words_and_the_policy_decides()
    {
        await using var world = await World.StartAsync(NoRoom());
        await world.BeginAsync(Request(world, Quick with { MaxAttempts = 1, OnStuck = StuckVmPolicy.Skip }));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => (string?)migration["status"]?["phase"] == "Scheduling"));
        world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", node =>
        {
            node["spec"]!["taints"]!.AsArray().Add(new JsonObject { ["key"] = "kubevirt.io/drain", ["effect"] = "NoSchedule" });
            return true;
        });

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var vm = report.VirtualMachines.ShouldHaveSingleItem();
        vm.Outcome.ShouldBe(VmOutcome.Skipped);
        vm.Message.ShouldContain("KubeVirt does not take the evacuation back: node node-1 carries the taint kubevirt.io/drain");
        report.Findings.Single(finding => finding.Kind == "vm-still-marked").Message.ShouldStartWith("Virtual machine vms/one is still marked for evacuation");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_on_its_way_is_let_go_and_reported_when_the_API_server_was_away_for_longer_than_the_maintenance_waits()
    {
        await using var world = await World.StartAsync(NoRoom());
        await world.BeginAsync(Request(world));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => (string?)migration["status"]?["phase"] == "Scheduling"));
        var away = world.Time.GetUtcNow();
        world.Api.Intercept = request => request.Resource != "virtualmachineinstances.kubevirt.io" || request.IsDone || request.Verb == "watch"
            || world.Time.GetUtcNow() > away + TimeSpan.FromMinutes(25)
            ? Task.CompletedTask
            : throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out");

        var report = await world.EndAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, true), report.Message);
        var vm = report.VirtualMachines.ShouldHaveSingleItem();
        vm.Outcome.ShouldBe(VmOutcome.StillThere);
        vm.Message.ShouldContain("etcdserver: request timed out");
        Mark(world).ShouldBeNull("nobody expects it to leave once the node is in use again");
        Migrations(world, "one").ShouldAllBe(migration => IsOver(migration));
        report.LeftBehind.ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_cancel_while_the_API_server_is_away_is_kept_until_it_is_back_in_a_short_history()
    {
        await using var world = await World.StartAsync(NoRoom());
        await world.BeginAsync(Request(world));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => (string?)migration["status"]?["phase"] == "Scheduling"));
        var away = world.Time.GetUtcNow();
        world.Api.Intercept = request => request.Resource != "virtualmachineinstances.kubevirt.io" || request.IsDone || request.Verb == "watch"
            || world.Time.GetUtcNow() > away + TimeSpan.FromMinutes(12)
            ? Task.CompletedTask
            : throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out");
        await world.RunForAsync(TimeSpan.FromMinutes(2));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", null), CancellationToken.None);
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, true), report.Message);
        Mark(world).ShouldBeNull();
        (await world.HistoryEventsAsync(InstanceIds.Vm("m1", new ObjectRef("vms", "one")))).ShouldBeLessThan(500);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true, 30)]
    [InlineData(false, 30)]
    [InlineData(true, 180)]
    public async Task A_virt_api_that_is_away_does_not_keep_the_node_out_and_is_asked_again_once_the_node_is_back(bool isCancel, int minutesAway)
    {
        await using var world = await World.StartAsync(NoRoom());
        var request = Request(world);
        await world.BeginAsync(isCancel ? request : request with { Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(3), OnTimeout = DeadlinePolicy.Fail } });
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => (string?)migration["status"]?["phase"] == "Scheduling"));
        var back = world.Time.GetUtcNow() + TimeSpan.FromMinutes(minutesAway);
        world.Api.Intercept = seen => seen.Resource.EndsWith(".subresources.kubevirt.io", StringComparison.Ordinal) && !seen.IsDone && world.Time.GetUtcNow() < back
            ? throw new ApiException(503, "ServiceUnavailable", "no endpoints available for service \"virt-api\"")
            : Task.CompletedTask;
        if (isCancel)
        {
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", null), CancellationToken.None);
        }

        await world.RunForAsync(TimeSpan.FromMinutes(isCancel ? 4 : 7));
        var isCordoned = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable;
        var told = (await world.StatusAsync<RestoreStatus>(InstanceIds.Restore("m1")))!.VirtualMachines.ShouldHaveSingleItem().Message;
        var report = await world.EndAsync();

        isCordoned.ShouldBeFalse("what answers for KubeVirt may run on it");
        told.ShouldStartWith("It is told to stay: ");
        report.Outcome.ShouldBe(isCancel ? MaintenanceOutcome.Cancelled : MaintenanceOutcome.Failed, report.Message);
        report.LeftBehind.Count.ShouldBe(minutesAway == 30 ? 0 : 1);
        report.VirtualMachines.ShouldHaveSingleItem().Message.ShouldContain("no endpoints available for service \"virt-api\"");
        (Mark(world) is null).ShouldBe(minutesAway == 30);
        Migrations(world, "one").ShouldAllBe(migration => minutesAway != 30 || IsOver(migration));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_whose_start_nobody_answers_is_told_meanwhile()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }));
        await world.BeginAsync(Request(world, new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown }) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var back = world.Time.GetUtcNow() + TimeSpan.FromMinutes(30);
        world.Api.Intercept = seen => seen is { IsChange: true, IsDone: false } && seen.Resource.StartsWith("virtualmachines.", StringComparison.Ordinal) && world.Time.GetUtcNow() < back
            ? throw new ApiException(503, "ServiceUnavailable", "not now")
            : Task.CompletedTask;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var told = (await world.StatusAsync<RestoreStatus>(InstanceIds.Restore("m1")))!.VirtualMachines.ShouldHaveSingleItem();
        var report = await world.EndAsync();

        (told.Vmi, told.Message).ShouldBe((new ObjectRef("vms", "one"), "It is put back as soon as KubeVirt answers, for two hours."));
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
    }

    private static string? Mark(World world) => (string?)Vmi(world, "one")!["status"]!["evacuationNodeName"];
}

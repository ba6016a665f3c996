using Drydock.Kubernetes;
using Drydock.Maintenance.VirtualMachines;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>Start, stop, restart and migrate of one machine: what is so already, what KubeVirt refuses, and what a person reads.</summary>
public sealed class VmCallRulesTests
{
    private const string Preamble = "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"one\": ";

    private static readonly ObjectRef Vm = new("vms", "one");

    [Theory]
    [InlineData(VmCall.Start, "Always", "Running", "Virtual machine vms/one runs already.")]
    [InlineData(VmCall.Start, "Manual", "Scheduling", "Virtual machine vms/one is starting already (Scheduling).")]
    [InlineData(VmCall.Stop, "Halted", null, "Virtual machine vms/one is stopped already.")]
    [InlineData(VmCall.Stop, "Manual", null, "Virtual machine vms/one is stopped already.")]
    [InlineData(VmCall.Stop, "Manual", "Succeeded", "Virtual machine vms/one is stopped already.")]
    [InlineData(VmCall.Stop, "RerunOnFailure", null, "Virtual machine vms/one is stopped already.")]
    [InlineData(VmCall.Stop, "Halted", "Running", "Virtual machine vms/one is being stopped already.")]
    [InlineData(VmCall.Start, "Halted", null, null)]
    [InlineData(VmCall.Start, "Manual", "Succeeded", null)]
    [InlineData(VmCall.Stop, "Always", null, null)]
    [InlineData(VmCall.Stop, "Once", "Succeeded", null)]
    [InlineData(VmCall.Restart, "Always", "Running", null)]
    [InlineData(VmCall.Migrate, "Always", "Running", null)]
    public void What_is_so_already_is_told_and_nothing_is_called(VmCall call, string strategy, string? phase, string? sentence)
    {
        var report = VmCallRules.WithoutCall(new VmCallRequest(Vm, call), Reading(strategy, phase));

        (report?.End, report?.Message).ShouldBe((sentence is null ? (VmCallEnd?)null : VmCallEnd.Already, sentence));
    }

    [Theory]
    [InlineData(VmCall.Start, "Once", "Succeeded", "Once does not support manual start requests", "With run strategy Once it runs once")]
    [InlineData(VmCall.Start, "Always", null, "Always does not support manual start requests", "KubeVirt starts it by itself")]
    [InlineData(VmCall.Start, "RerunOnFailure", "Failed", "RerunOnFailure does not support starting VM from failed state", "starts it again by itself after a failure")]
    [InlineData(VmCall.Restart, "Halted", null, "RunStategy Halted does not support manual restart requests", "drydock vm start vms/one")]
    [InlineData(VmCall.Restart, "Manual", null, "VM is not running: Halted", "drydock vm start vms/one")]
    [InlineData(VmCall.Restart, "Once", "Running", "RunStategy Once does not support manual restart requests", "is not restarted")]
    [InlineData(VmCall.Migrate, "Always", "Scheduling", "VM is not running", "wait until it runs")]
    [InlineData(VmCall.Migrate, "Manual", "Succeeded", "VM is not running", "Only a running machine migrates.")]
    public void A_refusal_is_KubeVirts_sentence_without_its_preamble_and_what_to_do(
        VmCall call, string strategy, string? phase, string words, string next)
    {
        var sentence = VmCallRules.Explain(new VmCallRequest(Vm, call), Reading(strategy, phase), new VmCallOutcome(false, 409, Preamble + words));

        sentence.ShouldStartWith($"Virtual machine vms/one: {words}. ");
        sentence.ShouldContain(next);
    }

    [Theory]
    [InlineData(false, VmCallEnd.Refused, "Virtual machine vms/one is still being stopped. When it is down: drydock vm start vms/one")]
    [InlineData(true, VmCallEnd.Already, "Virtual machine vms/one is being restarted already.")]
    public void A_start_of_a_machine_that_still_goes_down_is_not_told_that_it_runs(bool startsAgain, VmCallEnd end, string sentence)
    {
        var report = VmCallRules.WithoutCall(
            new VmCallRequest(Vm, VmCall.Start), Reading("Manual", "Running") with { IsStopping = true, StartsAgain = startsAgain });

        (report?.End, report?.Message).ShouldBe((end, sentence));
    }

    [Fact]
    public void A_restart_of_a_machine_that_still_goes_down_is_told_to_start_it_later() => VmCallRules.Explain(
        new VmCallRequest(Vm, VmCall.Restart), Reading("Halted", "Running") with { IsStopping = true },
        new VmCallOutcome(false, 409, Preamble + "RunStategy Halted does not support manual restart requests"))
        .ShouldEndWith("It is still being stopped. When it is down: drydock vm start vms/one");

    [Fact]
    public void The_refusal_of_a_webhook_inside_a_500_is_told_by_its_reason() => VmCallRules.Explain(
        new VmCallRequest(Vm, VmCall.Migrate), Reading("Always", "Running"),
        new VmCallOutcome(false, 500, "Internal error occurred: admission webhook \"migration-create-validator.kubevirt.io\" denied the request: "
            + "Cannot migrate VMI, Reason: HostDeviceNotLiveMigratable, Message: VMI specifies non-migratable generic PCI host device"))
        .ShouldBe("Virtual machine vms/one: Cannot migrate VMI, Reason: HostDeviceNotLiveMigratable, Message: VMI specifies non-migratable generic "
            + "PCI host device. Stop it instead, or make it migratable.");

    [Fact]
    public void A_machine_that_a_maintenance_stopped_is_left_to_it()
    {
        var report = VmCallRules.WithoutCall(
            new VmCallRequest(Vm, VmCall.Start), Reading("Halted", null) with { HeldBy = "drydock/hub/m-1" })!;

        report.End.ShouldBe(VmCallEnd.Refused);
        report.Message.ShouldContain("maintenance m-1");
        report.Message.ShouldContain("which starts it again with its run strategy");
    }

    [Theory]
    [InlineData("node-1", "Cancel that, or wait for it; if it is over: drydock restore node-1")]
    [InlineData(null, "Cancel that, or wait for it.")]
    public void A_mark_that_a_maintenance_left_behind_goes_by_a_restore_of_its_node(string? node, string next) =>
        VmCallRules.WithoutCall(new VmCallRequest(Vm, VmCall.Start), Reading("Halted", null) with { HeldBy = "drydock/hub/m-1", StoppedFor = node })!
            .Message.ShouldEndWith($" run strategy. {next}");

    [Fact]
    public void Both_keys_are_refused_as_KubeVirt_refuses_them() =>
        VmCallRules.WithoutCall(new VmCallRequest(Vm, VmCall.Start), Reading("Always", null) with { HasBothKeys = true })!
            .Message.ShouldContain("Running and RunStrategy are mutually exclusive");

    [Theory]
    [InlineData("Always", "Halted", "Its run strategy was Always and is Halted now.")]
    [InlineData("RerunOnFailure", "RerunOnFailure", "Its run strategy stays RerunOnFailure.")]
    [InlineData("RerunOnFailure", "Halted", "Its run strategy was RerunOnFailure and is Halted now.")]
    public void The_run_strategy_after_a_stop_is_what_the_API_says(string before, string after, string sentence) =>
        VmCallRules.Report(new VmCallRequest(Vm, VmCall.Stop), Reading(before, "Running"), Reading(after, "Running") with { HasRequests = true })
            .Message.ShouldBe($"Virtual machine vms/one is being stopped. {sentence}");

    [Fact]
    public void A_stop_that_KubeVirt_accepts_and_ignores_is_told() =>
        VmCallRules.Report(new VmCallRequest(Vm, VmCall.Stop), Reading("WaitAsReceiver", "Running"), Reading("WaitAsReceiver", "Running"))
            .End.ShouldBe(VmCallEnd.Refused);

    [Theory]
    [InlineData(VmCall.Stop, true)]
    [InlineData(VmCall.Restart, true)]
    [InlineData(VmCall.Start, false)]
    public void A_rerun_knows_the_request_that_its_call_left(VmCall call, bool wasAlive)
    {
        var before = Reading("Manual", wasAlive ? "Running" : null);

        VmCallRules.IsDone(call, before, before).ShouldBeFalse();
        VmCallRules.IsDone(call, before, before with { HasRequests = true }).ShouldBeTrue();
    }

    [Theory]
    [InlineData(VmCall.Migrate, "Running", false, null)]
    [InlineData(VmCall.Stop, "Running", false, "is about to be shut down by maintenance m-1, which empties node node-1 and starts it again elsewhere. Migrate it, cancel that, or wait for it; if it is over: drydock restore node-1")]
    [InlineData(VmCall.Restart, "Running", false, "is about to be shut down by maintenance m-1, which empties node node-1 and starts it again elsewhere. Migrate it, cancel that, or wait for it; if it is over: drydock restore node-1")]
    [InlineData(VmCall.Migrate, "Running", true, "is being shut down by maintenance m-1, which empties node node-1 and starts it again elsewhere. Cancel that, or wait for it; if it is over: drydock restore node-1")]
    [InlineData(VmCall.Start, null, false, "was shut down by maintenance m-1, which empties node node-1 and starts it again elsewhere. Cancel that, or wait for it; if it is over: drydock restore node-1")]
    public void A_machine_that_a_drain_is_to_shut_down_may_still_leave_by_itself(VmCall call, string? phase, bool isLeaving, string? sentence)
    {
        var report = VmCallRules.WithoutCall(
            new VmCallRequest(Vm, call), Reading("RerunOnFailure", phase) with { HeldBy = "drydock/hub/m-1", EvictedFrom = "node-1", IsLeaving = isLeaving });

        (report?.End, report?.Message).ShouldBe(sentence is null ? (null, null) : (VmCallEnd.Refused, $"Virtual machine vms/one {sentence}"));
    }

    private static VmReading Reading(string strategy, string? phase) => new()
    {
        Exists = true,
        RunStrategy = strategy,
        Phase = phase,
        InstanceUid = phase is null ? null : "uid",
    };
}

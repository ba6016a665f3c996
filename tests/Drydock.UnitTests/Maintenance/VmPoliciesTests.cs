using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.VirtualMachines;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>What holds for one virtual machine.</summary>
public sealed class VmPoliciesTests
{
    private static readonly ObjectRef Vm = new("vms", "one");

    [Fact]
    public void The_requests_word_on_a_machine_comes_before_its_annotations_and_those_before_the_policy()
    {
        var policy = new VirtualMachinePolicy { OnStuck = StuckVmPolicy.Fail, OnNotMigratable = StuckVmPolicy.Fail };
        var annotated = new VirtualMachineOverride("vms/one") { OnStuck = StuckVmPolicy.Skip, OnNotMigratable = StuckVmPolicy.Skip };
        var asked = policy with { Overrides = [new("vms/two") { OnStuck = StuckVmPolicy.Wait }, new("vms/one") { OnStuck = StuckVmPolicy.ShutDown }] };

        Both(VmPolicies.For(policy, Vm, null)).ShouldBe((StuckVmPolicy.Fail, StuckVmPolicy.Fail));
        Both(VmPolicies.For(policy, Vm, annotated)).ShouldBe((StuckVmPolicy.Skip, StuckVmPolicy.Skip));
        Both(VmPolicies.For(asked, Vm, annotated)).ShouldBe((StuckVmPolicy.ShutDown, StuckVmPolicy.Skip));
    }

    [Fact]
    public void Annotations_count_only_where_the_policy_allows_them()
    {
        var vm = Annotated("shutdown");

        var asks = new VirtualMachinePolicy { AllowAnnotations = true };
        var names = new MaintenancePolicy("p") { AllowedVmAnnotations = [VmPolicies.OnStuck, "somebody.else/key"] };

        VmPolicies.Annotated(VmPolicies.Allowed(asks, names), vm)!.OnStuck.ShouldBe(StuckVmPolicy.ShutDown);
        VmPolicies.Annotated(VmPolicies.Allowed(new VirtualMachinePolicy(), names), vm).ShouldBeNull("the request does not want them");
        VmPolicies.Annotated(VmPolicies.Allowed(asks, new MaintenancePolicy("p")), vm).ShouldBeNull("its policy names none");
        VmPolicies.Annotated(VmPolicies.Allowed(asks, null), vm).ShouldBeNull("it names no policy");
        VmPolicies.Annotated(VmPolicies.Allowed(asks, names with { AllowedVmAnnotations = [VmPolicies.OnNotMigratable] }), vm).ShouldBeNull();
        VmPolicies.Allowed(asks with { AllowedAnnotations = [VmPolicies.OnStuck] }, null).AllowedAnnotations.ShouldBeEmpty("a request cannot allow itself");
    }

    [Theory]
    [InlineData("sometimes")]
    [InlineData("1")]
    [InlineData("")]
    public void An_annotation_that_says_nothing_that_is_allowed_is_told_and_does_not_count(string text)
    {
        var policy = new VirtualMachinePolicy { AllowAnnotations = true };

        VmPolicies.Annotated(policy, Annotated(text))!.OnStuck.ShouldBeNull();
        VmPolicies.Problems(policy, Annotated(text), isAsked: true).ShouldHaveSingleItem().ShouldBe(
            $"Annotation drydock.dev/on-stuck of virtual machine vms/one is '{text}'; allowed: Wait, ShutDown, Fail, Skip. The request's policy holds.");
        VmPolicies.Problems(new VirtualMachinePolicy(), Annotated(text), isAsked: false).ShouldBeEmpty();
    }

    private static VmSnapshot Annotated(string onStuck) =>
        new(Vm, "uid", "1") { Annotations = new Dictionary<string, string> { ["drydock.dev/on-stuck"] = onStuck } };

    private static (StuckVmPolicy OnStuck, StuckVmPolicy OnNotMigratable) Both(VirtualMachinePolicy policy) => (policy.OnStuck, policy.OnNotMigratable);
}

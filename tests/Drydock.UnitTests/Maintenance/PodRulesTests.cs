using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Planning;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>kubectl's filters in kubectl's order (facts 2.2).</summary>
public sealed class PodRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static readonly DrainPolicy Kubectl = new();

    [Theory]
    [InlineData("managed", PodVerdict.Evict, "evict")]
    [InlineData("daemon-set", PodVerdict.Keep, "daemon-set")]
    [InlineData("mirror", PodVerdict.Keep, "mirror-pod")]
    [InlineData("empty-dir", PodVerdict.Deny, "local-storage")]
    [InlineData("unmanaged", PodVerdict.Deny, "unmanaged")]
    [InlineData("finished unmanaged", PodVerdict.Evict, "finished")]
    [InlineData("finished empty-dir", PodVerdict.Evict, "finished")]
    [InlineData("finished daemon-set", PodVerdict.Evict, "finished")]
    [InlineData("launcher", PodVerdict.MoveVm, "virtual-machine")]
    [InlineData("finished launcher", PodVerdict.Evict, "finished")]
    [InlineData("daemon-set empty-dir", PodVerdict.Keep, "daemon-set")]
    [InlineData("mirror empty-dir unmanaged", PodVerdict.Keep, "mirror-pod")]
    public void Without_switches_a_pod_is_decided_as_kubectl_decides_it(string what, PodVerdict verdict, string rule)
    {
        var decision = PodRules.Decide(new PodFacts(Pod(what)), Kubectl, Now);

        (decision.Verdict, decision.Rule).ShouldBe((verdict, rule));
    }

    [Fact]
    public void Each_switch_lets_through_what_it_names()
    {
        Decide("empty-dir", Kubectl with { DeleteEmptyDirData = true }).ShouldBe(PodVerdict.Evict);
        Decide("unmanaged", Kubectl with { EvictUnmanaged = true }).ShouldBe(PodVerdict.Evict);
        Decide("daemon-set", Kubectl with { IgnoreDaemonSets = false }).ShouldBe(PodVerdict.Deny);
    }

    [Fact]
    public void A_pod_of_a_missing_DaemonSet_is_evicted_only_by_force()
    {
        var orphan = new PodFacts(Pod("daemon-set"), DaemonSetExists: false);

        PodRules.Decide(orphan, Kubectl, Now).Rule.ShouldBe("daemon-set-missing");
        PodRules.Decide(orphan, Kubectl with { EvictUnmanaged = true }, Now).Verdict.ShouldBe(PodVerdict.Evict);
    }

    [Fact]
    public void A_pod_that_terminates_longer_than_asked_does_not_hold_the_drain()
    {
        var pod = Pod("managed") with { DeletionRequestedAt = Now - TimeSpan.FromMinutes(2) };

        PodRules.Decide(new PodFacts(pod), Kubectl with { SkipTerminatingAfter = TimeSpan.FromMinutes(1) }, Now).Verdict.ShouldBe(PodVerdict.Keep);
        PodRules.Decide(new PodFacts(pod), Kubectl with { SkipTerminatingAfter = TimeSpan.FromMinutes(3) }, Now).Verdict.ShouldBe(PodVerdict.Evict);
    }

    private static PodVerdict Decide(string what, DrainPolicy policy) => PodRules.Decide(new PodFacts(Pod(what)), policy, Now).Verdict;

    private static PodSnapshot Pod(string what) => new(new ObjectRef("default", "pod"), "uid", "node-1")
    {
        Phase = what.Contains("finished") ? "Succeeded" : "Running",
        IsMirror = what.Contains("mirror"),
        HasEmptyDir = what.Contains("empty-dir") || what.Contains("launcher"),
        Controller = what.Contains("unmanaged") ? null
            : what.Contains("daemon-set") ? new OwnerRef("DaemonSet", "agent", "d")
            : what.Contains("launcher") ? new OwnerRef("VirtualMachineInstance", "vm", "v")
            : new OwnerRef("ReplicaSet", "web", "r"),
        Labels = what.Contains("launcher") ? new Dictionary<string, string> { ["kubevirt.io"] = "virt-launcher" } : [],
    };
}

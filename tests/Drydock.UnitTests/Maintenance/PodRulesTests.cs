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
        var forced = PodRules.Decide(orphan, Kubectl with { EvictUnmanaged = true }, Now);
        (forced.Verdict, forced.Reason).ShouldBe((PodVerdict.Evict, "Its DaemonSet agent does not exist: nothing will bring it back; that was accepted."));
    }

    [Fact]
    public void A_pod_that_terminates_longer_than_asked_does_not_hold_the_drain()
    {
        // As kubectl counts: from deletionTimestamp, which is when the grace period ends, and not from the request.
        var pod = Pod("managed") with { DeletionRequestedAt = Now - TimeSpan.FromMinutes(12), GoneBy = Now - TimeSpan.FromMinutes(2) };

        PodRules.Decide(new PodFacts(pod), Kubectl with { SkipTerminatingAfter = TimeSpan.FromMinutes(1) }, Now).Verdict.ShouldBe(PodVerdict.Keep);
        PodRules.Decide(new PodFacts(pod), Kubectl with { SkipTerminatingAfter = TimeSpan.FromMinutes(3) }, Now).Verdict.ShouldBe(PodVerdict.Evict);
    }

    [Theory]
    [InlineData("empty-dir", "cannot delete Pods with local storage (use --delete-emptydir-data to override)")]
    [InlineData("unmanaged", "cannot delete Pods that declare no controller (use --force to override)")]
    [InlineData("daemon-set", "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)")]
    public void A_pod_that_refuses_the_drain_says_so_in_kubectls_words_with_the_switch(string what, string words) =>
        PodRules.Decide(new PodFacts(Pod(what)), Kubectl with { IgnoreDaemonSets = false }, Now).Reason.ShouldContain(words);

    [Theory]
    [InlineData("managed", DrainBehavior.Skip, PodVerdict.Keep, 0)]
    [InlineData("managed", DrainBehavior.WaitForCompletion, PodVerdict.AwaitCompletion, 0)]
    [InlineData("managed", DrainBehavior.Evict, PodVerdict.Evict, 7)]
    [InlineData("finished", DrainBehavior.WaitForCompletion, PodVerdict.Evict, 7)]
    [InlineData("launcher", DrainBehavior.Skip, PodVerdict.Keep, 0)]
    [InlineData("launcher", DrainBehavior.Evict, PodVerdict.MoveVm, 7)]
    [InlineData("daemon-set", DrainBehavior.Evict, PodVerdict.Keep, 0)]
    [InlineData("mirror", DrainBehavior.WaitForCompletion, PodVerdict.Keep, 0)]
    [InlineData("unmanaged", DrainBehavior.Evict, PodVerdict.Deny, 0)]
    public void A_rule_of_the_request_applies_after_kubectls_own(string what, DrainBehavior behavior, PodVerdict verdict, int order)
    {
        var facts = new PodFacts(Pod(what)) { Rule = new DrainRule(behavior) { PodSelector = "app=x", Order = 7 } };

        var decision = PodRules.Decide(facts, Kubectl, Now);

        (decision.Verdict, decision.Order).ShouldBe((verdict, order));
    }

    [Fact]
    public void The_pod_selector_comes_before_every_rule_as_in_kubectl() =>
        PodRules.Decide(new PodFacts(Pod("unmanaged")) { IsSelected = false }, Kubectl, Now).Rule.ShouldBe("pod-selector");

    [Fact]
    public void The_label_of_Cluster_API_leaves_a_pod_where_it_is()
    {
        var pod = Pod("managed") with { Labels = new Dictionary<string, string> { ["cluster.x-k8s.io/drain"] = "skip" } };

        PodRules.Decide(new PodFacts(pod), Kubectl, Now).Rule.ShouldBe("drain-label");
    }

    [Fact]
    public void A_finished_pod_is_kept_if_asked_for() =>
        PodRules.Decide(new PodFacts(Pod("finished")), Kubectl with { KeepFinished = true }, Now).Verdict.ShouldBe(PodVerdict.Keep);

    [Fact]
    public void A_pod_that_attaches_a_hotplugged_volume_goes_with_its_virtual_machine()
    {
        var pod = Pod("empty-dir") with { Ref = new ObjectRef("default", "hp-volume-abc"), Controller = new OwnerRef("Pod", "virt-launcher-vm-x", "l") };

        (PodRules.Decide(new PodFacts(pod), Kubectl, Now) is { Verdict: PodVerdict.MoveVm, Rule: "hotplug-volume" }).ShouldBeTrue();
    }

    [Fact]
    public void The_first_rule_whose_selectors_match_is_the_one()
    {
        var policy = Kubectl with
        {
            Rules =
            [
                new DrainRule(DrainBehavior.Skip) { PodSelector = "app=db", NamespaceSelector = "team=a" },
                new DrainRule(DrainBehavior.WaitForCompletion) { PodSelector = "app" },
            ],
        };
        var pod = Pod("managed") with { Labels = new Dictionary<string, string> { ["app"] = "db" } };
        var selectors = new DrainSelectors(policy);

        selectors.RuleFor(pod, new Dictionary<string, string> { ["team"] = "a" })!.Behavior.ShouldBe(DrainBehavior.Skip);
        selectors.RuleFor(pod, new Dictionary<string, string> { ["team"] = "b" })!.Behavior.ShouldBe(DrainBehavior.WaitForCompletion);
        selectors.RuleFor(Pod("managed"), new Dictionary<string, string>()).ShouldBeNull();
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

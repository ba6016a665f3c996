using System.Text.Json;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Health;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance.Health;

public sealed class HealthRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 0, 0, TimeSpan.Zero);

    private static readonly NodeSnapshot Healthy = new("n", "u", "1")
    {
        BootId = "old",
        KubeletVersion = "v1.36.2",
        Labels = new Dictionary<string, string> { ["kubevirt.io/schedulable"] = "true" },
        Annotations = new Dictionary<string, string> { ["kubevirt.io/heartbeat"] = "2026-01-02T02:59:30Z" },
        Conditions = [new Condition("Ready", "True", "KubeletReady", null, Now.AddHours(-1))],
    };

    private static readonly NodeTaint Cordon = new("node.kubernetes.io/unschedulable", null, "NoSchedule");

    private static readonly HealthBaseline Before = new(true, true, ["kube-system/was-broken"]) { BootId = "old", CsiDrivers = ["csi.a"] };

    /// <summary>What is seen, what is asked for, and the check that fails with what it saw; null: healthy.</summary>
    public static TheoryData<string, string?> Table => new()
    {
        { "healthy", null },
        { "gone", "node-exists: The node is gone." },
        { "not ready", "ready: Ready is False (KubeletNotReady)." },
        { "ready too short", "ready-steady: Ready since 02:59:58, wanted for 10s." },
        { "ready by a clock that is an hour ahead, just seen", "ready-steady: Ready since 02:59:58, wanted for 10s." },
        { "ready by a clock that is an hour ahead, seen a while ago", null },
        { "rebooted by somebody, ready by a clock that is an hour ahead", null },
        { "under pressure", "no-pressure: DiskPressure: disk is full" },
        { "MemoryPressure", "no-pressure: MemoryPressure: it is so" },
        { "PIDPressure", "no-pressure: PIDPressure: it is so" },
        { "NetworkUnavailable", "no-pressure: NetworkUnavailable: it is so" },
        { "not rebooted", "boot-id: The node has not rebooted: its boot ID is still old." },
        { "rebooted", null },
        { "rebooted just now, never not Ready", "ready-steady: Ready since 02:59:55, wanted for 10s." },
        { "kubelet too old", "kubelet-version: The kubelet is v1.36.2, at least v1.37 is wanted." },
        { "not schedulable", "kubevirt-schedulable: Label kubevirt.io/schedulable is false." },
        { "heartbeat of six minutes ago", "kubevirt-heartbeat: The last heartbeat of virt-handler is from 2026-01-02 02:54:00Z." },
        { "heartbeat from before the boot", "kubevirt-heartbeat: The last heartbeat of virt-handler (02:59:30) is from before the boot (02:59:40)." },
        { "booted by somebody before the check, never not Ready", "kubevirt-heartbeat: The last heartbeat of virt-handler (02:59:30) is from before the boot (02:59:40)." },
        { "booted by somebody, Ready long after the check began", null },
        { "DaemonSet pod not ready", "daemon-set-pods: Pod kube-system/agent-1 of DaemonSet agent is not Ready." },
        { "DaemonSet pod that was not ready before", null },
        { "DaemonSet pod missing", "daemon-sets: DaemonSet kube-system/agent has no pod on the node any more." },
        { "DaemonSet pod failed", "daemon-sets: Pod kube-system/agent-1 of DaemonSet agent is Failed, and there is none in its place yet." },
        { "DaemonSet pod being deleted", "daemon-sets: Pod kube-system/agent-1 of DaemonSet agent is being deleted, and there is none in its place yet." },
        { "DaemonSet pod replaced", null },
        { "DaemonSet pod missing that tolerates what its controller adds", "daemon-sets: DaemonSet kube-system/agent has no pod on the node any more." },
        { "DaemonSet pod missing, and the taints of the maintenance keep it away", null },
        { "DaemonSet pod missing, and it selects other nodes", null },
        { "DaemonSet pod missing, and the DaemonSet too", null },
        { "DaemonSet pod missing, stored before they were kept", null },
        { "virt-handler missing, and the taints of the maintenance keep it away", null },
        { "virt-handler missing, and nothing keeps it away", "kubevirt-schedulable: Label kubevirt.io/schedulable is false.|kubevirt-heartbeat: The last heartbeat of virt-handler is from 2026-01-02 02:50:00Z.|daemon-sets: DaemonSet kubevirt/virt-handler has no pod on the node any more." },
        { "CSI driver gone", "csi-drivers: CSI driver csi.a is not registered on the node any more." },
        { "CSI driver gone, and the taints of the maintenance keep a DaemonSet away", "csi-drivers: CSI driver csi.a is not registered on the node any more. The taints of the maintenance keep DaemonSet kubevirt/virt-handler away until the node is put back; if that is what registers it, the health check cannot pass." },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void A_node_is_healthy_or_the_failing_check_says_what_it_saw(string seen, string? expected)
    {
        var (facts, demand) = Case(seen);

        var failing = HealthRules.Check(facts, demand, Now);

        failing.Select(check => $"{check.Check}: {check.Saw}").ShouldBe(expected?.Split('|') ?? []);
    }

    private static (HealthFacts Facts, HealthDemand Demand) Case(string seen)
    {
        var facts = new HealthFacts(Healthy, [], ["csi.a"]);
        var demand = new HealthDemand(Before, new HealthPolicy(), MustReboot: false, RebootedAt: null);
        var booted = Healthy with { BootId = "new" };
        return seen switch
        {
            "healthy" => (facts, demand),
            "gone" => (facts with { Node = null }, demand),
            "not ready" => (facts with { Node = Ready("False", Now.AddHours(-1)) }, demand),
            "ready too short" => (facts with { Node = Ready("True", Now.AddSeconds(-2)) }, demand),
            "ready by a clock that is an hour ahead, just seen" => (facts with { Node = Ready("True", Now.AddHours(1)), ReadySeenAt = Now.AddSeconds(-2) }, demand),
            "ready by a clock that is an hour ahead, seen a while ago" => (facts with { Node = Ready("True", Now.AddHours(1)), ReadySeenAt = Now.AddSeconds(-11) }, demand),
            "rebooted by somebody, ready by a clock that is an hour ahead" => (
                facts with { Node = Ready("True", Now.AddHours(1)) with { BootId = "new" }, ReadySeenAt = Now.AddMinutes(-1) }, demand with { AskedAt = Now.AddMinutes(-2) }),
            "under pressure" => (facts with { Node = Healthy with { Conditions = [.. Healthy.Conditions, new Condition("DiskPressure", "True", "x", "disk is full", Now)] } }, demand),
            "MemoryPressure" or "PIDPressure" or "NetworkUnavailable" =>
                (facts with { Node = Healthy with { Conditions = [.. Healthy.Conditions, new Condition(seen, "True", "x", "it is so", Now)] } }, demand),
            "not rebooted" => (facts, demand with { MustReboot = true }),
            "rebooted" => (facts with { Node = booted }, demand with { MustReboot = true, RebootedAt = Now.AddMinutes(-5) }),
            "rebooted just now, never not Ready" => (facts with { Node = Beat(booted, "02:59:58") }, demand with { MustReboot = true, RebootedAt = Now.AddSeconds(-5) }),
            "kubelet too old" => (facts, demand with { Policy = new HealthPolicy { KubeletVersion = "v1.37" } }),
            "not schedulable" => (facts with { Node = Healthy with { Labels = new Dictionary<string, string> { ["kubevirt.io/schedulable"] = "false" } } }, demand),
            "heartbeat of six minutes ago" => (facts with { Node = Beat(Healthy, "02:54:00") }, demand),
            "heartbeat from before the boot" => (facts with { Node = booted }, demand with { RebootedAt = Now.AddSeconds(-20) }),
            "booted by somebody before the check, never not Ready" => (facts with { Node = booted }, demand with { AskedAt = Now.AddSeconds(-20) }),
            "booted by somebody, Ready long after the check began" => (
                facts with { Node = Beat(booted, "02:59:50") with { Conditions = [new Condition("Ready", "True", "KubeletReady", null, Now.AddSeconds(-15))] } },
                demand with { AskedAt = Now.AddMinutes(-4) }),
            "DaemonSet pod not ready" => (facts with { Pods = [DaemonSetPod("agent")] }, demand),
            "DaemonSet pod that was not ready before" => (facts with { Pods = [DaemonSetPod("was-broken")] }, demand),
            "CSI driver gone" => (facts with { CsiDrivers = [] }, demand),
            "virt-handler missing, and the taints of the maintenance keep it away" => VirtHandler(facts, demand, new NodeTaint("medik8s.io/drain", null, "NoSchedule")),
            "virt-handler missing, and nothing keeps it away" => VirtHandler(facts, demand),
            "CSI driver gone, and the taints of the maintenance keep a DaemonSet away" =>
                VirtHandler(facts with { CsiDrivers = [] }, demand, new NodeTaint("medik8s.io/drain", null, "NoSchedule")),
            _ => DaemonSetCase(seen, facts, demand),
        };
    }

    /// <summary>A DaemonSet had a Ready pod before; what is there now.</summary>
    private static (HealthFacts Facts, HealthDemand Demand) DaemonSetCase(string seen, HealthFacts facts, HealthDemand demand)
    {
        var name = new ObjectRef("kube-system", "agent");
        demand = demand with { Before = Before with { DaemonSets = [name.ToString()] } };
        facts = facts with { DaemonSets = new Dictionary<ObjectRef, PodPlacement> { [name] = PodPlacement.Anywhere } };
        var (pod, tainted) = (DaemonSetPod("agent"), Healthy with { Unschedulable = true, Taints = [Cordon] });
        return seen switch
        {
            "DaemonSet pod missing" => (facts, demand),
            "DaemonSet pod failed" => (facts with { Pods = [pod with { Phase = "Failed" }] }, demand),
            "DaemonSet pod being deleted" => (facts with { Pods = [pod with { DeletionRequestedAt = Now }] }, demand),
            "DaemonSet pod replaced" => (facts with { Pods = [pod with { Phase = "Failed" }, pod with { IsReady = true }] }, demand),
            "DaemonSet pod missing that tolerates what its controller adds" => (facts with { Node = tainted }, demand),
            "DaemonSet pod missing, and the taints of the maintenance keep it away" =>
                (facts with { Node = tainted with { Taints = [Cordon, new NodeTaint("medik8s.io/drain", null, "NoSchedule")] } }, demand),
            "DaemonSet pod missing, and it selects other nodes" => (facts with
            {
                DaemonSets = new Dictionary<ObjectRef, PodPlacement>
                {
                    [name] = new() { NodeSelector = new Dictionary<string, string> { ["kernel"] = "5.14" } },
                },
            }, demand),
            "DaemonSet pod missing, and the DaemonSet too" => (facts with { DaemonSets = new Dictionary<ObjectRef, PodPlacement>() }, demand),
            "DaemonSet pod missing, stored before they were kept" => (facts, demand with { Before = Before }),
            _ => throw new ArgumentOutOfRangeException(nameof(seen), seen, "No such case."),
        };
    }

    /// <summary>virt-handler was updated during the maintenance: its old pod is gone.</summary>
    private static (HealthFacts Facts, HealthDemand Demand) VirtHandler(HealthFacts facts, HealthDemand demand, params NodeTaint[] taints)
    {
        var name = new ObjectRef("kubevirt", "virt-handler");
        var node = Beat(Healthy, "02:50:00") with { Taints = taints, Labels = new Dictionary<string, string> { ["kubevirt.io/schedulable"] = "false" } };
        return (facts with { Node = node, DaemonSets = new Dictionary<ObjectRef, PodPlacement> { [name] = PodPlacement.Anywhere } },
            demand with { Before = Before with { DaemonSets = [name.ToString()] } });
    }

    private static NodeSnapshot Ready(string status, DateTimeOffset since) =>
        Healthy with { Conditions = [new Condition("Ready", status, "KubeletNotReady", null, since)] };

    private static NodeSnapshot Beat(NodeSnapshot node, string time) =>
        node with { Annotations = new Dictionary<string, string> { ["kubevirt.io/heartbeat"] = $"2026-01-02T{time}Z" } };

    private static PodSnapshot DaemonSetPod(string daemonSet) => new(new ObjectRef("kube-system", $"{daemonSet}-1"), "u", "n")
    {
        Phase = "Running", Controller = new OwnerRef("DaemonSet", daemonSet, "d"),
    };

    [Fact]
    public void Of_the_DaemonSets_of_a_node_those_with_a_Ready_pod_are_kept_and_an_older_record_keeps_none()
    {
        var pods = new[] { DaemonSetPod("was-broken"), DaemonSetPod("agent") with { IsReady = true }, DaemonSetPod("gone") with { Phase = "Failed" } };

        var baseline = HealthBaseline.Of(Healthy, pods, []);
        var older = JsonSerializer.Deserialize<HealthBaseline>("""{"HadKubeVirt":false,"HadHeartbeat":false,"UnreadyDaemonSets":[]}""")!;

        baseline.UnreadyDaemonSets.ShouldBe(["kube-system/was-broken"]);
        baseline.DaemonSets.ShouldBe(["kube-system/agent"]);
        older.DaemonSets.ShouldBeNull();
        HealthRules.Check(new HealthFacts(Healthy, [], []), new HealthDemand(older, new HealthPolicy(), false, null), Now).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("v1.36.2", "v1.36.0", true)]
    [InlineData("v1.36.2+rke2r1", "1.36.2", true)]
    [InlineData("v1.36.2-gke.100", "v1.36", true)]
    [InlineData("v1.9.9", "v1.10.0", false)]
    [InlineData("v1.36.2", "v1.36.3", false)]
    [InlineData(null, "v1.36.3", false)]
    public void Versions_are_compared_by_number_whatever_the_vendor_appends(string? version, string least, bool expected) =>
        KubeletVersions.IsAtLeast(version, least).ShouldBe(expected);

    [Theory]
    [InlineData("v1.36.2", true)]
    [InlineData("1.36", true)]
    [InlineData("1", false)]
    [InlineData("latest", false)]
    [InlineData("", false)]
    public void A_version_is_told_from_other_texts(string text, bool expected) => KubeletVersions.IsVersion(text).ShouldBe(expected);

    [Theory]
    [InlineData("""{"data":{"resultType":"vector","result":[]}}""", QueryExpectation.Empty, true)]
    [InlineData("""{"data":{"resultType":"vector","result":[{"value":[1,"2"]}]}}""", QueryExpectation.Empty, false)]
    [InlineData("""{"data":{"resultType":"vector","result":[{"value":[1,"2"]}]}}""", QueryExpectation.NonEmpty, true)]
    [InlineData("""{"data":{"resultType":"vector","result":[{"value":[1,"5"]},{"value":[1,"7"]}]}}""", QueryExpectation.AtLeast, true)]
    [InlineData("""{"data":{"resultType":"vector","result":[{"value":[1,"5"]},{"value":[1,"4"]}]}}""", QueryExpectation.AtLeast, false)]
    [InlineData("""{"data":{"resultType":"vector","result":[]}}""", QueryExpectation.AtLeast, false)]
    [InlineData("""{"data":{"resultType":"scalar","result":[1,"5"]}}""", QueryExpectation.AtMost, true)]
    [InlineData("""{"data":{"resultType":"vector","result":[{"value":[1,"NaN"]}]}}""", QueryExpectation.AtMost, false)]
    [InlineData("""{"data":{"resultType":"vector","result":[{"value":[1,"+Inf"]}]}}""", QueryExpectation.AtLeast, true)]
    [InlineData("""{"data":{"resultType":"vector","result":[{"value":[1,"-Inf"]}]}}""", QueryExpectation.AtMost, true)]
    [InlineData("<html>", QueryExpectation.Empty, false)]
    public void A_Prometheus_answer_passes_as_expected(string body, QueryExpectation expect, bool passes) =>
        PrometheusAnswer.Judge(body, new ProbeTemplate(ProbeKind.Prometheus) { Expect = expect, Threshold = 5 }).Passes.ShouldBe(passes);
}

using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Planning;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>What stands in the way of draining several nodes together.</summary>
public sealed class ClusterFindingsTests
{
    private const long GiB = 1L << 30;

    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void A_cluster_with_room_has_nothing_in_the_way() =>
        Find([Node("a"), Node("b")], [Pod("a", "web-1", 2 * GiB)], []).ShouldBeEmpty();

    [Fact]
    public void Pods_that_fit_on_no_other_node_are_counted_and_the_largest_is_named()
    {
        var finding = Find(
            [Node("a"), Node("b"), Node("c") with { Unschedulable = true }, Node("d") with { Taints = [new NodeTaint("x", null, "NoSchedule")] }],
            [Pod("a", "web-1", 3 * GiB), Pod("a", "web-2", 3 * GiB), Pod("b", "db-1", 4 * GiB)],
            []).Single(finding => finding.Kind == "no-room");

        (finding.Severity, finding.Object).ShouldBe((FindingSeverity.Blocks, "pod/shop/web-2"));
        finding.Message.ShouldBe("1 pod finds no room on the other nodes, the first shop/web-2 (1 CPU, 3 GiB): "
            + "0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.");
    }

    [Fact]
    public void A_budget_over_both_nodes_that_lets_fewer_go_than_leave_makes_them_wait_for_each_other()
    {
        var budget = new BudgetSnapshot(new ObjectRef("shop", "web"), LabelSelector.Parse("app=web")!)
        {
            DisruptionsAllowed = 1, ExpectedPods = 3, DesiredHealthy = 2, CurrentHealthy = 3,
        };
        IReadOnlyList<PodSnapshot> pods = [Pod("a", "web-1", GiB), Pod("b", "web-2", GiB), Pod("c", "web-3", GiB)];
        IReadOnlyList<NodeSnapshot> nodes = [Node("a"), Node("b"), Node("c")];

        var finding = Find(nodes, pods, [budget], "a", "b").ShouldHaveSingleItem();

        (finding.Kind, finding.Object).ShouldBe(("budget-over-nodes", "poddisruptionbudget/shop/web"));
        finding.Message.ShouldBe("Budget shop/web covers 2 pods on a, b and lets 1 go at a time; all at once would leave 1 of the 2 it wants: "
            + "drained together, these nodes wait for each other's replacements.");
        Find(nodes, pods, [budget], "a").ShouldBeEmpty();
        Find(nodes, pods, [budget with { DisruptionsAllowed = 2 }], "a", "b").ShouldBeEmpty();
    }

    [Fact]
    public void What_nobody_makes_again_and_what_was_replaced_already_needs_no_room()
    {
        NodeSnapshot[] nodes = [Node("a"), Node("b") with { AllocatableMemory = 0 }];

        Find(nodes, [Pod("a", "bare-1", GiB) with { Controller = null }, Pod("a", "web-1", GiB) with { DeletionRequestedAt = Now }], []).ShouldBeEmpty();
        Find(nodes, [Pod("a", "web-1", GiB)], []).ShouldHaveSingleItem().Kind.ShouldBe("no-room");
    }

    [Theory]
    [InlineData("None", VmFate.RestartsElsewhere, true)]
    [InlineData("None", VmFate.StaysDown, true)]
    [InlineData("LiveMigrate", VmFate.Migrates, false)]
    public void A_budget_over_machines_on_both_nodes_is_in_the_way_only_of_those_that_shut_down(string strategy, VmFate fate, bool isTold)
    {
        var budget = new BudgetSnapshot(new ObjectRef("shop", "db"), LabelSelector.Parse("app=db")!)
        {
            DisruptionsAllowed = 1, ExpectedPods = 3, DesiredHealthy = 2, CurrentHealthy = 3,
        };
        PodSnapshot Launcher(string node, string vm) => Pod(node, vm, GiB) with
        {
            Controller = new OwnerRef("VirtualMachineInstance", vm, "v"),
            Labels = new Dictionary<string, string> { ["app"] = "db", ["kubevirt.io"] = "virt-launcher" },
        };
        PodSnapshot[] pods = [Launcher("a", "db-1"), Launcher("b", "db-2")];
        var planned = pods.Select(pod => new PlannedNode(new MaintenanceRequest(pod.Node!), new MaintenancePlan(pod.Node!, Now)
        {
            Pods = [new PodDecision(pod.Ref, pod.Uid, PodVerdict.MoveVm, "virtual-machine", "")],
            VirtualMachines = [new VmForecast(pod.Ref, "v", fate, strategy, "default", false, "Always", "")],
        })).ToList();

        new ClusterFindings(planned, [Node("a"), Node("b"), Node("c")], pods, [budget], []).All().Select(finding => finding.Kind)
            .ShouldBe(isTold ? ["budget-over-nodes"] : []);
    }

    [Fact]
    public void A_pod_that_its_budget_lets_go_does_not_count_against_it()
    {
        var budget = new BudgetSnapshot(new ObjectRef("shop", "web"), LabelSelector.Parse("app=web")!)
        {
            DisruptionsAllowed = 1, ExpectedPods = 3, DesiredHealthy = 2, CurrentHealthy = 2,
        };

        Find([Node("a"), Node("b"), Node("c")], [Pod("a", "web-1", GiB), Pod("b", "web-2", GiB) with { IsReady = false }], [budget], "a", "b").ShouldBeEmpty();
    }

    [Fact]
    public void Two_nodes_of_the_control_plane_are_refused()
    {
        NodeSnapshot ControlPlane(string name) => Node(name) with { Labels = new Dictionary<string, string> { ["node-role.kubernetes.io/control-plane"] = "" } };

        var finding = Find([ControlPlane("a"), ControlPlane("b"), Node("c")], [], [], "a", "b").ShouldHaveSingleItem();

        (finding.Severity, finding.Kind).ShouldBe((FindingSeverity.Refuses, "control-plane-together"));
        Find([ControlPlane("a"), ControlPlane("b"), Node("c")], [], [], "a", "c").ShouldBeEmpty();
    }

    [Fact]
    public void Other_maintenance_under_way_is_told()
    {
        var held = Node("b") with { Unschedulable = true, Mark = new HoldMark("drydock/hub/m7", "{}") };

        Find([Node("a"), held, Node("c") with { Unschedulable = true }], [], []).Select(finding => finding.Message).ShouldBe(
        [
            "Node b is under maintenance too, by maintenance m7: it takes no pods.",
            "Node c is cordoned: it takes no pods.",
        ]);
    }

    private static IReadOnlyList<PlanFinding> Find(
        IReadOnlyList<NodeSnapshot> nodes, IReadOnlyList<PodSnapshot> pods, IReadOnlyList<BudgetSnapshot> budgets, params string[] drained)
    {
        var planned = (drained.Length == 0 ? ["a"] : drained).Select(node => new PlannedNode(
            new MaintenanceRequest(node),
            new MaintenancePlan(node, Now)
            {
                Pods = [.. pods.Where(pod => pod.Node == node).Select(pod => new PodDecision(pod.Ref, pod.Uid, PodVerdict.Evict, "evict", ""))],
            }));
        return new ClusterFindings([.. planned], nodes, pods, budgets, []).All();
    }

    private static NodeSnapshot Node(string name) => new(name, "uid-" + name, "1")
    {
        Conditions = [new Condition("Ready", "True", null, null, null)],
        AllocatableMilliCpu = 8000,
        AllocatableMemory = 8 * GiB,
    };

    private static PodSnapshot Pod(string node, string name, long memory) => new(new ObjectRef("shop", name), "uid-" + name, node)
    {
        Phase = "Running",
        IsReady = true,
        Controller = new OwnerRef("ReplicaSet", "web", "r"),
        Labels = new Dictionary<string, string> { ["app"] = name.Split('-')[0] },
        RequestedMilliCpu = 1000,
        RequestedMemory = memory,
    };
}

using Drydock.Kubernetes;
using Drydock.Maintenance.Planning;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>Where the pods of a drained node could go: one row for each filter of the scheduler, with its words.</summary>
public sealed class RoomTests
{
    private const long GiB = 1L << 30;

    private static readonly PodSnapshot Pod = new(new ObjectRef("shop", "web"), "uid", null)
    {
        Phase = "Running", RequestedMilliCpu = 1000, RequestedMemory = GiB,
    };

    private static readonly NodeSnapshot Node = new("b", "uid-b", "1")
    {
        Conditions = [new Condition("Ready", "True", null, null, null)],
        Labels = Map("zone", "east"),
        AllocatableMilliCpu = 4000,
        AllocatableMemory = 8 * GiB,
        AllocatablePods = 110,
        OtherAllocatable = new Dictionary<string, long> { ["ephemeral-storage"] = 10 * GiB, ["example.com/gpu"] = 1 },
    };

    private static readonly NodeSnapshot Tainted = Node with { Taints = [new NodeTaint("gpu", "yes", "NoSchedule")] };

    private static readonly NodeSnapshot Cordoned = Node with { Unschedulable = true };

    public static TheoryData<string, PodSnapshot, NodeSnapshot, string?> Table() => new()
    {
        { "it fits", Pod, Node, null },
        { "cpu", Pod with { RequestedMilliCpu = 4001 }, Node, "Insufficient cpu" },
        { "memory", Pod with { RequestedMemory = (8 * GiB) + 1 }, Node, "Insufficient memory" },
        { "ephemeral storage", Pod with { OtherRequests = Amounts("ephemeral-storage", 11 * GiB) }, Node, "Insufficient ephemeral-storage" },
        { "an extended resource", Pod with { OtherRequests = Amounts("example.com/gpu", 2) }, Node, "Insufficient example.com/gpu" },
        { "an extended resource that it has", Pod with { OtherRequests = Amounts("example.com/gpu", 1) }, Node, null },
        { "a resource the node does not know", Pod with { OtherRequests = Amounts("example.com/fpga", 1) }, Node, "Insufficient example.com/fpga" },
        { "a request of none", Pod with { OtherRequests = Amounts("example.com/fpga", 0) }, Node, null },
        { "the number of pods", Pod, Node with { AllocatablePods = 0 }, "Too many pods" },
        { "a cordon", Pod, Cordoned, "node(s) were unschedulable" },
        { "a cordon it tolerates", Asking(tolerations: new Toleration("node.kubernetes.io/unschedulable", "Exists", null, "NoSchedule")), Cordoned, null },
        { "not ready", Pod, Node with { Conditions = [] }, "node(s) were not ready" },
        { "a taint", Pod, Tainted, "node(s) had untolerated taint(s)" },
        { "a taint NoExecute", Pod, Node with { Taints = [new NodeTaint("x", null, "NoExecute")] }, "node(s) had untolerated taint(s)" },
        { "a taint that only discourages", Pod, Node with { Taints = [new NodeTaint("x", null, "PreferNoSchedule")] }, null },
        { "a taint it tolerates", Asking(tolerations: new Toleration("gpu", "Equal", "yes", "NoSchedule")), Tainted, null },
        { "a toleration of another value", Asking(tolerations: new Toleration("gpu", "Equal", "no", null)), Tainted, "node(s) had untolerated taint(s)" },
        { "a toleration of another effect", Asking(tolerations: new Toleration("gpu", "Exists", null, "NoExecute")), Tainted, "node(s) had untolerated taint(s)" },
        { "a toleration of everything", Asking(tolerations: new Toleration(null, "Exists", null, null)), Tainted, null },
        { "a node selector", Asking(selector: Map("zone", "west")), Node, "node(s) didn't match Pod's node affinity/selector" },
        { "a node selector that matches", Asking(selector: Map("zone", "east")), Node, null },
        { "an affinity", Asking(affinity: [Term("zone", "NotIn", "east")]), Node, "node(s) didn't match Pod's node affinity/selector" },
        { "one of two affinities", Asking(affinity: [Term("zone", "In", "west"), Term("zone", "Exists")]), Node, null },
        { "an affinity without a term", Asking(affinity: []), Node, "node(s) didn't match Pod's node affinity/selector" },
        { "an empty term", Asking(affinity: [new NodeSelectorTerm([], [])]), Node, "node(s) didn't match Pod's node affinity/selector" },
        { "an affinity to the name", Asking(affinity: [new NodeSelectorTerm([], [new LabelRequirement("metadata.name", "In", ["b"])])]), Node, null },
        { "an affinity to more", Asking(affinity: [Term("disks", "Gt", "3")]), Node with { Labels = Map("disks", "3") }, "node(s) didn't match Pod's node affinity/selector" },
        { "an affinity to less", Asking(affinity: [Term("disks", "Lt", "4")]), Node with { Labels = Map("disks", "3") }, null },
        { "the target of a migration that was pinned", Pinned("virt-launcher"), Node, null },
        { "another pod that is pinned", Pinned("else"), Node, "node(s) didn't match Pod's node affinity/selector" },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void A_node_takes_a_pod_or_says_why_not(string what, PodSnapshot pod, NodeSnapshot node, string? reason) =>
        new Room([node], []).Take(pod).ShouldBe(reason is null ? null : $"0/1 nodes are available: 1 {reason}.", what);

    [Fact]
    public void What_runs_takes_room_what_has_finished_takes_none_and_what_was_placed_takes_it_too()
    {
        var gpu = Pod with { OtherRequests = Amounts("example.com/gpu", 1) };

        new Room([Node], [gpu with { Node = "b" }]).Take(gpu).ShouldBe("0/1 nodes are available: 1 Insufficient example.com/gpu.");
        var room = new Room([Node], [gpu with { Node = "b", Phase = "Succeeded" }]);
        room.Take(gpu).ShouldBeNull();
        room.Take(gpu).ShouldBe("0/1 nodes are available: 1 Insufficient example.com/gpu.");
    }

    [Fact]
    public void Every_node_says_its_reason_and_every_resource_that_is_short() =>
        new Room([Tainted, Cordoned, Node with { AllocatablePods = 0 }], []).Take(Pod with { RequestedMilliCpu = 5000, RequestedMemory = 9 * GiB }).ShouldBe(
            "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.");

    [Fact]
    public void Without_another_node_nothing_has_room() => new Room([], []).Take(Pod).ShouldBe("0/0 nodes are available.");

    private static PodSnapshot Asking(
        Dictionary<string, string>? selector = null, IReadOnlyList<NodeSelectorTerm>? affinity = null, params Toleration[] tolerations) =>
        Pod with { Placement = new PodPlacement { NodeSelector = selector ?? [], RequiredAffinity = affinity, Tolerations = tolerations } };

    private static PodSnapshot Pinned(string kind) => Asking(selector: Map("kubernetes.io/hostname", "c")) with
    {
        Labels = new Dictionary<string, string> { ["kubevirt.io"] = kind, ["kubevirt.io/migrationJobUID"] = "uid" },
    };

    private static NodeSelectorTerm Term(string key, string how, params string[] values) => new([new LabelRequirement(key, how, values)], []);

    private static Dictionary<string, string> Map(string key, string value) => new() { [key] = value };

    private static Dictionary<string, long> Amounts(string name, long amount) => new() { [name] = amount };
}

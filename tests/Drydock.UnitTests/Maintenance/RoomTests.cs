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

    public static TheoryData<string, PodSnapshot, PodSnapshot, string?> Neighbours() => new()
    {
        { "a port that is free", Taking(Port(80)), Taking(Port(81)), null },
        { "a port that is taken", Taking(Port(80)), Taking(Port(80)), NoPort },
        { "a port of another protocol", Taking(Port(80)), Taking(Port(80) with { Protocol = "UDP" }), null },
        { "a port of two addresses", Taking(Port(80) with { Ip = "10.0.0.1" }), Taking(Port(80) with { Ip = "10.0.0.2" }), null },
        { "a port of one address and of all", Taking(Port(80) with { Ip = "10.0.0.1" }), Taking(Port(80)), NoPort },
        { "a pod to be with that is there", Placed(new PodPlacement { Affinity = [Zone("app=cache")] }), Labelled("cache"), null },
        { "a pod to be with that is not there", Placed(new PodPlacement { Affinity = [Zone("app=cache")] }), Labelled("web"), NotFriends },
        { "the first of its like", Labelled("web") with { Placement = new PodPlacement { Affinity = [Zone("app=web")] } }, Labelled("cache"), null },
        { "a pod to be with elsewhere", Placed(new PodPlacement { Affinity = [Zone("app=cache") with { Namespaces = ["bank"] }] }), Labelled("cache"), NotFriends },
        { "a pod to be with in all namespaces", Placed(new PodPlacement { Affinity = [Zone("app=cache") with { NamespaceSelector = LabelSelector.Everything }] }), Labelled("cache"), null },
        { "a pod to keep away from", Placed(new PodPlacement { AntiAffinity = [Zone("app=web")] }), Labelled("web"), "node(s) didn't match pod anti-affinity rules" },
        { "none to keep away from", Placed(new PodPlacement { AntiAffinity = [Zone("app=web")] }), Labelled("cache"), null },
        { "a rule without a selector", Placed(new PodPlacement { AntiAffinity = [Zone("app=web") with { Selector = null }] }), Labelled("web"), null },
        { "a rule by labels of namespaces", Placed(new PodPlacement { AntiAffinity = [Zone("app=web") with { NamespaceSelector = LabelSelector.Parse("team=a") }] }), Labelled("web"), null },
        { "one that keeps others away", Labelled("web"), Labelled("cache") with { Placement = new PodPlacement { AntiAffinity = [Zone("app=web")] } }, "node(s) didn't satisfy existing pods anti-affinity rules" },
        { "one that keeps others away from its node only", Labelled("web"), Labelled("cache") with { Placement = new PodPlacement { AntiAffinity = [Zone("app=web") with { TopologyKey = "rack" }] } }, null },
    };

    [Theory]
    [MemberData(nameof(Neighbours))]
    public void The_pods_that_run_on_a_node_let_another_in_or_keep_it_out(string what, PodSnapshot pod, PodSnapshot neighbour, string? reason) =>
        new Room([Node], [neighbour with { Ref = new ObjectRef("shop", "neighbour"), Node = "b" }]).Take(pod)
            .ShouldBe(reason is null ? null : $"0/1 nodes are available: 1 {reason}.", what);

    [Fact]
    public void Rules_between_pods_hold_for_the_whole_domain_and_for_those_that_were_placed()
    {
        var apart = Labelled("web") with { Placement = new PodPlacement { AntiAffinity = [Zone("app=web")] } };
        var room = new Room([Node, Node with { Name = "c" }, Node with { Name = "d", Labels = Map("zone", "west") }], []);

        room.Take(apart).ShouldBeNull();
        room.Take(apart).ShouldBeNull();
        room.Take(apart).ShouldBe("0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.");
    }

    [Theory]
    [InlineData(1, 1, "node(s) didn't match pod topology spread constraints")]
    [InlineData(2, 1, null)]
    [InlineData(1, 0, null)]
    public void A_drained_node_is_a_domain_that_stays_empty(int maxSkew, int running, string? reason)
    {
        var spread = Labelled("web") with { Placement = new PodPlacement { Spread = [new SpreadConstraint("host", maxSkew, LabelSelector.Parse("app=web"))] } };
        var here = Node with { Labels = Map("host", "b") };
        var drained = Node with { Name = "a", Labels = Map("host", "a"), Unschedulable = true };

        new Room([here], Enumerable.Repeat(spread with { Node = "b" }, running), [drained]).Take(spread)
            .ShouldBe(reason is null ? null : $"0/1 nodes are available: 1 {reason}.");
    }

    [Fact]
    public void A_constraint_of_spreading_says_which_nodes_and_pods_count()
    {
        var constraint = new SpreadConstraint("host", 1, LabelSelector.Parse("app=web"));
        var here = Node with { Labels = Map("host", "b") };
        var drained = Node with { Name = "a", Labels = Map("host", "a"), Unschedulable = true };
        var running = Labelled("web") with { Node = "b" };

        Take(constraint, running).ShouldNotBeNull();
        Take(constraint with { HonorsTaints = true }, running).ShouldBeNull("a cordoned node does not count then");
        Take(constraint, running with { Ref = new ObjectRef("bank", "web") }).ShouldBeNull("a pod of another namespace does not count");
        Take(constraint, running with { DeletionRequestedAt = DateTimeOffset.UnixEpoch }).ShouldBeNull("a pod that goes does not count");
        Take(constraint with { HonorsTaints = true, MinDomains = 2 }, running).ShouldNotBeNull("there are fewer domains than that");
        Take(constraint with { TopologyKey = "zone" }, running).ShouldBe(
            "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).");

        string? Take(SpreadConstraint rule, PodSnapshot there) =>
            new Room([here], [there], [drained]).Take(Labelled("web") with { Placement = new PodPlacement { Spread = [rule] } });
    }

    [Fact]
    public void A_volume_says_on_which_nodes_it_can_be_used()
    {
        var pod = Pod with { Claims = ["data"] };
        VolumePlace Volume(string zone, string @namespace = "shop") => new(new ObjectRef(@namespace, "data"), [Term("zone", "In", zone)]);

        new Room([Node], [], volumes: [Volume("west")]).Take(pod).ShouldBe("0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity.");
        new Room([Node], [], volumes: [Volume("east")]).Take(pod).ShouldBeNull();
        new Room([Node], [], volumes: [Volume("west", "bank")]).Take(pod).ShouldBeNull();
        new Room([Node], [], volumes: [Volume("west")]).Take(Pod).ShouldBeNull();
    }

    private const string NoPort = "node(s) didn't have free ports for the requested pod ports";

    private const string NotFriends = "node(s) didn't match pod affinity rules";

    private static HostPort Port(int port) => new("0.0.0.0", "TCP", port);

    private static PodSnapshot Taking(HostPort port) => Placed(new PodPlacement { HostPorts = [port] });

    private static PodSnapshot Placed(PodPlacement placement) => Pod with { Placement = placement };

    private static PodSnapshot Labelled(string app) => Pod with { Labels = Map("app", app) };

    private static PodAffinityTerm Zone(string selector) => new("zone", LabelSelector.Parse(selector));

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

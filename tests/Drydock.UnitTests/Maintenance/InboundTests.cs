using Drydock.Kubernetes;
using Drydock.Maintenance.VirtualMachines;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>Our own limit of migrations towards one node.</summary>
public sealed class InboundTests
{
    private static readonly NodeSnapshot[] Nodes = [Node("node-1"), Node("node-2"), Node("node-3")];

    [Theory]
    [InlineData(0, 0, false)]
    [InlineData(1, 0, false)]
    [InlineData(2, 0, true)]
    [InlineData(1, 1, true)]
    [InlineData(0, 2, true)]
    public void What_is_on_its_way_and_what_has_no_target_yet_count_together(int toNode2, int unplaced, bool holds)
    {
        MigrationSnapshot[] migrations =
            [.. Enumerable.Range(0, toNode2).Select(n => Migration($"a{n}", "node-2")), .. Enumerable.Range(0, unplaced).Select(n => Migration($"b{n}", null))];

        (Inbound.Hold(2, "node-1", PodPlacement.Anywhere, Nodes, migrations, []) is not null).ShouldBe(holds);
    }

    [Fact]
    public void A_machine_that_is_marked_and_has_no_migration_yet_counts_and_an_External_one_does_not()
    {
        var marked = new VmiSnapshot(new("vms", "one"), "uid", "node-1") { EvacuationNode = "node-1", EvictionStrategy = "LiveMigrate" };

        Inbound.Hold(1, "node-1", PodPlacement.Anywhere, Nodes, [], [marked]).ShouldBe(
            "Queued behind vms/one, without a target yet: no more than 1 at a time to one node.");
        Inbound.Hold(1, "node-1", PodPlacement.Anywhere, Nodes, [], [marked with { EvictionStrategy = "External" }]).ShouldBeNull();
        Inbound.Hold(1, "node-1", PodPlacement.Anywhere, Nodes, [Migration("one", null) with { Phase = "Succeeded" }], []).ShouldBeNull();
    }

    [Fact]
    public void A_migration_that_runs_has_its_target_in_the_instance()
    {
        var moving = new VmiSnapshot(new("vms", "one"), "uid", "node-1") { MigrationUid = "one", MigrationTarget = "node-3" };

        Inbound.Hold(1, "node-1", PodPlacement.Anywhere, Nodes, [Migration("one", null)], [moving]).ShouldBe(
            "Queued behind vms/one, on the way to node node-3: no more than 1 at a time to one node.");
        Inbound.Hold(2, "node-1", PodPlacement.Anywhere, Nodes, [Migration("one", null)], [moving with { MigrationUid = "before" }]).ShouldBeNull();
    }

    [Fact]
    public void Whoever_waits_for_the_limit_is_told_behind_whom()
    {
        MigrationSnapshot[] migrations = [.. Enumerable.Range(0, 7).Select(n => Migration($"a{n}", "node-2")), Migration("b", null), Migration("c", "node-3")];

        Inbound.Hold(2, "node-1", PodPlacement.Anywhere, Nodes, migrations, []).ShouldBe(
            "Queued behind vms/a0, vms/a1, vms/a2, vms/a3, vms/a4 and 2 more, on the way to node node-2, and behind vms/b, without a target yet: "
                + "no more than 2 at a time to one node.");
    }

    [Fact]
    public void Only_nodes_that_take_machines_are_targets_and_the_idlest_comes_first()
    {
        NodeSnapshot[] nodes =
        [
            .. Nodes, Node("node-4") with { Unschedulable = true }, Node("node-5") with { Conditions = [] },
            Node("node-6") with { Labels = new Dictionary<string, string>() }, Node("node-7") with { Taints = [new("key", null, "NoSchedule")] },
        ];

        Inbound.Targets("node-1", PodPlacement.Anywhere, nodes, [Migration("a", "node-2")], []).Select(target => target.Node).ShouldBe(["node-3", "node-2"]);
        Inbound.Targets("node-1", PodPlacement.Anywhere, nodes, [], [])[0].ShouldBe(new ObservedTarget("node-2", "host-node-2"));
    }

    [Fact]
    public void What_the_launcher_asks_and_tolerates_decides_where_it_could_go()
    {
        NodeSnapshot[] nodes =
        [
            .. Nodes, Node("node-4") with { Taints = [new("gpu", "yes", "NoSchedule")] },
            Node("node-5") with { Labels = new Dictionary<string, string> { ["kubevirt.io/schedulable"] = "true", ["zone"] = "east" } },
        ];
        var tolerant = PodPlacement.Anywhere with { Tolerations = [new("gpu", "Exists", null, null)] };
        var eastern = PodPlacement.Anywhere with { NodeSelector = new Dictionary<string, string> { ["zone"] = "east" } };
        MigrationSnapshot[] toFour = [Migration("a", "node-4")];

        Inbound.Hold(1, "node-1", PodPlacement.Anywhere, nodes, toFour, []).ShouldBeNull("it cannot go to the busy one");
        Inbound.Hold(1, "node-1", tolerant, nodes, toFour, []).ShouldBe("Queued behind vms/a, on the way to node node-4: no more than 1 at a time to one node.");
        Inbound.Targets("node-1", eastern, nodes, [], []).Select(target => target.Node).ShouldBe(["node-5"]);
    }

    [Fact]
    public void A_launcher_that_was_pinned_by_its_last_migration_is_not_pinned_by_the_next()
    {
        var launcher = new PodSnapshot(new("vms", "virt-launcher-one-x"), "uid", "node-1")
        {
            Phase = "Running",
            Controller = new("VirtualMachineInstance", "one", "vmi"),
            Labels = new Dictionary<string, string> { ["kubevirt.io"] = "virt-launcher", ["kubevirt.io/migrationJobUID"] = "m" },
            Placement = PodPlacement.Anywhere with
            {
                NodeSelector = new Dictionary<string, string> { ["kubernetes.io/hostname"] = "node-1", ["kubevirt.io/schedulable"] = "true" },
            },
        };

        Inbound.AsksOf([launcher], new("vms", "one")).NodeSelector.Keys.ShouldBe(["kubevirt.io/schedulable"]);
        Inbound.AsksOf([launcher], new("vms", "two")).ShouldBe(PodPlacement.Anywhere);
    }

    [Fact]
    public void Without_a_node_to_go_to_nothing_is_held_back_so_that_the_scheduler_says_why() =>
        Inbound.Hold(1, "node-1", PodPlacement.Anywhere, [Nodes[0]], [Migration("a", null)], []).ShouldBeNull();

    private static MigrationSnapshot Migration(string vm, string? target) => new(new("vms", "m-" + vm), vm, new("vms", vm)) { Phase = "Running", TargetNode = target };

    private static NodeSnapshot Node(string name) => new(name, name, "1")
    {
        Conditions = [new("Ready", "True", null, null, null)],
        Labels = new Dictionary<string, string> { ["kubevirt.io/schedulable"] = "true", ["kubernetes.io/hostname"] = "host-" + name },
    };
}

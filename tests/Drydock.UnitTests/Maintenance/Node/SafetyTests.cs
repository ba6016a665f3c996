using Drydock.Kubernetes;
using Drydock.Maintenance.Node;
using Drydock.UnitTests.Server;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance.Node;

/// <summary>What is written on nodes and around them, how it is taken off, and when a control-plane node may go.</summary>
public sealed class SafetyTests
{
    private const string Paused = "cluster.x-k8s.io/paused";

    [Fact]
    public void Two_maintenances_pause_one_health_check_and_the_last_puts_the_prior_value_back()
    {
        var check = Check((Paused, "by-somebody"));

        var one = Apply(check, NeighbourMarks.Hold(check, "a", "drydock/h/1")!);
        var two = Apply(one, NeighbourMarks.Hold(one, "b", "drydock/h/2")!);
        NeighbourMarks.Hold(two, "a", "drydock/h/1").ShouldBeNull();
        var left = Apply(two, NeighbourMarks.Release(two, "a", "drydock/h/1")!);
        left.Annotations[Paused].ShouldBe("drydock");
        var end = Apply(left, NeighbourMarks.Release(left, "b", null)!);

        end.Annotations.ShouldBe(check.Annotations);
    }

    [Fact]
    public void What_somebody_else_wrote_since_is_left_to_him()
    {
        var check = Check();
        var held = Apply(check, NeighbourMarks.Hold(check, "a", "drydock/h/1")!);
        var changed = held with { Annotations = new Dictionary<string, string>(held.Annotations) { [Paused] = "theirs" } };

        var end = Apply(changed, NeighbourMarks.Release(changed, "a", "drydock/h/1")!);

        end.Annotations.ShouldBe(new Dictionary<string, string> { [Paused] = "theirs" });
    }

    [Fact]
    public void A_pause_of_ours_whose_holders_somebody_took_off_does_not_stay_for_ever()
    {
        var check = Check();
        var held = Apply(check, NeighbourMarks.Hold(check, "a", "drydock/h/1")!);
        var bare = held with { Annotations = new Dictionary<string, string> { [Paused] = held.Annotations[Paused] } };

        Apply(bare, NeighbourMarks.Release(bare, "a", "drydock/h/1")!).Annotations.ShouldBeEmpty();
        NeighbourMarks.Release(Check((Paused, "theirs")), "a", null).ShouldBeNull();
    }

    [Theory]
    [InlineData("a", "drydock/h/1", true)]
    [InlineData("a", null, true)]
    [InlineData("a", "drydock/h/2", false)]
    [InlineData("ab", null, false)]
    public void Only_what_is_ours_is_let_go(string node, string? holder, bool isLetGo)
    {
        var nodeCheck = new NeighbourSnapshot(NeighbourKind.NodeHealthCheck, new ObjectRef("", "c"), "u", "1")
        {
            PauseRequests = ["an admin", NeighbourMarks.PauseRequest("a", "drydock/h/1")],
        };
        var machineCheck = Check();
        machineCheck = Apply(machineCheck, NeighbourMarks.Hold(machineCheck, "a", "drydock/h/1")!);

        (NeighbourMarks.Release(nodeCheck, node, holder)?.PauseRequests).ShouldBe(isLetGo ? ["an admin"] : null);
        (NeighbourMarks.Release(nodeCheck, node, holder) is not null).ShouldBe(isLetGo);
        (NeighbourMarks.Release(machineCheck, node, holder) is not null).ShouldBe(isLetGo);
    }

    [Fact]
    public void A_node_gets_exactly_its_prior_values_back_and_a_mark_of_an_older_version_does_not_touch_what_it_did_not_hold()
    {
        var scaleDown = NodePrior.ScaleDownAnnotation;
        var before = Node() with { Annotations = new Dictionary<string, string> { [scaleDown] = "false" } };
        var marked = Node() with
        {
            Unschedulable = true,
            Labels = new Dictionary<string, string> { [NodePrior.ExcludeLabel] = "true" },
            Annotations = new Dictionary<string, string> { [scaleDown] = "true" },
        };

        var undo = NodePrior.Of(before).Undo(marked);
        (undo.Unschedulable, undo.Labels[NodePrior.ExcludeLabel], undo.Annotations[scaleDown]).ShouldBe((false, null, "false"));

        new NodePrior(false, [], null).Undo(marked).Annotations.ShouldBeEmpty();
        NodePrior.Of(before).Undo(marked with { Labels = new Dictionary<string, string> { [NodePrior.ExcludeLabel] = "theirs" } }).Labels.ShouldBeEmpty();
    }

    [Fact]
    public void What_was_taken_off_a_node_is_named()
    {
        var prior = NodePrior.Of(Node());

        prior.Missing(Node() with { Taints = [new NodeTaint("medik8s.io/drain", null, "NoSchedule")] }, "drydock/h/1").ShouldBe(
            ["our mark", "the cordon", "taint node.kubernetes.io/unschedulable", $"label {NodePrior.ExcludeLabel}", $"annotation {NodePrior.ScaleDownAnnotation}"]);
    }

    [Theory]
    [InlineData(3, 2, null)]
    [InlineData(3, 1, "Without node a etcd would lose its quorum: 1 of the other 2 members are Ready, 2 of 3 are needed.")]
    [InlineData(5, 3, null)]
    [InlineData(5, 2, "Without node a etcd would lose its quorum: 2 of the other 4 members are Ready, 3 of 5 are needed.")]
    [InlineData(1, 0, null)]
    public void Members_of_etcd_are_counted(int members, int othersReady, string? problem) =>
        (ControlPlane.Counted("a", members, othersReady)?.Message).ShouldBe(problem);

    [Theory]
    [InlineData(1, 1, "True", null)]
    [InlineData(1, 0, "True", "etcd-quorum")]
    [InlineData(1, 0, "False", null)]
    [InlineData(1, 0, "Unknown", "etcd-quorum")]
    [InlineData(2, 1, "True", "etcd-quorum-unknown")]
    public void The_guard_pod_budget_of_OpenShift_decides(int budgets, int allowed, string guardReady, string? kind)
    {
        var selector = new LabelSelector(new Dictionary<string, string> { ["app"] = "guard" }, []);
        var guards = Enumerable.Range(0, budgets).Select(n => new BudgetSnapshot(new ObjectRef("openshift-etcd", $"etcd-guard-pdb{n}"), selector) { DisruptionsAllowed = allowed }).ToList();
        var pod = new PodSnapshot(new ObjectRef("openshift-etcd", "etcd-guard-a"), "u", "a")
        {
            IsReady = guardReady == "True", IsReadinessUnknown = guardReady == "Unknown", Labels = new Dictionary<string, string> { ["app"] = "guard" },
        };

        (ControlPlane.Guarded("a", guards, [pod])?.Kind).ShouldBe(kind);
    }

    [Theory]
    [InlineData(0, 2, 2, null, null)]
    [InlineData(0, 1, 2, null, "etcd-quorum")]
    [InlineData(0, 2, 2, true, "etcd-quorum")]
    [InlineData(1, 3, 2, true, null)]
    [InlineData(0, 1, 2, false, "etcd-quorum")]
    public void Before_a_machine_goes_down_whose_guard_pod_was_drained_the_others_must_be_as_many_as_the_budget_wants(
        int allowed, int healthy, int wanted, bool? ownGuardIsReady, string? kind)
    {
        var selector = new LabelSelector(new Dictionary<string, string> { ["app"] = "guard" }, []);
        var budget = new BudgetSnapshot(new ObjectRef("openshift-etcd", "etcd-guard-pdb"), selector) { DisruptionsAllowed = allowed, CurrentHealthy = healthy, DesiredHealthy = wanted };
        PodSnapshot[] pods = ownGuardIsReady is not { } isReady ? [] :
            [new PodSnapshot(new ObjectRef("openshift-etcd", "etcd-guard-a"), "u", "a") { IsReady = isReady, Labels = new Dictionary<string, string> { ["app"] = "guard" } }];

        (ControlPlane.Guarded("a", [budget], pods, goesDown: true)?.Kind).ShouldBe(kind);
    }

    // A node in capitals has the role, one with an exclamation mark a member that is Ready, with a question mark one that is not.
    [Theory]
    [InlineData("a", "a! b! c! D E", null)]
    [InlineData("a", "a! b? c! D E", "Without node a etcd would lose its quorum: 1 of the other 2 members are Ready, 2 of 3 are needed.")]
    [InlineData("D", "a! b? c! D E", null)]
    [InlineData("A", "A! B! C! D E", null)]
    public async Task Where_nodes_are_labelled_as_members_of_etcd_only_those_are_counted(string node, string nodes, string? problem)
    {
        var all = nodes.Split(' ');
        var cluster = new StubCluster([.. all.Select(static one => one[..1])])
        {
            NodeConditions = Ready("a").Conditions,
            LabelsOf = name => new Dictionary<string, string>(
                all.Where(one => one.StartsWith(name, StringComparison.Ordinal))
                    .SelectMany(static one => new[] { (char.IsUpper(one[0]) ? "node-role.kubernetes.io/control-plane" : null), one.Length > 1 ? "node-role.kubernetes.io/etcd" : null })
                    .OfType<string>().Select(static label => KeyValuePair.Create(label, "true"))),
            Pods =
            [
                .. all.Where(static one => one.Length > 1).Select(static one => new PodSnapshot(new ObjectRef("kube-system", $"etcd-{one[0]}"), $"u-{one[0]}", $"{one[0]}")
                {
                    IsMirror = true, IsReady = one[1] == '!', Labels = new Dictionary<string, string> { ["component"] = "etcd" },
                }),
            ],
        };

        var found = await ControlPlane.ProblemAsync(cluster, (await cluster.GetNodeAsync(node, CancellationToken.None))!, CancellationToken.None);

        (found?.Message).ShouldBe(problem);
    }

    [Fact]
    public void Never_two_control_plane_nodes_at_once()
    {
        var away = Node() with { Name = "b", Mark = new HoldMark("drydock/h/m-b", "{}") };
        var cordoned = Ready("c") with { Unschedulable = true };

        ControlPlane.OtherOut(Node(), [Node(), away])!.Message.ShouldBe("Control-plane node b is under maintenance by maintenance m-b: never two at once.");
        ControlPlane.OtherOut(Node(), [Node(), cordoned])!.Message.ShouldBe("Control-plane node c is cordoned: never two at once.");
        ControlPlane.OtherOut(Node(), [Node(), Node() with { Name = "d" }])!.Message.ShouldBe("Control-plane node d is not Ready: never two at once.");
        ControlPlane.OtherOut(Node(), [Node(), Ready("d")]).ShouldBeNull();
        ControlPlane.OtherOut(Node() with { Unschedulable = true }, [Node()]).ShouldBeNull();
    }

    [Fact]
    public void What_brings_a_control_plane_node_back_depends_on_why_it_is_out()
    {
        string Next(NodeSnapshot other) => ControlPlane.OtherOut(Node(), [Node(), other])!.NextStep;
        var cordoned = Ready("c") with { Unschedulable = true };

        Next(cordoned with { Mark = new HoldMark("drydock/h/m-b", "{}") }).ShouldBe("See maintenance m-b to its end; if it is over: drydock restore c");
        Next(cordoned).ShouldBe("When it is fit: kubectl uncordon c");
        Next(cordoned with { Taints = [new NodeTaint(NodePrior.DrainTaint, null, "NoSchedule")] }).ShouldStartWith("The Node Maintenance Operator holds it");
        Next(Node() with { Name = "d" }).ShouldBe("Wait until it is back.");
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("a b c", null)]
    [InlineData("a c", "Without node a etcd would lose its quorum: 1 of the other 2 members are Ready, 2 of 3 are needed.")]
    [InlineData("a b? c", "Without node a etcd would lose its quorum: 1 of the other 2 members are Ready, 2 of 3 are needed.")]
    public async Task A_node_whose_member_of_etcd_is_away_does_not_count_as_Ready(string members, string? problem)
    {
        var cluster = new StubCluster("a", "b", "c")
        {
            NodeLabels = new Dictionary<string, string> { ["node-role.kubernetes.io/control-plane"] = "" },
            NodeConditions = Ready("a").Conditions,
            Pods =
            [
                .. members.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(member => new PodSnapshot(new ObjectRef("kube-system", $"etcd-{member[0]}"), $"u-{member[0]}", $"{member[0]}")
                {
                    IsMirror = true,
                    IsReady = !member.EndsWith('?'),
                    Labels = new Dictionary<string, string> { ["component"] = "etcd" },
                }),
            ],
        };

        var found = await ControlPlane.ProblemAsync(cluster, (await cluster.GetNodeAsync("a", CancellationToken.None))!, CancellationToken.None);

        (found?.Message).ShouldBe(problem);
    }

    private static NodeSnapshot Node() => new("a", "u", "1");

    private static NodeSnapshot Ready(string name) => new(name, "u", "1") { Conditions = [new Condition("Ready", "True", null, null, null)] };

    private static NeighbourSnapshot Check(params (string Key, string Value)[] annotations) =>
        new(NeighbourKind.OpenShiftHealthCheck, new ObjectRef("ns", "c"), "u", "1")
        {
            Annotations = annotations.ToDictionary(pair => pair.Key, pair => pair.Value),
        };

    private static NeighbourSnapshot Apply(NeighbourSnapshot neighbour, NeighbourChange change)
    {
        var annotations = new Dictionary<string, string>(neighbour.Annotations);
        foreach (var (key, value) in change.Annotations)
        {
            annotations.Remove(key);
            if (value is not null)
            {
                annotations[key] = value;
            }
        }

        return neighbour with { Annotations = annotations, PauseRequests = change.PauseRequests ?? neighbour.PauseRequests };
    }
}

using Drydock.Kubernetes;
using Drydock.Operator.Admission;
using Drydock.UnitTests.Server;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

/// <summary>The rule of the Node Maintenance Operator's webhook about the quorum of etcd (medik8s/common pkg/etcd).</summary>
public sealed class QuorumTests
{
    private const string Refusal = "can not put master/control-plane node into maintenance at this moment, disrupting node node-1 will violate etcd quorum";

    private readonly FakeNodeMaintenances _resources = new();
    private readonly StubCluster _cluster = new("node-1", "node-2")
    {
        HasOpenShift = true,
        NodeLabels = new Dictionary<string, string>(StringComparer.Ordinal) { ["node-role.kubernetes.io/control-plane"] = "" },
        Budgets = [Guard(0)],
    };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_control_plane_node_is_refused_while_no_disruption_is_allowed(bool isKnown)
    {
        _cluster.Pods = [GuardPod(isReady: isKnown) with { IsReadinessUnknown = !isKnown }];

        (await RefusalAsync()).ShouldBe(Refusal);
    }

    [Fact]
    public async Task It_is_allowed_while_etcd_can_do_without_one()
    {
        _cluster.Pods = [GuardPod(isReady: true)];
        _cluster.Budgets = [Guard(1)];

        (await RefusalAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task The_node_that_is_disrupted_already_may_be_maintained()
    {
        _cluster.Pods = [GuardPod(isReady: false)];
        (await RefusalAsync()).ShouldBeNull();

        _cluster.Pods = [];
        (await RefusalAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task Where_the_budget_is_missing_or_not_the_only_one_nothing_is_known_and_it_is_refused()
    {
        _cluster.Budgets = [];
        (await RefusalAsync()).ShouldBe(Refusal);

        _cluster.Budgets = [Guard(1), Guard(1) with { Ref = new ObjectRef("openshift-etcd", "another") }];
        (await RefusalAsync()).ShouldBe(Refusal);
    }

    [Fact]
    public async Task Workers_and_other_clusters_are_not_asked_about_it()
    {
        _cluster.Pods = [GuardPod(isReady: true)];
        _cluster.HasOpenShift = false;
        (await RefusalAsync()).ShouldBeNull();

        _cluster.HasOpenShift = true;
        _cluster.NodeLabels = new Dictionary<string, string>(StringComparer.Ordinal) { ["node-role.kubernetes.io/worker"] = "" };
        (await RefusalAsync()).ShouldBeNull();
    }

    private Task<string?> RefusalAsync() => new NodeMaintenanceAdmission(_resources, _cluster).RefusalAsync(
        new NodeMaintenanceWrite("a", "node-1", null, new Dictionary<string, string>(StringComparer.Ordinal)), TestContext.Current.CancellationToken);

    private static BudgetSnapshot Guard(int allowed) =>
        new(new ObjectRef("openshift-etcd", "etcd-guard-pdb"), LabelSelector.Parse("app=guard")!) { DisruptionsAllowed = allowed };

    private static PodSnapshot GuardPod(bool isReady) => new(new ObjectRef("openshift-etcd", "etcd-guard-node-1"), "u", "node-1")
    {
        IsReady = isReady,
        Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["app"] = "guard" },
    };
}

using Drydock.Kubernetes;

namespace Drydock.Maintenance.Node;

/// <summary>Why a control-plane node may not be disrupted now.</summary>
/// <param name="Kind">Stable name in kebab case.</param>
/// <param name="Message">One sentence.</param>
/// <param name="Object">The object to look at, or null.</param>
/// <param name="NextStep">What to do about it.</param>
internal sealed record ControlPlaneProblem(string Kind, string Message, string? Object, string NextStep);

/// <summary>
/// Never two control-plane nodes at once, and never below the quorum of etcd: by the guard-pod budget where OpenShift keeps one
/// (facts 2.1, the rule of the Node Maintenance Operator), else by counting the members that are Ready.
/// </summary>
internal static class ControlPlane
{
    /// <summary>Kind of the problem that another control-plane node is out: it passes by itself.</summary>
    public const string Busy = "control-plane-busy";

    /// <summary>Kind of the refusal that another maintenance is about to take out a control-plane node: it passes within a minute.</summary>
    public const string Deciding = "control-plane-deciding";

    /// <summary>What to do where nothing else is known of the node that is out.</summary>
    public const string WaitUntilBack = "Wait until it is back.";

    private const string EtcdNamespace = "openshift-etcd";

    /// <summary>What forbids it, or null: also for a node that is none of the control plane.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="node">The node.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <param name="goesDown">It is drained already, its guard pod perhaps with it, and its machine is about to go down.</param>
    public static async Task<ControlPlaneProblem?> ProblemAsync(ICluster cluster, NodeSnapshot node, CancellationToken cancellationToken, bool goesDown = false)
    {
        if (!node.IsControlPlane)
        {
            return null;
        }

        var all = (await cluster.ListNodesAsync(cancellationToken)).Where(other => other.IsControlPlane).ToList();
        if (OtherOut(node, all) is { } two)
        {
            return two;
        }

        var budgets = (await cluster.ListBudgetsAsync(cancellationToken)).Where(budget => budget.Ref.Namespace == EtcdNamespace).ToList();
        return budgets.Count > 0
            ? Guarded(node.Name, budgets, await cluster.ListPodsOnNodeAsync(node.Name, cancellationToken), goesDown)
            : await CountedAsync(cluster, node, all, cancellationToken);
    }

    /// <summary>Another control-plane node is out already, by us or by anybody.</summary>
    internal static ControlPlaneProblem? OtherOut(NodeSnapshot node, IEnumerable<NodeSnapshot> controlPlane)
    {
        var other = controlPlane.FirstOrDefault(other => other.Name != node.Name && (other.Mark is not null || other.Unschedulable || !other.IsReady));
        if (other is null)
        {
            return null;
        }

        // A mark may be one that was left behind: waiting brings that node back no more than one that somebody has cordoned.
        var (why, next) = other switch
        {
            { Mark: { } mark } => ($"under maintenance by {Holder.Describe(mark.HeldBy)}", $"See {Holder.Describe(mark.HeldBy)} to its end; if it is over: drydock restore {other.Name}"),
            { Unschedulable: true } when other.Taints.Any(static taint => taint.Key == NodePrior.DrainTaint) =>
                ("cordoned", "The Node Maintenance Operator holds it: delete its NodeMaintenance when it is fit (kubectl get nodemaintenances)."),
            { Unschedulable: true } => ("cordoned", $"When it is fit: kubectl uncordon {other.Name}"),
            _ => ("not Ready", WaitUntilBack),
        };
        return new(Busy, $"Control-plane node {other.Name} is {why}: never two at once.", $"node/{other.Name}", next);
    }

    /// <summary>
    /// The rule of medik8s/common pkg/etcd: the budget allows one more, or this node's guard pod is known to be the one that is out already. A
    /// drained node's guard is out whatever became of its member: before the machine goes down the others must be as many as the budget wants.
    /// </summary>
    internal static ControlPlaneProblem? Guarded(string node, IReadOnlyList<BudgetSnapshot> budgets, IEnumerable<PodSnapshot> podsOnNode, bool goesDown = false)
    {
        if (budgets is not [var budget])
        {
            return new(
                "etcd-quorum-unknown",
                $"Namespace {EtcdNamespace} has {budgets.Count} budgets instead of one: whether etcd keeps its quorum without node {node} cannot be told.",
                $"namespace/{EtcdNamespace}",
                "Look at the etcd operator.");
        }

        var guards = podsOnNode.Where(pod => pod.Ref.Namespace == EtcdNamespace && budget.Covers(pod));
        var isOut = !guards.Any(static guard => guard.IsReady || guard.IsReadinessUnknown);
        return budget.DisruptionsAllowed >= 1 || (isOut && (!goesDown || budget.CurrentHealthy >= budget.DesiredHealthy))
            ? null
            : new(
                "etcd-quorum",
                $"Without node {node} etcd would lose its quorum: budget {budget.Ref} allows no disruption now ({budget.CurrentHealthy} healthy, {budget.DesiredHealthy} wanted).",
                $"poddisruptionbudget/{budget.Ref}",
                "Wait until the other members of etcd are healthy.");
    }

    /// <summary>So many members are there and so many of the others are Ready: is it a quorum without this node?</summary>
    internal static ControlPlaneProblem? Counted(string node, int members, int othersReady)
    {
        var quorum = (members / 2) + 1;
        return members <= 1 || othersReady >= quorum
            ? null
            : new(
                "etcd-quorum",
                $"Without node {node} etcd would lose its quorum: {othersReady} of the other {members - 1} members are Ready, {quorum} of {members} are needed.",
                null,
                "Wait until the other control-plane nodes are Ready.");
    }

    // kubeadm's static pods are the members; where no node has one (k3s, etcd elsewhere) the nodes themselves are counted. Where one has, a
    // node without is one whose member is away: somebody took its manifest out. RKE2 and k3s label the nodes that have a member: there may be
    // such as are nothing else, and nodes of the control plane without one.
    private static async Task<ControlPlaneProblem?> CountedAsync(
        ICluster cluster, NodeSnapshot node, IReadOnlyList<NodeSnapshot> controlPlane, CancellationToken cancellationToken)
    {
        if (controlPlane.Any(static one => one.IsEtcd))
        {
            if (!node.IsEtcd)
            {
                return null;
            }

            controlPlane = [.. controlPlane.Where(static one => one.IsEtcd)];
        }

        var members = new Dictionary<string, PodSnapshot?>(StringComparer.Ordinal);
        foreach (var one in controlPlane)
        {
            var pods = await cluster.ListPodsOnNodeAsync(one.Name, cancellationToken);
            members[one.Name] = pods.FirstOrDefault(pod => pod.IsMirror && pod.Labels.GetValueOrDefault("component") == "etcd");
        }

        var hasPods = members.Values.Any(member => member is not null);
        var ready = controlPlane.Count(other => other.Name != node.Name && other.IsReady && (!hasPods || members[other.Name] is { IsReady: true }));
        return Counted(node.Name, controlPlane.Count, ready);
    }
}

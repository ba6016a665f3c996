using Drydock.Kubernetes;
using Drydock.Maintenance.Node;

namespace Drydock.Maintenance.Planning;

/// <summary>A node that is to be drained, with what was decided about its pods and machines.</summary>
internal sealed record PlannedNode(MaintenanceRequest Request, MaintenancePlan Plan);

/// <summary>
/// What stands in the way of draining these nodes together, seen from the rest of the cluster: other maintenance, room for the pods, budgets
/// that cover several of the nodes, two nodes of the control plane. Pure.
/// </summary>
internal sealed class ClusterFindings(
    IReadOnlyList<PlannedNode> planned, IReadOnlyList<NodeSnapshot> nodes, IReadOnlyList<PodSnapshot> pods, IReadOnlyList<BudgetSnapshot> budgets,
    IReadOnlyList<VolumePlace> volumes)
{
    private static readonly PodVerdict[] Leaves = [PodVerdict.Evict, PodVerdict.MoveVm];

    private readonly HashSet<string> _names = planned.Select(one => one.Plan.Node).ToHashSet(StringComparer.Ordinal);

    /// <summary>All of them, the worst first.</summary>
    public IReadOnlyList<PlanFinding> All() =>
        [.. ControlPlane().Concat(Capacity()).Concat(Budgets()).Concat(OtherMaintenance()).OrderBy(finding => finding.Severity)];

    private IEnumerable<PlanFinding> ControlPlane()
    {
        var together = nodes.Where(node => node.IsControlPlane && _names.Contains(node.Name)).Select(node => node.Name).ToList();
        if (together.Count > 1)
        {
            yield return new(
                FindingSeverity.Refuses,
                "control-plane-together",
                $"Nodes {string.Join(", ", together)} are of the control plane: never two at once.",
                NextStep: "Maintain them one after the other.");
        }
    }

    private IEnumerable<PlanFinding> OtherMaintenance() =>
        from node in nodes
        where !_names.Contains(node.Name) && (node.Mark is not null || node.Unschedulable)
        select new PlanFinding(
            FindingSeverity.Notes,
            "other-maintenance",
            node.Mark is { } mark
                ? $"Node {node.Name} is under maintenance too, by {Holder.Describe(mark.HeldBy)}: it takes no pods."
                : $"Node {node.Name} is cordoned{(node.Taints.Any(static taint => taint.Key == NodePrior.DrainTaint) ? " by the Node Maintenance Operator" : "")}: it takes no pods.",
            $"node/{node.Name}");

    private IEnumerable<PlanFinding> Capacity()
    {
        var leaving = Leaving(vm => vm.Fate is VmFate.Migrates or VmFate.RestartsElsewhere).ToList();
        var room = new Room(
            nodes.Where(node => !_names.Contains(node.Name)), pods.ExceptBy(leaving.Select(pod => pod.Uid), pod => pod.Uid), [.. nodes.Where(node => _names.Contains(node.Name))], volumes);
        var homeless = leaving.Where(NeedsAnotherPlace).OrderByDescending(pod => pod.RequestedMemory).ThenByDescending(pod => pod.RequestedMilliCpu)
            .Select(pod => (Pod: pod, Why: room.Take(pod))).Where(placed => placed.Why is not null).ToList();
        if (homeless is [var (first, why), ..])
        {
            yield return new(
                FindingSeverity.Blocks,
                "no-room",
                $"{homeless.Count} {(homeless.Count == 1 ? "pod finds" : "pods find")} no room on the other nodes, the first {first.Ref}"
                + $" ({first.RequestedMilliCpu / 1000.0:0.##} CPU, {first.RequestedMemory / 1073741824.0:0.##} GiB): {why}",
                $"pod/{first.Ref}",
                "Add nodes, scale something down, or uncordon a node; until then their replacements stay Pending.");
        }
    }

    // What nobody makes again needs no room, nor does what terminates: its replacement is there already.
    private static bool NeedsAnotherPlace(PodSnapshot pod) =>
        pod is { IsFinished: false, IsVirtLauncher: true } or { IsFinished: false, DeletionRequestedAt: null, Controller: not null };

    private IEnumerable<PlanFinding> Budgets()
    {
        var stopped = PlanFindings.MeetBudgets(planned.SelectMany(one => one.Plan.VirtualMachines));
        var leaving = Leaving(vm => stopped.Contains(vm.Vmi)).Where(pod => pod is { IsFinished: false } && (!pod.IsVirtLauncher || (pod.Vmi is { } vmi && stopped.Contains(vmi)))).ToList();
        foreach (var budget in budgets)
        {
            var covered = leaving.Where(pod => budget.Covers(pod) && !budget.LetsGo(pod)).ToList();
            var on = covered.Select(pod => pod.Node!).Distinct(StringComparer.Ordinal).ToList();
            if (on.Count < 2 || covered.Count <= budget.DisruptionsAllowed)
            {
                continue;
            }

            var left = budget.ExpectedPods - covered.Count;
            yield return new(
                FindingSeverity.Blocks,
                "budget-over-nodes",
                $"Budget {budget.Ref} covers {covered.Count} pods on {string.Join(", ", on)} and lets {budget.DisruptionsAllowed} go at a time"
                + (left < budget.DesiredHealthy ? $"; all at once would leave {Math.Max(0, left)} of the {budget.DesiredHealthy} it wants" : "")
                + ": drained together, these nodes wait for each other's replacements.",
                $"poddisruptionbudget/{budget.Ref}",
                "Drain them one after the other, or add replicas.");
        }
    }

    private IEnumerable<PodSnapshot> Leaving(Func<VmForecast, bool> counts)
    {
        var uids = planned.SelectMany(one => one.Plan.Pods.Where(pod => Leaves.Contains(pod.Verdict)).Select(pod => pod.Uid)).ToHashSet(StringComparer.Ordinal);
        var staying = planned.SelectMany(one => one.Plan.VirtualMachines)
            .Where(vm => !counts(vm)).Select(vm => vm.Vmi).ToHashSet();
        return pods.Where(pod => uids.Contains(pod.Uid) && !(pod.Vmi is { } vmi && staying.Contains(vmi)));
    }
}

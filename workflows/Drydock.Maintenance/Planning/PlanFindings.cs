using Drydock.Kubernetes;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Maintenance.Planning;

/// <summary>What stands in the way of a maintenance, from what was read.</summary>
internal static class PlanFindings
{
    // The times of leases, migrations, pods and health checks are the cluster's, and are held against our clock.
    private static readonly TimeSpan SkewWorthKnowing = TimeSpan.FromSeconds(10);

    // A lease whose renewal lies in the future is anybody's to take (facts 2.1), and a migration has four minutes to be scheduled.
    private static readonly TimeSpan SkewThatHarms = TimeSpan.FromMinutes(2);

    /// <summary>Our clock and the API server's differ.</summary>
    public static IEnumerable<PlanFinding> OfClocks(TimeSpan? serverAhead)
    {
        if (serverAhead?.Duration() is { } skew && skew >= SkewWorthKnowing)
        {
            var refuses = skew >= SkewThatHarms;
            yield return new(
                refuses ? FindingSeverity.Refuses : FindingSeverity.Notes,
                "clock-skew",
                $"The clock of this host is {Spoken.Of(TimeSpan.FromSeconds(Math.Round(skew.TotalSeconds)))} {(serverAhead > TimeSpan.Zero ? "behind" : "ahead of")} that of the API server"
                    + (refuses ? ": leases and deadlines would be read wrongly." : "."),
                NextStep: "Set both by the same time servers (chronyc tracking, timedatectl), then plan it again.");
        }
    }

    /// <summary>The node is held, or its lease is somebody else's, or it was cordoned before.</summary>
    public static IEnumerable<PlanFinding> OfNode(
        MaintenanceRequest request, NodeSnapshot node, LeaseSnapshot? lease, string? holder, DateTimeOffset now)
    {
        var isHeld = lease is not null && lease.Holder != holder && !lease.IsFreeAt(now);
        if (isHeld)
        {
            yield return new(
                request.LeaseWait > TimeSpan.Zero ? FindingSeverity.Blocks : FindingSeverity.Refuses,
                "lease-held",
                $"Node {node.Name} is already under maintenance: its lease is held by {Holder.Describe(lease!.Holder)} until {lease.ExpiresAt:u}.",
                $"lease/medik8s-leases/node-{node.Name}",
                "Wait until it is over, or cancel it there.");
        }

        if (node.Mark is { } mark && mark.HeldBy != holder && !(isHeld && lease!.Holder == mark.HeldBy))
        {
            yield return new(
                FindingSeverity.Refuses,
                "node-left-behind",
                $"Node {node.Name} still carries the marks of {Holder.Describe(mark.HeldBy)}.",
                $"node/{node.Name}",
                $"Put it back with: drydock restore {node.Name}");
        }
        else if (node is { Unschedulable: true, Mark: null } && !isHeld && node.Taints.Any(static taint => taint is { Key: NodePrior.DrainTaint, Value: null or "" }))
        {
            // Its lease lasts an hour and is not renewed once the node is empty (facts 2.1): that it lapsed says nothing.
            yield return new(
                FindingSeverity.Refuses,
                "held-by-operator",
                $"Node {node.Name} is cordoned with taint {NodePrior.DrainTaint} and no mark of Drydock: the Node Maintenance Operator holds it, and would uncordon it in the middle.",
                $"node/{node.Name}",
                $"Delete its NodeMaintenance (kubectl get nodemaintenances). If there is none, it was left behind: kubectl taint nodes {node.Name} {NodePrior.DrainTaint}-");
        }
        else if (node is { Unschedulable: true, Mark: null })
        {
            yield return new(
                FindingSeverity.Notes, "was-cordoned", $"Node {node.Name} is cordoned already; it will be so afterwards too.", $"node/{node.Name}");
        }
    }

    /// <summary>Pods that refuse the drain.</summary>
    public static IEnumerable<PlanFinding> OfPods(IEnumerable<ClassifiedPod> pods) =>
        from pod in pods
        where pod.Decision.Verdict == PodVerdict.Deny
        select new PlanFinding(
            FindingSeverity.Refuses,
            $"pod-{pod.Decision.Rule}",
            $"Pod {pod.Pod.Ref} refuses the drain: {pod.Decision.Reason}",
            $"pod/{pod.Pod.Ref}",
            pod.Decision.Rule switch
            {
                "local-storage" => "Allow it with --delete-emptydir-data, or delete the pod.",
                "daemon-set" => "Leave pods of DaemonSets where they are with --ignore-daemonsets.",
                _ => "Allow it with --force, or delete the pod.",
            });

    /// <summary>Budgets that hold pods now, can never be met, or overlap.</summary>
    public static IEnumerable<PlanFinding> OfBudgets(
        IReadOnlyList<ClassifiedPod> pods, IReadOnlyList<BudgetSnapshot> budgets, IReadOnlyList<VmForecast> forecasts, DeadlinePolicy onTimeout = DeadlinePolicy.Fail)
    {
        var stopped = MeetBudgets(forecasts);
        var leaving = pods
            .Where(pod => !pod.Pod.IsFinished && (pod.Decision.Verdict == PodVerdict.Evict
                || (pod.Decision.Verdict == PodVerdict.MoveVm && pod.Pod.Vmi is { } vmi && stopped.Contains(vmi))))
            .Select(pod => pod.Pod).ToList();
        foreach (var budget in budgets)
        {
            var covered = leaving.Count(pod => budget.Covers(pod) && !budget.LetsGo(pod));
            if (covered > 0 && budget.DisruptionsAllowed == 0)
            {
                var finding = Exhausted(budget, covered);
                yield return onTimeout != DeadlinePolicy.Force ? finding : finding with
                {
                    Message = $"{finding.Message} At the deadline what it holds is deleted past it (on-timeout: Force).",
                };
            }
        }

        foreach (var pod in leaving.Where(static pod => !pod.IgnoresBudgets))
        {
            var covering = budgets.Where(budget => budget.Covers(pod)).Select(budget => budget.Ref.ToString()).ToList();
            if (covering.Count > 1)
            {
                yield return new(
                    FindingSeverity.Blocks,
                    "several-budgets",
                    $"Pod {pod.Ref} is covered by {covering.Count} budgets ({string.Join(", ", covering)}), which the Eviction API does not support.",
                    $"pod/{pod.Ref}",
                    "Change the selectors so that one budget covers it.");
            }
        }
    }

    /// <summary>
    /// The machines whose launchers a budget counts: the eviction of one that migrates is answered by KubeVirt's webhook before any budget; one
    /// that shuts down meets them.
    /// </summary>
    public static HashSet<ObjectRef> MeetBudgets(IEnumerable<VmForecast> forecasts) =>
    [
        .. forecasts.Where(vm => vm is { Fate: VmFate.RestartsElsewhere or VmFate.StaysDown, EvictionStrategy: not VmForecasts.LiveMigrate }).Select(vm => vm.Vmi),
    ];

    /// <summary>Pods that a cordon does not keep away: the scheduler may start those that follow them on the node again.</summary>
    public static IEnumerable<PlanFinding> OfReturning(IEnumerable<ClassifiedPod> pods, NodeSnapshot node)
    {
        var held = node with { Unschedulable = true, Taints = [.. node.Taints, .. NodePrior.OurTaints] };
        var returning = pods
            .Where(pod => pod is { Decision.Verdict: PodVerdict.Evict, Pod: { Controller: not null, IsFinished: false } })
            .Select(pod => pod.Pod)
            .Where(pod => pod.Placement.Selects(held) && !pod.Placement.IsKeptOffByCordon(held) && pod.Placement.FirstUntolerated(held) is null)
            .ToList();
        if (returning.Count > 0)
        {
            yield return new(
                FindingSeverity.Notes,
                "tolerates-cordon",
                $"{Spoken.Count(returning.Count, "pod tolerates", "pods tolerate")} the cordon: what follows may be started on node {node.Name} again (the first: {returning[0].Ref}).",
                $"pod/{returning[0].Ref}",
                "Remove the toleration of node.kubernetes.io/unschedulable from its template, or leave such pods where they are with --skip-pods.");
        }
    }

    /// <summary>A virtual machine that is on its way to the node.</summary>
    public static PlanFinding OfArriving(ObjectRef vmi, string node) => new(
        FindingSeverity.Notes,
        "vm-arriving",
        $"Virtual machine {vmi} is being migrated to node {node}: it leaves again after its arrival.",
        $"virtualmachineinstance/{vmi}",
        "To spare it the way, delete its migration before the maintenance begins.");

    /// <summary>Virtual machines that do not leave by themselves.</summary>
    public static IEnumerable<PlanFinding> OfVirtualMachines(IEnumerable<VmForecast> forecasts) =>
        from forecast in forecasts
        where forecast.Fate is VmFate.Blocks or VmFate.WaitsForExternal
        select new PlanFinding(
            FindingSeverity.Blocks,
            forecast.Blocker ?? (forecast.Fate == VmFate.Blocks ? "vm-not-migratable" : "vm-external"),
            $"Virtual machine {forecast.Vmi}: {forecast.Reason}",
            $"virtualmachineinstance/{forecast.Vmi}",
            forecast.NextStep ?? "Move it by whoever moves it.");

    /// <summary>A policy for migrations that do not succeed which the drain's deadline leaves no time for: a copy that hangs is not ended before that.</summary>
    public static IEnumerable<PlanFinding> OfTimes(MaintenanceRequest request, IEnumerable<VmForecast> forecasts)
    {
        if (request.VirtualMachines is { OnStuck: not StuckVmPolicy.Wait, RunningTimeout: var running } && request.Drain.OnTimeout != DeadlinePolicy.Wait
            && running >= request.Drain.Timeout && forecasts.Any(static forecast => forecast.Fate == VmFate.Migrates))
        {
            yield return new(
                FindingSeverity.Notes,
                "vm-running-timeout",
                $"A migration may run for {Spoken.Of(running)}, and the drain for {Spoken.Of(request.Drain.Timeout)}: one that hangs is not ended before its deadline.",
                NextStep: "Give the drain more time, or migrations less.");
        }
    }

    /// <summary>Virtual machines that another maintenance has marked, where that is not in the way.</summary>
    public static IEnumerable<PlanFinding> OfHeld(IEnumerable<VmForecast> forecasts) =>
        from forecast in forecasts
        where forecast is { Held: not null, Blocker: null }
        select new PlanFinding(
            FindingSeverity.Notes, VmHold.Kind, $"Virtual machine {forecast.Vmi}: {forecast.Held!.Sentence}", $"virtualmachine/{forecast.Vmi}", forecast.Held.NextStep);

    /// <summary>Instances that would be deleted for good: worth a word although nothing stands in the way.</summary>
    public static IEnumerable<PlanFinding> OfForce(IEnumerable<VmForecast> forecasts, DeadlinePolicy onTimeout) =>
        from forecast in forecasts
        where onTimeout == DeadlinePolicy.Force && forecast is { Fate: VmFate.StaysDown, RunStrategy: null }
        select new PlanFinding(
            FindingSeverity.Notes,
            "vm-deleted-by-force",
            $"Virtual machine {forecast.Vmi}: {forecast.Reason}",
            $"virtualmachineinstance/{forecast.Vmi}",
            "Move it or give it a VirtualMachine before the deadline if it is to live on.");

    private static PlanFinding Exhausted(BudgetSnapshot budget, int covered)
    {
        var lookAt = $"poddisruptionbudget/{budget.Ref}";
        return budget switch
        {
            { CanNeverAllow: true } => new(
                FindingSeverity.Blocks,
                "budget-can-never-be-met",
                $"Budget {budget.Ref} never allows a disruption ({SpecOf(budget)}); it holds {Spoken.Count(covered, "pod", "pods")}.",
                lookAt,
                "Raise its maxUnavailable or lower its minAvailable; more replicas do not help."),
            { WantsAll: true } => new(
                FindingSeverity.Blocks,
                "budget-exhausted",
                $"Budget {budget.Ref} allows no disruption: it wants {budget.DesiredHealthy} healthy pods of the {budget.ExpectedPods} there are; it holds {Spoken.Count(covered, "pod", "pods")}.",
                lookAt,
                "It frees up when there is another replica; or lower its minAvailable."),
            _ => new(
                FindingSeverity.Blocks,
                "budget-exhausted",
                $"Budget {budget.Ref} allows no disruption now ({budget.CurrentHealthy} healthy, {budget.DesiredHealthy} wanted); it holds {Spoken.Count(covered, "pod", "pods")}.",
                lookAt,
                "It frees up when its pods are healthy again."),
        };
    }

    private static string SpecOf(BudgetSnapshot budget) =>
        budget.ExpectedPods == 0 ? "its pods have no owner with a number of replicas, so it cannot count them"
        : budget.MaxUnavailable is { } most ? $"maxUnavailable {most}" : $"minAvailable {budget.MinAvailable}";
}

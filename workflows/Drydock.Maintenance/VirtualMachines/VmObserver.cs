using Drydock.Kubernetes;
using Drydock.Maintenance.Drain;
using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>Reads one virtual machine, its launcher pods, its migration and the state of the queue of migrations.</summary>
internal sealed class VmObserver(ICluster cluster, TimeProvider clock)
{
    // Who holds a slot longer than that in front of others is worth telling.
    private static readonly TimeSpan LongInPhase = TimeSpan.FromMinutes(1);

    // KubeVirt's longest pause after a migration that failed: what it said before that is over.
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromMinutes(5);

    private static readonly string[] ReasonsToWait =
        ["migrationRejectedByResourceQuota", "migrationBlockedByUtilityVolumes", "migrationBlockedByBackup", "decentralizedMigrationBlocked"];

    public async Task<VmObservation> ReadAsync(AwaitVmInput input, CancellationToken cancellationToken)
    {
        var vmi = await cluster.GetVmiAsync(input.Vm, cancellationToken);
        var vm = await cluster.GetVmAsync(input.Vm, cancellationToken);
        var migrations = await MigrationsAsync(input.Vm, cancellationToken);
        var kubeVirt = await cluster.GetKubeVirtAsync(cancellationToken);
        var launcher = (await cluster.ListLaunchersOnNodeAsync(input.Node, cancellationToken))
            .FirstOrDefault(pod => pod is { IsFinished: false } && pod.Vmi == input.Vm);

        var own = migrations.Where(migration => migration.Vmi == input.Vm).Select(migration => migration.PlacedBy(vmi)).ToList();
        var observation = new VmObservation(clock.GetUtcNow())
        {
            LeavesForeign = true,
            TellsQueue = true,
            Instance = vmi is null ? null : InstanceOf(vmi, vm, kubeVirt),
            Launcher = launcher is null ? null : await LauncherOfAsync(launcher, input.Node, cancellationToken),
            Migration = MigrationOf(own),
            LastFailure = MigrationOf(own.Where(migration => migration.Phase == "Failed")),
            Machine = vm is null ? null : MachineOf(vm, input),
        };
        observation = await WithOwnerAsync(observation, input, vmi, cancellationToken);
        observation = await WithQueueAsync(observation, input, migrations, kubeVirt, cancellationToken);
        var asks = launcher is null ? PodPlacement.Anywhere : NodeFilters.AsksOf(launcher);
        observation = await WithTargetsAsync(observation, input, asks, migrations, kubeVirt, cancellationToken);
        return vmi is null ? observation : await WithReasonsAsync(observation, input, vmi, migrations, cancellationToken);
    }

    /// <summary>Those of the machine as they are, finished or not, and of others what is under way: a cluster keeps thousands that have finished.</summary>
    private async Task<List<MigrationSnapshot>> MigrationsAsync(ObjectRef vm, CancellationToken cancellationToken)
    {
        var own = await cluster.ListMigrationsAsync(vm, cancellationToken);
        var all = cluster.WatchedMigrations ?? await cluster.ListMigrationsAsync(null, cancellationToken);
        return [.. own.Where(migration => migration.Vmi == vm), .. all.Where(migration => migration.Vmi != vm && !migration.IsFinished)];
    }

    private async Task<ObservedLauncher> LauncherOfAsync(PodSnapshot pod, string node, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var launcher = new ObservedLauncher(pod.Ref, pod.Uid, pod.DeletionRequestedAt is not null)
        {
            LeavingSince = pod.DeletionRequestedAt,
            LateAt = LatePods.LateAt(pod),
            Budget = BudgetOf(pod),
        };
        return LatePods.IsLate(pod, now)
            ? launcher with { Stuck = LatePods.WhyStuck(pod, await cluster.GetNodeAsync(node, cancellationToken), now) }
            : launcher;
    }

    // Only what the watch knows: it wakes, and what it does not know is asked for again in a while.
    private ObservedBudget? BudgetOf(PodSnapshot pod) =>
        (cluster.WatchedBudgets ?? []).Where(budget => budget.Covers(pod)).Take(2).ToList() is [var only]
            ? new(only.Ref.ToString(), only.ResourceVersion, only.DisruptionsAllowed > 0)
            : null;

    private static ObservedMachine MachineOf(VmSnapshot vm, AwaitVmInput input) => new(VmForecasts.RunStrategyOf(vm)!, vm.PrintableStatus)
    {
        HasBothKeys = vm is { Running: not null, RunStrategy: not null },
        IsStopAsked = vm.StateChangeRequests is ["Stop"],
        Held = input.Holder is { } holder ? VmHold.Of(vm, holder) : null,
        Annotated = VmPolicies.Annotated(
            new VirtualMachinePolicy { AllowAnnotations = input.ReadsAnnotations, AllowedAnnotations = input.AllowedAnnotations }, vm),
    };

    /// <summary>Of an instance that something other than a virtual machine owns: when the newest of its siblings was made, and what came in its place.</summary>
    private async Task<VmObservation> WithOwnerAsync(
        VmObservation observation, AwaitVmInput input, VmiSnapshot? vmi, CancellationToken cancellationToken)
    {
        if (input.ReadsSiblings && observation.Instance is { OtherOwner: not null } instance)
        {
            var siblings = (await cluster.ListVmisAsync(cancellationToken)).Where(one => one.Controller?.Uid == vmi!.Controller!.Uid);
            return observation with { Instance = instance with { NewestSibling = siblings.Select(one => one.CreatedAt).Append(vmi!.CreatedAt).Max() } };
        }

        if (input.FollowsOwner is null || input.FollowsFrom is not { } from || observation.Launcher is not null || vmi is { Phase: not ("Succeeded" or "Failed") })
        {
            return observation;
        }

        // With several it has arrived when all have: which of them is in whose place cannot be told.
        var living = (await cluster.ListVmisAsync(cancellationToken))
            .Where(one => one.Ref.Namespace == input.Vm.Namespace && one.Controller is { Kind: not "VirtualMachine" } owner && owner.Name == input.FollowsOwner
                && one.Phase is not ("Succeeded" or "Failed")).ToList();
        var made = living.Where(one => one.CreatedAt > from)
            .OrderBy(one => one.Phase == "Running").ThenBy(one => one.Ref.Name, StringComparer.Ordinal).FirstOrDefault();
        if (made is null)
        {
            // Scaled down meanwhile: nothing will be made, and waiting for it would end as a failure.
            var wanted = await cluster.FindVmiReplicasAsync(new ObjectRef(input.Vm.Namespace, input.FollowsOwner), cancellationToken);
            return observation with { OwnerHasEnoughAt = wanted <= living.Count ? wanted : null };
        }

        return observation with
        {
            Successor = new ObservedSuccessor(made.Ref.Name, made.Phase, made.Node),
            Unschedulable = made.Phase == "Running" ? null : await WhyPendingAsync(cluster, made, null, cancellationToken),
        };
    }

    private static ObservedInstance InstanceOf(VmiSnapshot vmi, VmSnapshot? vm, KubeVirtSnapshot? kubeVirt)
    {
        var strategy = VmForecasts.Effective(vmi.EvictionStrategy, kubeVirt).Strategy;
        return new(vmi.Uid, vmi.Node, vmi.Phase, strategy, vmi.IsLiveMigratable)
        {
            NeedsStart = strategy is not (VmForecasts.LiveMigrate or VmForecasts.External) && VmForecasts.IsStartedByUs(vm),
            WhyNot = vmi.IsLiveMigratable ? null : $"{vmi.LiveMigratable?.Reason ?? "no reason given"}: {vmi.LiveMigratable?.Message}",
            IsStarting = vmi.IsStarting,
            EvacuationNode = vmi.EvacuationNode,
            OtherOwner = vmi.Controller is { Kind: not "VirtualMachine" } owner ? owner.Kind : null,
            OtherOwnerName = vmi.Controller is { Kind: not "VirtualMachine" } named ? named.Name : null,
        };
    }

    /// <summary>The one under way, else the newest; null if there is none.</summary>
    public static ObservedMigration? MigrationOf(IEnumerable<MigrationSnapshot> migrations) =>
        migrations.OrderBy(migration => migration.IsFinished).ThenByDescending(migration => migration.CreatedAt)
            .Select(migration => new ObservedMigration(
                migration.Ref.Name, migration.Uid, migration.Phase, migration.PhaseSince ?? migration.CreatedAt)
            {
                TargetNode = migration.TargetNode,
                FailureReason = migration.FailureReason,
                IsOthers = !migration.IsEvacuation,
                IsBeingDeleted = migration.IsBeingDeleted,
            })
            .FirstOrDefault();

    /// <summary>Who takes the slots that KubeVirt's limits leave, and since when (facts 2.3.5: active counts from Scheduling on).</summary>
    private async Task<VmObservation> WithQueueAsync(
        VmObservation observation, AwaitVmInput input, IReadOnlyList<MigrationSnapshot> migrations, KubeVirtSnapshot? kubeVirt,
        CancellationToken cancellationToken)
    {
        var active = migrations.Where(migration => migration.IsActive && migration.Vmi != input.Vm).ToList();
        if (active.Count == 0 || kubeVirt is null)
        {
            return observation;
        }

        // A migration that a person began names no source until it is handed over.
        var here = active.Exists(migration => migration.SourceNode is null)
            ? (await cluster.ListVmisOnNodeAsync(input.Node, cancellationToken)).Select(vmi => vmi.Ref).ToHashSet()
            : [];
        var fromHere = active.Where(migration => (migration.SourceNode ?? (here.Contains(migration.Vmi) ? input.Node : null)) == input.Node).ToList();
        var isNodeFull = fromHere.Count >= kubeVirt.ParallelOutboundMigrationsPerNode;
        var holders = isNodeFull ? fromHere : active;
        var longest = holders.Where(holder => holder.PhaseSince is { } since && since + LongInPhase < observation.At).MinBy(holder => holder.PhaseSince);
        return observation with
        {
            HasFreeSlot = !isNodeFull && active.Count < kubeVirt.ParallelMigrationsPerCluster,
            Ahead = [.. holders.Select(migration => migration.Vmi.ToString()).Take(5)],
            AheadIsStuck = longest is null ? null : $"{longest.Vmi} is in {longest.Phase} since {longest.PhaseSince:u}.",
        };
    }

    private async Task<VmObservation> WithTargetsAsync(
        VmObservation observation, AwaitVmInput input, PodPlacement asks, IReadOnlyList<MigrationSnapshot> migrations, KubeVirtSnapshot? kubeVirt,
        CancellationToken cancellationToken)
    {
        var wantsTargets = input.WantsTargets && kubeVirt?.IsOlderThan(1, 6) == false;
        if (input.MaxInboundPerNode is null && !wantsTargets)
        {
            return observation;
        }

        var nodes = await cluster.ListNodesAsync(cancellationToken);
        var vmis = await cluster.ListVmisAsync(cancellationToken);
        var isAskedFor = observation.Migration is { IsFinished: false } || observation.Instance?.EvacuationNode is not null;
        return observation with
        {
            Targets = wantsTargets ? Inbound.Targets(input.Node, asks, nodes, migrations, vmis) : [],
            InboundHold = input.MaxInboundPerNode is not { } most || isAskedFor
                ? null
                : Inbound.Hold(most, input.Node, asks, nodes, migrations, vmis),
        };
    }

    /// <summary>Why it does not go on: the scheduler's words on its pending pod, or what KubeVirt says about a migration that does not begin.</summary>
    private async Task<VmObservation> WithReasonsAsync(
        VmObservation observation, AwaitVmInput input, VmiSnapshot vmi, IReadOnlyList<MigrationSnapshot> migrations, CancellationToken cancellationToken)
    {
        if (observation.Instance is { Phase: "Pending" or "Scheduling" or "" } || observation.Migration is { IsScheduling: true })
        {
            var isTarget = observation.Migration is { IsScheduling: true };
            return observation with { Unschedulable = await WhyPendingAsync(cluster, vmi, isTarget ? observation.Migration!.Uid : null, cancellationToken) };
        }

        return observation switch
        {
            { HasFreeSlot: true, Migration: { IsWaiting: true } waiting } => observation with
            {
                PendingReason = await WhyWaitingAsync(vmi, migrations.First(one => one.Uid == waiting.Uid), cancellationToken),
            },
            { HasFreeSlot: true, WaitsForMigration: true } when input.ReadsBackoffs => observation with
            {
                PendingReason = Latest(await BackoffsAsync(vmi, cancellationToken), observation.At - LongestBackoff),
            },
            _ => observation,
        };
    }

    /// <summary>In the scheduler's words if it spoke, else in KubeVirt's; null if neither said anything.</summary>
    public static async Task<string?> WhyPendingAsync(ICluster cluster, VmiSnapshot vmi, string? migrationUid, CancellationToken cancellationToken)
    {
        var pods = await cluster.ListLaunchersAsync(vmi.Ref, vmi.Uid, cancellationToken);
        var pending = pods.FirstOrDefault(pod => pod is { Node: null, UnschedulableMessage: not null }
            && (migrationUid is null || pod.Labels.GetValueOrDefault("kubevirt.io/migrationJobUID") == migrationUid));
        return pending?.UnschedulableMessage
            ?? (migrationUid is not null ? null
                : vmi.PodScheduled is { Status: "False", Message: { Length: > 0 } message } ? message
                : vmi.Synchronized is { Status: "False", Message: { Length: > 0 } why } ? why
                : null);
    }

    private async Task<string?> WhyWaitingAsync(VmiSnapshot vmi, MigrationSnapshot migration, CancellationToken cancellationToken)
    {
        if (migration.Conditions.FirstOrDefault(one => one.Status == "True" && ReasonsToWait.Contains(one.Type)) is { } condition)
        {
            return $"{condition.Type}{(string.IsNullOrEmpty(condition.Message) ? "" : $": {condition.Message}")}";
        }

        var events = await cluster.ListEventsAsync(migration.Ref.Namespace, migration.Uid, cancellationToken);
        return Latest(events.Concat(await BackoffsAsync(vmi, cancellationToken)), migration.CreatedAt);
    }

    private async Task<IEnumerable<EventSnapshot>> BackoffsAsync(VmiSnapshot vmi, CancellationToken cancellationToken) =>
        (await cluster.ListEventsAsync(vmi.Ref.Namespace, vmi.Uid, cancellationToken)).Where(static one => one.Reason == "MigrationBackoff");

    private static string? Latest(IEnumerable<EventSnapshot> events, DateTimeOffset since) =>
        events.Where(one => one.IsWarning && one.At >= since).MaxBy(static one => one.At) is { } latest ? $"{latest.Message.TrimEnd('.')} ({latest.Reason})." : null;
}

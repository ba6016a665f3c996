using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>What KubeVirt and the policy will do to a virtual machine on a node that is drained.</summary>
public static class VmForecasts
{
    /// <summary>KubeVirt's name for migrating or refusing.</summary>
    public const string LiveMigrate = "LiveMigrate";

    /// <summary>KubeVirt's name for migrating if it can, else shutting down.</summary>
    public const string LiveMigrateIfPossible = "LiveMigrateIfPossible";

    /// <summary>KubeVirt's name for leaving it to somebody else.</summary>
    public const string External = "External";

    /// <summary>KubeVirt's name for shutting down.</summary>
    public const string None = "None";

    /// <summary>The strategy that applies, and where it comes from (facts 2.3.2).</summary>
    public static (string Strategy, string Source) Effective(string? ofInstance, KubeVirtSnapshot? kubeVirt) => (ofInstance, kubeVirt) switch
    {
        ({ Length: > 0 }, _) => (ofInstance, "VirtualMachineInstance"),
        (_, { EvictionStrategy: { Length: > 0 } ofCluster, ManagedByHyperConverged: true }) => (ofCluster, "HyperConverged"),
        (_, { EvictionStrategy: { Length: > 0 } ofCluster }) => (ofCluster, "KubeVirt"),
        _ => (None, "default"),
    };

    /// <summary>The run strategy, with the deprecated <c>running</c> told by the name it stands for; null without a VM.</summary>
    public static string? RunStrategyOf(VmSnapshot? vm) =>
        vm is null ? null : vm.RunStrategy ?? (vm.Running is true ? "Always" : "Halted");

    /// <summary>
    /// An evicted launcher shuts its guest down, and that is a success: KubeVirt starts RerunOnFailure again only after a failure (observed c and f).
    /// One with both keys takes no mark, and is left alone.
    /// </summary>
    internal static bool IsStartedByUs(VmSnapshot? vm) => vm is { RunStrategy: "RerunOnFailure", Running: null };

    /// <summary>What will happen to it.</summary>
    /// <param name="vmi">The instance.</param>
    /// <param name="vm">Its virtual machine, or null.</param>
    /// <param name="kubeVirt">What holds for the cluster.</param>
    /// <param name="policy">What holds for the machine.</param>
    /// <param name="onTimeout">What the drain does at its deadline.</param>
    public static VmForecast Forecast(
        VmiSnapshot vmi, VmSnapshot? vm, KubeVirtSnapshot? kubeVirt, VirtualMachinePolicy policy, DeadlinePolicy onTimeout = DeadlinePolicy.Fail)
    {
        ArgumentNullException.ThrowIfNull(vmi);
        ArgumentNullException.ThrowIfNull(policy);
        var (strategy, source) = Effective(vmi.EvictionStrategy, kubeVirt);
        if (vm is { TemplateEvictionStrategy: null } && (kubeVirt?.EvictionStrategy ?? None) == strategy)
        {
            // Not its own: KubeVirt copied that of the cluster, or its default, into it when it was created.
            source = Effective(ofInstance: null, kubeVirt).Source;
        }
        else if (vm is null && vmi.EvictionStrategy is { Length: > 0 } && (kubeVirt?.EvictionStrategy ?? None) == strategy)
        {
            // There is no template to compare it with: it may be its own, or copied.
            source = $"{source} or {Effective(ofInstance: null, kubeVirt).Source}";
        }

        var (fate, reason) = Fate(strategy, vmi, vm, policy);
        if (fate == VmFate.Blocks && onTimeout == DeadlinePolicy.Force && policy.OnNotMigratable != StuckVmPolicy.Fail)
        {
            (fate, reason) = Forced(reason, vmi, vm);
        }

        if (fate == VmFate.WaitsForExternal)
        {
            reason += IfNobodyDoes(vmi, vm, policy, onTimeout);
        }

        return new VmForecast(
            vmi.Ref, vmi.Uid, fate, strategy, source, vmi.IsLiveMigratable, RunStrategyOf(vm), reason + Owner(vm) + AfterRestart(vmi, vm, kubeVirt))
        {
            WhyNotMigratable = vmi.IsLiveMigratable ? null : WhyNot(vmi),
            NextStep = fate == VmFate.Blocks ? NextStep(vmi, vm, policy) : null,
        };
    }

    private static string NextStep(VmiSnapshot vmi, VmSnapshot? vm, VirtualMachinePolicy policy) => (policy.OnNotMigratable, vm) switch
    {
        (_, { Running: not null, RunStrategy: not null }) => "Remove spec.running or spec.runStrategy.",
        (_, { RunStrategy: "WaitAsReceiver" }) => "Migrate or stop it by hand.",
        (_, null) when vmi.Controller is null => "Make it migratable, delete it by hand, or let the drain force it at its deadline (on-timeout: Force).",
        (StuckVmPolicy.Fail, _) => "Stop it, make it migratable, or choose another policy for it (on-not-migratable: ShutDown).",
        _ => "Stop it, make it migratable, or let the policy shut it down (on-not-migratable: ShutDown).",
    };

    /// <summary>The same forecast, or that it stays, if a selector or a rule of the request leaves its pod where it is or waits for its end.</summary>
    internal static VmForecast AsRuled(VmForecast forecast, IReadOnlyList<ClassifiedPod> pods)
    {
        var launchers = pods.Where(pod => pod.Pod is { IsFinished: false } && pod.Pod.Vmi == forecast.Vmi).Select(pod => pod.Decision).ToList();
        return launchers.Find(decision => decision.Verdict is PodVerdict.Keep or PodVerdict.AwaitCompletion) is { } ruled
            && !launchers.Exists(decision => decision.Verdict == PodVerdict.MoveVm)
            ? forecast with { Fate = VmFate.Stays, Reason = ruled.Reason }
            : forecast;
    }

    private static (VmFate Fate, string Reason) Fate(string strategy, VmiSnapshot vmi, VmSnapshot? vm, VirtualMachinePolicy policy) =>
        (strategy, vmi.IsLiveMigratable) switch
        {
            _ when vmi.IsBeingDeleted || RunStrategyOf(vm) == "Halted" => GoesDown(vmi, vm),
            (LiveMigrate, false) when vmi.IsStarting => (VmFate.Migrates, "It is still starting: when it runs it migrates to another node, if KubeVirt finds that it can."),
            (LiveMigrate or LiveMigrateIfPossible, true) => (VmFate.Migrates, "It migrates to another node without a stop."),
            (LiveMigrate, false) => NotMigratable(vmi, vm, policy),
            (not External, _) when vm is null && vmi.Controller is null => EndsForGood(strategy, vmi, policy),
            (LiveMigrateIfPossible, false) => ShutDown($"{WhyNot(vmi)} LiveMigrateIfPossible shuts it down", vmi, vm),
            (External, _) => (VmFate.WaitsForExternal, "Its eviction strategy is External: it is marked, and somebody else must move it."),
            _ => ShutDown($"Eviction strategy {strategy} shuts it down", vmi, vm),
        };

    private static (VmFate Fate, string Reason) GoesDown(VmiSnapshot vmi, VmSnapshot? vm) => (RunStrategyOf(vm), vmi.Controller) switch
    {
        ("Always", _) => (VmFate.RestartsElsewhere, "It is shutting down already; run strategy Always starts it elsewhere."),
        (null, { Kind: not "VirtualMachine" } owner) => (VmFate.RestartsElsewhere, $"It is shutting down already; its {owner.Kind} {owner.Name} makes another."),
        _ => (VmFate.StaysDown, "It is shutting down already."),
    };

    // Like stopping it, that cannot be undone: it needs force.
    private static (VmFate Fate, string Reason) EndsForGood(string strategy, VmiSnapshot vmi, VirtualMachinePolicy policy)
    {
        var why = strategy == LiveMigrateIfPossible ? $"{WhyNot(vmi)} {strategy} would shut it down." : $"Eviction strategy {strategy} would shut it down.";
        return policy.OnNotMigratable switch
        {
            StuckVmPolicy.Skip => (VmFate.Stays, $"{why} The policy leaves it on the node."),
            StuckVmPolicy.Fail => (VmFate.Blocks, $"{why} The policy fails the maintenance."),
            _ => (VmFate.Blocks, $"{why} It has no VirtualMachine: stopping it would delete it for good."),
        };
    }

    private static (VmFate Fate, string Reason) NotMigratable(VmiSnapshot vmi, VmSnapshot? vm, VirtualMachinePolicy policy) =>
        (policy.OnNotMigratable, vm) switch
        {
            (StuckVmPolicy.ShutDown, { Running: not null, RunStrategy: not null }) =>
                (VmFate.Blocks, $"{WhyNot(vmi)} Running and RunStrategy are both set: KubeVirt refuses every change of it."),
            (StuckVmPolicy.ShutDown, { RunStrategy: "WaitAsReceiver" }) =>
                (VmFate.Blocks, $"{WhyNot(vmi)} With run strategy WaitAsReceiver nothing would start it again: it is not stopped."),
            (StuckVmPolicy.ShutDown, not null) => (VmFate.StoppedAndRestored, $"{WhyNot(vmi)} The policy stops it and starts it again after the maintenance."),
            (StuckVmPolicy.ShutDown, null) when vmi.Controller is { } owner =>
                (VmFate.RestartsElsewhere, $"{WhyNot(vmi)} The policy deletes it; its {owner.Kind} {owner.Name} makes another."),
            (StuckVmPolicy.ShutDown, null) => (VmFate.Blocks, $"{WhyNot(vmi)} It has no VirtualMachine: stopping it would delete it for good."),
            (StuckVmPolicy.Skip, _) => (VmFate.Stays, $"{WhyNot(vmi)} The policy leaves it on the node."),
            (StuckVmPolicy.Fail, _) => (VmFate.Blocks, $"{WhyNot(vmi)} The policy fails the maintenance."),
            _ => (VmFate.Blocks, $"{WhyNot(vmi)} KubeVirt does not let it go."),
        };

    private static string IfNobodyDoes(VmiSnapshot vmi, VmSnapshot? vm, VirtualMachinePolicy policy, DeadlinePolicy onTimeout) =>
        (policy.OnStuck, onTimeout) switch
        {
            (StuckVmPolicy.ShutDown, _) => $" If nobody does within {Spoken.Of(policy.ExternalTimeout)}, the policy shuts it down.",
            (StuckVmPolicy.Skip, _) => $" If nobody does within {Spoken.Of(policy.ExternalTimeout)}, the policy leaves it on the node.",
            (StuckVmPolicy.Fail, _) => $" If nobody does within {Spoken.Of(policy.ExternalTimeout)}, the policy fails the maintenance.",
            (_, DeadlinePolicy.Force) => Forced(" If nobody does:", vmi, vm).Reason,
            _ => "",
        };

    // What blocks for good is not waited for longer than until the deadline.
    private static (VmFate Fate, string Reason) Forced(string why, VmiSnapshot vmi, VmSnapshot? vm) => (vm, vmi.Controller) switch
    {
        ({ Running: not null, RunStrategy: not null } or { RunStrategy: "WaitAsReceiver" }, _) =>
            (VmFate.Blocks, $"{why} At the deadline of the drain its launcher pod is deleted by force."),
        (not null, _) => (VmFate.StoppedAndRestored, $"{why} At the deadline of the drain it is stopped by force, and started again after the maintenance."),
        (null, { } owner) => (VmFate.RestartsElsewhere, $"{why} At the deadline of the drain it is deleted by force; its {owner.Kind} {owner.Name} makes another."),
        (null, null) => (VmFate.StaysDown, $"{why} At the deadline of the drain it is deleted by force, for good."),
    };

    private static (VmFate Fate, string Reason) ShutDown(string why, VmiSnapshot vmi, VmSnapshot? vm) =>
        (RunStrategyOf(vm), vmi.Controller?.Kind) switch
        {
            ("Always", _) => (VmFate.RestartsElsewhere, $"{why}; run strategy Always starts it elsewhere."),
            _ when IsStartedByUs(vm) => (VmFate.RestartsElsewhere, $"{why}; KubeVirt leaves run strategy RerunOnFailure down after that, and Drydock starts it elsewhere."),
            ({ } strategy, _) => (VmFate.StaysDown, $"{why}; with run strategy {strategy} it stays down."),
            (null, var kind) => (VmFate.RestartsElsewhere, $"{why}; its {kind} replaces it."),
        };

    private static string Owner(VmSnapshot? vm) => vm?.Controller is { } owner ? $" It belongs to {owner.Kind} {owner.Name}." : "";

    private static string WhyNot(VmiSnapshot vmi) => vmi.LiveMigratable switch
    {
        { Reason: { Length: > 0 } reason, Message: { Length: > 0 } message } => $"It cannot migrate ({reason}: {message}).",
        { Reason: { Length: > 0 } reason } => $"It cannot migrate ({reason}).",
        _ when vmi.IsStarting => "It does not run yet, and cannot migrate before.",
        _ => "It cannot migrate: KubeVirt gives no reason.",
    };

    // KubeVirt writes the strategy into the instance when it is created; later changes of template or cluster wait for a restart.
    private static string AfterRestart(VmiSnapshot vmi, VmSnapshot? vm, KubeVirtSnapshot? kubeVirt)
    {
        var configured = vm is null ? null : vm.TemplateEvictionStrategy ?? kubeVirt?.EvictionStrategy ?? None;
        return configured is null || vmi.EvictionStrategy is null || vmi.EvictionStrategy == configured
            ? ""
            : $" Running with {vmi.EvictionStrategy}; {configured} applies after a restart.";
    }
}

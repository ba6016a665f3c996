using Drydock.Kubernetes;
using Drydock.Maintenance.VirtualMachines;

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
    /// <param name="drain">How the drain ends; null: by its defaults.</param>
    /// <param name="holder">Whose maintenance it would be; null: nobody's yet.</param>
    public static VmForecast Forecast(
        VmiSnapshot vmi, VmSnapshot? vm, KubeVirtSnapshot? kubeVirt, VirtualMachinePolicy policy, DrainPolicy? drain = null, string? holder = null)
    {
        ArgumentNullException.ThrowIfNull(vmi);
        ArgumentNullException.ThrowIfNull(policy);
        drain ??= new DrainPolicy();
        var held = VmHold.Of(vm, holder);
        var effect = ShutDownEffect.Of(vmi, vm, held);
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

        var (fate, reason) = Fate(strategy, vmi, vm, policy, effect);
        var isHeld = false;
        if (held is not null && fate == VmFate.RestartsElsewhere && IsStartedByUs(vm) && !vmi.IsBeingDeleted)
        {
            (fate, reason, isHeld) = (VmFate.Blocks, $"Its eviction would shut it down. {held.Sentence}", true);
        }

        isHeld |= held is not null && fate == VmFate.Blocks && policy.OnNotMigratable == StuckVmPolicy.ShutDown && effect.Blocker is not null;
        if (fate == VmFate.Blocks && drain.OnTimeout == DeadlinePolicy.Force && (isHeld || policy.OnNotMigratable != StuckVmPolicy.Fail))
        {
            (fate, reason) = Forced(reason, vmi, effect);
        }

        if (fate == VmFate.WaitsForExternal)
        {
            reason += IfNobodyDoes(vmi, policy, drain, effect);
        }

        return new VmForecast(
            vmi.Ref, vmi.Uid, fate, strategy, source, vmi.IsLiveMigratable, RunStrategyOf(vm), reason + Owner(vm) + AfterRestart(vmi, vm, kubeVirt))
        {
            WhyNotMigratable = vmi.IsLiveMigratable ? null : WhyNot(vmi),
            NextStep = fate != VmFate.Blocks ? null : isHeld ? held!.NextStep : NextStep(vmi, vm, policy),
            Blocker = fate == VmFate.Blocks && isHeld ? VmHold.Kind : null,
            Held = held,
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

    private static (VmFate Fate, string Reason) Fate(string strategy, VmiSnapshot vmi, VmSnapshot? vm, VirtualMachinePolicy policy, ShutDownEffect effect) =>
        (strategy, vmi.IsLiveMigratable) switch
        {
            _ when vmi.IsBeingDeleted || RunStrategyOf(vm) == "Halted" => GoesDown(vmi, vm),
            (LiveMigrate, false) when vmi.IsStarting => (VmFate.Migrates, "It is still starting: when it runs it migrates to another node, if KubeVirt finds that it can."),
            (LiveMigrate or LiveMigrateIfPossible, true) => (VmFate.Migrates, "It migrates to another node without a stop."),
            (LiveMigrate, false) => NotMigratable(vmi, policy, effect),
            (not External, _) when vm is null && vmi.Controller is null => EndsForGood(strategy, vmi, policy, effect),
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
    private static (VmFate Fate, string Reason) EndsForGood(string strategy, VmiSnapshot vmi, VirtualMachinePolicy policy, ShutDownEffect effect)
    {
        var why = strategy == LiveMigrateIfPossible ? $"{WhyNot(vmi)} {strategy} would shut it down." : $"Eviction strategy {strategy} would shut it down.";
        return policy.OnNotMigratable switch
        {
            StuckVmPolicy.Skip => (VmFate.Stays, $"{why} The policy leaves it on the node."),
            StuckVmPolicy.Fail => (VmFate.Blocks, $"{why} The policy fails the maintenance."),
            _ => (VmFate.Blocks, $"{why} {effect.WhyNot}"),
        };
    }

    private static (VmFate Fate, string Reason) NotMigratable(VmiSnapshot vmi, VirtualMachinePolicy policy, ShutDownEffect effect) =>
        (policy.OnNotMigratable, effect.Kind) switch
        {
            (StuckVmPolicy.ShutDown, ShutDownKind.Stopped) =>
                (VmFate.StoppedAndRestored, $"{WhyNot(vmi)} The policy stops it and starts it again after the maintenance."),
            (StuckVmPolicy.ShutDown, ShutDownKind.Replaced) =>
                (VmFate.RestartsElsewhere, $"{WhyNot(vmi)} The policy deletes it; its {vmi.Controller!.Kind} {vmi.Controller.Name} makes another."),
            (StuckVmPolicy.ShutDown, _) => (VmFate.Blocks, $"{WhyNot(vmi)} {effect.WhyNot}"),
            (StuckVmPolicy.Skip, _) => (VmFate.Stays, $"{WhyNot(vmi)} The policy leaves it on the node."),
            (StuckVmPolicy.Fail, _) => (VmFate.Blocks, $"{WhyNot(vmi)} The policy fails the maintenance."),
            _ => (VmFate.Blocks, $"{WhyNot(vmi)} KubeVirt does not let it go."),
        };

    // The drain's clock begins first: a time as long as the drain's is never over before it.
    private static string IfNobodyDoes(VmiSnapshot vmi, VirtualMachinePolicy policy, DrainPolicy drain, ShutDownEffect effect)
    {
        var isDecided = policy.ExternalTimeout < drain.Timeout || drain.OnTimeout == DeadlinePolicy.Wait;
        var within = $" If nobody does within {Spoken.Of(policy.ExternalTimeout)}, the policy";
        return (policy.OnStuck, effect.Kind, drain.OnTimeout) switch
        {
            (StuckVmPolicy.ShutDown, ShutDownKind.Stopped, _) when isDecided => $"{within} stops it and starts it again after the maintenance.",
            (StuckVmPolicy.ShutDown, ShutDownKind.Replaced, _) when isDecided => $"{within} deletes it; its {vmi.Controller!.Kind} {vmi.Controller.Name} makes another.",
            (StuckVmPolicy.ShutDown, _, DeadlinePolicy.Force) when isDecided => Forced($"{within} would shut it down. {effect.WhyNot}", vmi, effect).Reason,
            (StuckVmPolicy.ShutDown, _, var end) when isDecided =>
                $"{within} would shut it down. {effect.WhyNot}{(end == DeadlinePolicy.Fail ? " The maintenance fails at the deadline of the drain." : "")}",
            (StuckVmPolicy.Skip, _, _) when isDecided => $"{within} leaves it on the node.",
            (StuckVmPolicy.Fail, _, _) when isDecided => $"{within} fails the maintenance.",
            (_, _, DeadlinePolicy.Force) => Forced(" If nobody does:", vmi, effect).Reason,
            (_, _, DeadlinePolicy.Fail) => " If nobody does, the maintenance fails at the deadline of the drain.",
            _ => "",
        };
    }

    // What blocks for good is not waited for longer than until the deadline.
    private static (VmFate Fate, string Reason) Forced(string why, VmiSnapshot vmi, ShutDownEffect effect) => effect.Kind switch
    {
        ShutDownKind.Refused => (VmFate.Blocks, $"{why} At the deadline of the drain its launcher pod is deleted by force."),
        ShutDownKind.Stopped => (VmFate.StoppedAndRestored, $"{why} At the deadline of the drain it is stopped by force, and started again after the maintenance."),
        ShutDownKind.Replaced => (
            VmFate.RestartsElsewhere, $"{why} At the deadline of the drain it is deleted by force; its {vmi.Controller!.Kind} {vmi.Controller.Name} makes another."),
        _ => (VmFate.StaysDown, $"{why} At the deadline of the drain it is deleted by force, for good."),
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

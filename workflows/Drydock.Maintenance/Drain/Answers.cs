namespace Drydock.Maintenance.Drain;

/// <summary>
/// Stable names of what holds a pod: the answers to an eviction (<see cref="Drydock.Kubernetes.EvictionAnswer"/> in kebab case) and what
/// holds it without one. They stand in histories and blockers. And what a person can do about each.
/// </summary>
internal static class Answers
{
    public const string Accepted = "accepted";
    public const string Gone = "gone";
    public const string Terminating = "terminating";
    public const string BudgetExhausted = "budget-exhausted";
    public const string VmMigrating = "vm-migrating";
    public const string VmNotMigratable = "vm-not-migratable";
    public const string MigrationTarget = "migration-target";
    public const string Throttled = "throttled";

    /// <summary>A rule of the drain refuses it.</summary>
    public const string Denied = "denied";

    /// <summary>A rule waits until it has finished.</summary>
    public const string AwaitCompletion = "await-completion";

    /// <summary>Its grace period is over and it is still there.</summary>
    public const string StuckTerminating = "stuck-terminating";

    /// <summary>Its like were evicted and came to the node again and again: it is not asked to go at once.</summary>
    public const string ComesBack = "comes-back";

    /// <summary>No pod is left, but a volume is attached.</summary>
    public const string VolumeAttached = "volume-attached";

    /// <summary>What is on the node could not be read: nothing that comes to it is evicted until it can.</summary>
    public const string Unseen = "node-unseen";

    /// <summary>Not asked: our own limit of migrations to one node.</summary>
    public const string InboundLimit = "inbound-limit";

    /// <summary>The pod leaves: nothing more is to be asked.</summary>
    public static bool IsLeaving(string kind) => kind is Accepted or Terminating;

    /// <summary>A budget refused: it may go when that allows it.</summary>
    public static bool IsOfBudget(string kind) => kind.StartsWith("budget-", StringComparison.Ordinal);

    /// <summary>It is in the way. A migration on its way, to or from the node, only takes its time.</summary>
    public static bool IsBlocker(string kind) => kind is not (VmMigrating or MigrationTarget);

    /// <summary>What a person can do about a virtual machine that is waited for: without its pod it would be down, and perhaps stay so.</summary>
    public const string WhileMachineRuns = "It goes on by itself when the virtual machine has shut down: shut it down from within, or stop or migrate it with virtctl.";

    /// <summary>One sentence on what a person can do.</summary>
    public static string NextStep(string kind, string? lookAt) => kind switch
    {
        BudgetExhausted => $"It goes on by itself when the other pods of {lookAt ?? "the budget"} are healthy; look at why they are not.",
        "budget-can-never-be-met" => $"Raise maxUnavailable or lower minAvailable of {lookAt ?? "the budget"}; more replicas do not help.",
        "several-budgets" => "Change the selectors so that one budget covers the pod.",
        "budget-not-observed" => "It goes on by itself when the disruption controller has seen the budget.",
        VmMigrating => "It goes on by itself when the virtual machine has migrated.",
        VmNotMigratable => "Stop the virtual machine, make it migratable, or let the policy shut it down.",
        "hotplug-volume-pod" => "It goes with its virtual machine.",
        MigrationTarget => "It goes on by itself when the migration is over.",
        "namespace-terminating" => "It goes on by itself when the namespace is gone; look at its finalizers if it stays.",
        "webhook-denied" => $"Ask whoever owns {lookAt ?? "the admission webhook"}.",
        "webhook-unreachable" => $"It goes on by itself when {lookAt ?? "the admission webhook"} answers again; look at its pods.",
        Throttled => "It goes on by itself; the API server is busy.",
        "unreachable" or "server" => "It goes on by itself when the API server answers again.",
        "forbidden" => "Grant the account create on pods/eviction in that namespace (delete on pods to force).",
        Terminating => "It goes on by itself when the pod has ended.",
        StuckTerminating => "Look at its finalizers and at the kubelet of its node; delete it by force only if its processes are surely dead.",
        Denied => "Delete the pod, or allow its eviction with the switch that is named.",
        AwaitCompletion => "It goes on by itself when the pod has finished; delete it if nobody needs its result.",
        ComesBack => $"Remove the toleration or the node selector from {lookAt ?? "its owner"}, scale it down, or leave its pods where they are with --skip-pods.",
        VolumeAttached => "It goes on by itself when the CSI driver has detached the volume; look at its attacher and at the VolumeAttachment.",
        Unseen => "It goes on by itself when the API server answers again; grant the account list on pods and poddisruptionbudgets if it is forbidden.",
        _ => "See the message.",
    };
}

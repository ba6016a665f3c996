namespace Drydock.Maintenance.Drain;

/// <summary>
/// Stable names of the answers to an eviction (<see cref="Drydock.Kubernetes.EvictionAnswer"/> in kebab case), as they stand in
/// histories and blockers, and what a person can do about each.
/// </summary>
internal static class Answers
{
    public const string Accepted = "accepted";
    public const string Gone = "gone";
    public const string Terminating = "terminating";
    public const string BudgetExhausted = "budget-exhausted";
    public const string VmMigrating = "vm-migrating";
    public const string VmNotMigratable = "vm-not-migratable";

    /// <summary>The pod leaves: nothing more is to be asked.</summary>
    public static bool IsLeaving(string kind) => kind is Accepted or Terminating;

    /// <summary>One sentence on what a person can do.</summary>
    public static string NextStep(string kind, string? lookAt) => kind switch
    {
        BudgetExhausted => $"It goes on by itself when the other pods of {lookAt ?? "the budget"} are healthy; look at why they are not.",
        "budget-can-never-be-met" => $"Raise maxUnavailable or lower minAvailable of {lookAt ?? "the budget"}, or add replicas.",
        "several-budgets" => "Change the selectors so that one budget covers the pod.",
        "budget-not-observed" => "It goes on by itself when the disruption controller has seen the budget.",
        VmMigrating => "It goes on by itself when the virtual machine has migrated.",
        VmNotMigratable => "Stop the virtual machine, make it migratable, or let the policy shut it down.",
        "hotplug-volume-pod" => "It goes with its virtual machine.",
        "migration-target" => "It goes on by itself when the migration is over.",
        "namespace-terminating" => "It goes on by itself when the namespace is gone; look at its finalizers if it stays.",
        "webhook-denied" => "Ask whoever owns the admission webhook.",
        "webhook-unreachable" => "It goes on by itself when the admission webhook answers again; look at its pods.",
        "throttled" => "It goes on by itself; the API server is busy.",
        "forbidden" => "Grant the account create on pods/eviction in that namespace.",
        Terminating => $"It is being deleted; look at its finalizers and at the kubelet of its node.",
        "denied" => "Delete the pod, or allow its eviction.",
        _ => "See the message.",
    };
}

namespace Drydock.Kubernetes;

/// <summary>What kind of answer holds an eviction up, or that it was accepted. Serialised by name: the names are part of stored histories.</summary>
public enum EvictionAnswer
{
    /// <summary>201: the pod is being deleted.</summary>
    Accepted,

    /// <summary>404, another uid, or on another node by now: this life of the pod is over here.</summary>
    Gone,

    /// <summary>The pod is already terminating: wait for it.</summary>
    Terminating,

    /// <summary>429: the budget allows no disruption now.</summary>
    BudgetExhausted,

    /// <summary>429: the budget can never allow one (maxUnavailable 0, minAvailable ≥ all its pods).</summary>
    BudgetCanNeverBeMet,

    /// <summary>500: more than one budget covers the pod, which the Eviction API does not support.</summary>
    SeveralBudgets,

    /// <summary>429: the budget's controller has not seen its latest change; wait what Retry-After says.</summary>
    BudgetNotObserved,

    /// <summary>429 of KubeVirt: the VM is marked and will be migrated.</summary>
    VmMigrating,

    /// <summary>429 of KubeVirt: LiveMigrate, but not migratable.</summary>
    VmNotMigratable,

    /// <summary>429 of KubeVirt: a hotplug volume pod of a running VM.</summary>
    HotplugVolumePod,

    /// <summary>429 of KubeVirt: the target pod of a migration.</summary>
    MigrationTarget,

    /// <summary>403 with cause NamespaceTerminating.</summary>
    NamespaceTerminating,

    /// <summary>Another admission webhook said no.</summary>
    WebhookDenied,

    /// <summary>500 "failed calling webhook": try again.</summary>
    WebhookUnreachable,

    /// <summary>429 of priority and fairness.</summary>
    Throttled,

    /// <summary>403: the caller may not evict.</summary>
    Forbidden,

    /// <summary>Anything else: the message says what.</summary>
    Refused,
}

/// <summary>What the API server answered to one eviction.</summary>
/// <param name="Answer">The kind of answer.</param>
/// <param name="Message">The server's words.</param>
/// <param name="Object">The object to look at, such as <c>poddisruptionbudget/default/web</c>, or null.</param>
/// <param name="RetryAfter">How long the server asks to wait, or null.</param>
public sealed record EvictionOutcome(EvictionAnswer Answer, string? Message = null, string? Object = null, TimeSpan? RetryAfter = null);

/// <summary>Calls of a virtual machine. Serialised by name.</summary>
[System.Text.Json.Serialization.JsonConverter(typeof(System.Text.Json.Serialization.JsonStringEnumConverter<VmCall>))]
public enum VmCall
{
    /// <summary>start.</summary>
    Start,

    /// <summary>stop.</summary>
    Stop,

    /// <summary>restart.</summary>
    Restart,

    /// <summary>migrate.</summary>
    Migrate,
}

/// <summary>What KubeVirt answered to such a call.</summary>
/// <param name="IsAccepted">202.</param>
/// <param name="Code">The HTTP code.</param>
/// <param name="Message">KubeVirt's words if it refused.</param>
public sealed record VmCallOutcome(bool IsAccepted, int Code, string? Message);

/// <summary>What became of an attempt to take or renew a lease.</summary>
/// <param name="IsOurs">The lease is ours and fresh.</param>
/// <param name="Holder">Who holds it.</param>
/// <param name="ExpiresAt">When it lapses unless renewed.</param>
/// <param name="IsCancelled">It is ours and carries the cancel mark.</param>
public sealed record LeaseOutcome(bool IsOurs, string? Holder, DateTimeOffset? ExpiresAt, bool IsCancelled);

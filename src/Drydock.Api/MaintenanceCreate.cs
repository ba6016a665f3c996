using System.Text.Json;

namespace Drydock.Api;

/// <summary>Asks for the maintenance of one node. What is left out takes the server's default.</summary>
public sealed record MaintenanceCreate : MaintenanceSettings
{
    /// <summary>The name of the node.</summary>
    public string? Node { get; init; }
}

/// <summary>
/// How a node is maintained. Durations are text: <c>90s</c>, <c>10m</c>, <c>1h30m</c> or ISO 8601. Choices are text too, so that the
/// answer to a wrong one can name the field, the value and what is allowed.
/// </summary>
public record MaintenanceSettings
{
    /// <summary>Why, in the words of whoever asks.</summary>
    public string? Reason { get; init; }

    /// <summary>
    /// What happens between the drain and the health check: <c>None</c>, <c>Hold</c>, <c>Reboot</c>, <c>PowerCycle</c>, <c>Job</c> or
    /// <c>Webhook</c>.
    /// </summary>
    public string? Action { get; init; }

    /// <summary>The details of the action.</summary>
    public ActionSettings? ActionOptions { get; init; }

    /// <summary>Actions around the drain.</summary>
    public HookSettings? Hooks { get; init; }

    /// <summary>The name of the policy that jobs, webhooks and probes are taken from.</summary>
    public string? Policy { get; init; }

    /// <summary>Where it waits until somebody approves.</summary>
    public ApprovalSettings? Approval { get; init; }

    /// <summary>
    /// What is done about those who would remediate a node that is away: <c>Pause</c> (the default) pauses the health checks that look after
    /// it, <c>LabelOnly</c> only labels the node.
    /// </summary>
    public string? Remediation { get; init; }

    /// <summary>How the pods leave.</summary>
    public DrainSettings? Drain { get; init; }

    /// <summary>How the virtual machines leave.</summary>
    public VirtualMachineSettings? VirtualMachines { get; init; }

    /// <summary>What must be true before the node takes work again.</summary>
    public HealthSettings? Health { get; init; }

    /// <summary>
    /// What becomes of the node if the maintenance fails: <c>Restore</c> or <c>KeepCordoned</c>. One that is not healthy, whose machine was
    /// rebooted or switched off and was not seen healthy since, whose hold nobody ended in time, or of which a hook before the uncordon failed stays
    /// cordoned all the same.
    /// </summary>
    public string? OnFailure { get; init; }

    /// <summary>How long to wait for a lease that somebody else holds, or for another control-plane node to be back; <c>0</c> refuses at once.</summary>
    public string? LeaseWait { get; init; }
}

/// <summary>How the pods leave.</summary>
public sealed record DrainSettings
{
    /// <summary>How long until the node is empty; one hour unless said otherwise.</summary>
    public string? Timeout { get; init; }

    /// <summary>
    /// When that time is over: <c>Wait</c>, <c>Fail</c> or <c>Force</c> (delete instead of evict; the server's account must be allowed to
    /// delete pods). Default <c>Fail</c>.
    /// </summary>
    public string? OnTimeout { get; init; }

    /// <summary>Grace period for every pod; the pod's own unless said otherwise.</summary>
    public string? GracePeriod { get; init; }

    /// <summary>Leave the pods of DaemonSets where they are. Default true.</summary>
    public bool? IgnoreDaemonSets { get; init; }

    /// <summary>Evict pods although their emptyDir volumes are lost. Default false.</summary>
    public bool? DeleteEmptyDirData { get; init; }

    /// <summary>Evict pods that nothing will bring back. Default false.</summary>
    public bool? EvictUnmanaged { get; init; }

    /// <summary>Pods whose grace period ended longer ago than this do not hold the drain.</summary>
    public string? SkipTerminatingAfter { get; init; }

    /// <summary>How many evictions of the node are under way at once, 1 to 50. Default 10.</summary>
    public int? MaxParallelEvictions { get; init; }

    /// <summary>Leave pods that have finished where they are. Default false.</summary>
    public bool? KeepFinished { get; init; }

    /// <summary>Only pods that match leave; a selector as kubectl takes it, such as <c>app=web,tier in (a,b)</c>.</summary>
    public string? PodSelector { get; init; }

    /// <summary>What to do with particular pods; the first rule that matches decides.</summary>
    public IReadOnlyList<DrainRuleSettings>? Rules { get; init; }

    /// <summary>How long one pod may hold the drain before <c>onTimeout</c> decides about it; as long as the drain unless said otherwise.</summary>
    public string? PodTimeout { get; init; }

    /// <summary>The node is empty only when the volumes of its pods are detached. Default false.</summary>
    public bool? WaitForVolumeDetach { get; init; }
}

/// <summary>What to do with particular pods, as Cluster API's MachineDrainRule says it. Without selectors it is about all pods.</summary>
public sealed record DrainRuleSettings
{
    /// <summary><c>Evict</c>, <c>Skip</c> (they stay) or <c>WaitForCompletion</c> (they are waited for until they have finished).</summary>
    public string? Behavior { get; init; }

    /// <summary>Labels of the pod, a selector as kubectl takes it.</summary>
    public string? PodSelector { get; init; }

    /// <summary>Labels of its namespace, likewise.</summary>
    public string? NamespaceSelector { get; init; }

    /// <summary>
    /// Only with <c>Evict</c>: pods of a higher order leave when those of every lower order are gone. Default 0, as pods without a rule. A virtual
    /// machine has the order of its launcher pod: what is below leaves before it, what is above after it.
    /// </summary>
    public int? Order { get; init; }
}

/// <summary>How the virtual machines leave.</summary>
public sealed record VirtualMachineSettings
{
    /// <summary>How long a migration may wait in Pending although slots are free.</summary>
    public string? PendingTimeout { get; init; }

    /// <summary>How long a migration may be in Scheduling.</summary>
    public string? SchedulingTimeout { get; init; }

    /// <summary>How long one migration may take from Scheduled to its end; 45 minutes unless said otherwise.</summary>
    public string? RunningTimeout { get; init; }

    /// <summary>How many migrations are tried, 1 to 20.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Pause before another attempt; doubles with each.</summary>
    public string? RetryDelay { get; init; }

    /// <summary>What to do with a VM whose migrations do not succeed: <c>Wait</c>, <c>ShutDown</c>, <c>Fail</c> or <c>Skip</c>.</summary>
    public string? OnStuck { get; init; }

    /// <summary>What to do with a VM that cannot be migrated: <c>Wait</c>, <c>ShutDown</c>, <c>Fail</c> or <c>Skip</c>.</summary>
    public string? OnNotMigratable { get; init; }

    /// <summary>Grace period of a stop; the VM's own unless said otherwise.</summary>
    public string? StopGracePeriod { get; init; }

    /// <summary>How long a stop may take until it is forced.</summary>
    public string? StopTimeout { get; init; }

    /// <summary>How long whoever moves VMs with eviction strategy External may take until <c>onStuck</c> decides; 30 minutes unless said otherwise.</summary>
    public string? ExternalTimeout { get; init; }

    /// <summary>No VM is told to migrate while a node it could go to has that many inbound migrations, 1 to 100; else KubeVirt's limits alone.</summary>
    public int? MaxInboundPerNode { get; init; }

    /// <summary>
    /// Whether <c>drydock.dev/on-stuck</c> and <c>drydock.dev/on-not-migratable</c> on a VM count, of those that <c>allowedVmAnnotations</c> of the
    /// policy names. Default false.
    /// </summary>
    public bool? AllowAnnotations { get; init; }

    /// <summary>When it is cancelled, migrations that run are left to finish (<c>Finish</c>, the default) or aborted (<c>Abort</c>).</summary>
    public string? OnCancel { get; init; }

    /// <summary>What holds for single VMs.</summary>
    public IReadOnlyList<VirtualMachineOverrideSettings>? Overrides { get; init; }

    /// <summary>How long a VM that was restarted elsewhere, or restored, may take until it runs.</summary>
    public string? RestartTimeout { get; init; }

    /// <summary>When it does not run by then: <c>Wait</c> reports it and goes on, <c>Fail</c> fails the maintenance.</summary>
    public string? OnRestartTimeout { get; init; }
}

/// <summary>What holds for one virtual machine.</summary>
public sealed record VirtualMachineOverrideSettings
{
    /// <summary>The machine: <c>namespace/name</c>.</summary>
    public string? Vm { get; init; }

    /// <summary>If its migrations do not succeed: <c>Wait</c>, <c>ShutDown</c>, <c>Fail</c> or <c>Skip</c>.</summary>
    public string? OnStuck { get; init; }

    /// <summary>If it cannot be migrated: <c>Wait</c>, <c>ShutDown</c>, <c>Fail</c> or <c>Skip</c>.</summary>
    public string? OnNotMigratable { get; init; }
}

/// <summary>What must be true before the node takes work again.</summary>
public sealed record HealthSettings
{
    /// <summary>How long to wait for it.</summary>
    public string? Timeout { get; init; }

    /// <summary>How long the node must have been Ready without a break.</summary>
    public string? StableFor { get; init; }

    /// <summary>The least version of the kubelet afterwards, such as <c>v1.36.0</c>.</summary>
    public string? KubeletVersion { get; init; }

    /// <summary>The boot ID must have changed. Default: if there was a reboot or a power-cycle.</summary>
    public bool? MustReboot { get; init; }

    /// <summary>Probes of the policy that must pass too.</summary>
    public IReadOnlyList<string>? Probes { get; init; }
}

/// <summary>The details of an action.</summary>
public record ActionSettings
{
    /// <summary>Job, Webhook: which one of the policy.</summary>
    public string? Template { get; init; }

    /// <summary>
    /// Job, instead of <c>template</c>: a whole <c>batch/v1</c> Job, with its namespace in <c>metadata.namespace</c>. Needs the caller's own right
    /// to create Jobs there. Name, node and tolerations are set by us. It is kept in the history: no secrets in it.
    /// </summary>
    public JsonElement? Manifest { get; init; }

    /// <summary>How long it may take. A node whose hold, reboot or power-cycle is not over by then stays cordoned.</summary>
    public string? Timeout { get; init; }

    /// <summary>PowerCycle: how long the machine stays off.</summary>
    public string? PowerOffFor { get; init; }

    /// <summary>PowerCycle: the machine stays off until somebody says <c>complete</c>.</summary>
    public bool? PowerOffUntilComplete { get; init; }

    /// <summary>Hold, and a machine that is kept off: how often an Event on the node reminds of it; <c>0</c> never.</summary>
    public string? RemindEvery { get; init; }
}

/// <summary>One action at a hook.</summary>
public sealed record HookAction : ActionSettings
{
    /// <summary><c>Hold</c>, <c>Reboot</c>, <c>PowerCycle</c>, <c>Job</c> or <c>Webhook</c>.</summary>
    public string? Kind { get; init; }
}

/// <summary>Actions around the drain.</summary>
public sealed record HookSettings
{
    /// <summary>When the node is cordoned and still full.</summary>
    public IReadOnlyList<HookAction>? BeforeDrain { get; init; }

    /// <summary>When the node is empty, before the action.</summary>
    public IReadOnlyList<HookAction>? AfterDrain { get; init; }

    /// <summary>When the node is healthy, before it takes work again.</summary>
    public IReadOnlyList<HookAction>? BeforeUncordon { get; init; }
}

/// <summary>Where a maintenance waits until somebody approves.</summary>
public sealed record ApprovalSettings
{
    /// <summary>Any of <c>Start</c>, <c>Action</c> and <c>Uncordon</c>.</summary>
    public IReadOnlyList<string>? Gates { get; init; }

    /// <summary>How long somebody has to decide, at each gate.</summary>
    public string? Timeout { get; init; }

    /// <summary>How often an Event on the node reminds of it; <c>0</c> never.</summary>
    public string? RemindEvery { get; init; }
}

/// <summary>Approves or rejects.</summary>
/// <param name="Reason">Why, in the words of whoever decides.</param>
public sealed record DecisionRequest(string? Reason = null);

/// <summary>Suspends or resumes a maintenance, or resumes a rollout.</summary>
/// <param name="Reason">Why, in the words of whoever asks.</param>
public sealed record SteerRequest(string? Reason = null);

/// <summary>Moves the deadline of the step in hand.</summary>
/// <param name="By">By how much, from one second to 30 days, such as <c>30m</c>.</param>
/// <param name="Reason">Why, in the words of whoever asks.</param>
public sealed record ExtendRequest(string? By = null, string? Reason = null);

/// <summary>
/// A webhook calls back, signed. The header <c>Drydock-Signature</c> is <c>sha256=HEX</c> of HMAC-SHA256 over <c>TIMESTAMP.KEY.BODY</c>, with
/// the <c>Idempotency-Key</c> of the call that it answers: it holds for that call alone.
/// </summary>
/// <param name="Succeeded">It did what it should.</param>
/// <param name="Message">One sentence.</param>
public sealed record CallbackRequest(bool? Succeeded = null, string? Message = null);

/// <summary>Asks to cancel a maintenance.</summary>
/// <param name="Reason">Why, in the words of whoever asks.</param>
/// <param name="Migrations">
/// Migrations that run: <c>Finish</c> leaves them to finish, <c>Abort</c> aborts them. Default: <c>virtualMachines.onCancel</c> of the maintenance.
/// </param>
public sealed record MaintenanceCancelRequest(string? Reason = null, string? Migrations = null);

/// <summary>Asks to cancel.</summary>
/// <param name="Reason">Why, in the words of whoever asks.</param>
public sealed record CancelRequest(string? Reason = null);

/// <summary>Lets a held node go on.</summary>
/// <param name="SkipHealth">Restore without the health check. Refused before the action, and where the policy requires probes.</param>
/// <param name="Reason">Why, in the words of whoever asks.</param>
/// <param name="Wait">Which wait, as <c>awaitsComplete</c> names it: if another one waits by now, nothing is completed. Default: the one that waits.</param>
public sealed record CompleteRequest(bool SkipHealth = false, string? Reason = null, string? Wait = null);

using System.Text.Json.Serialization;
using Drydock.Maintenance.Drain;

namespace Drydock.Maintenance;

/// <summary>What somebody asked for: the input of the orchestration <c>node.maintenance</c>. Persisted; only ever gains optional members.</summary>
public sealed record MaintenanceRequest(string Node)
{
    /// <summary>Why, in the words of whoever asked.</summary>
    public string? Reason { get; init; }

    /// <summary>Who asked, as the door knows it: user name, <c>cli:user@host</c>, <c>nodemaintenance/NAME</c>, <c>rollout/ID</c>.</summary>
    public string? RequestedBy { get; init; }

    /// <summary>The network address it was asked from, or null: asked from within.</summary>
    public string? RequestedFrom { get; init; }

    /// <summary>The hub this runs on; part of the lease holder's identity.</summary>
    public string HubId { get; init; } = "";

    /// <summary>What happens between the drain and the health check.</summary>
    public MaintenanceAction Action { get; init; } = MaintenanceAction.None;

    /// <summary>The details of <see cref="Action"/>.</summary>
    public ActionOptions ActionOptions { get; init; } = new();

    /// <summary>Actions around the drain.</summary>
    public MaintenanceHooks Hooks { get; init; } = new();

    /// <summary>The <see cref="MaintenancePolicy"/> that jobs, webhooks and probes are taken from, or null: none.</summary>
    public string? Policy { get; init; }

    /// <summary>Where it waits for somebody to approve.</summary>
    public ApprovalPolicy Approval { get; init; } = new();

    /// <summary>What is done about those who would remediate a node that is away.</summary>
    public RemediationPolicy Remediation { get; init; } = RemediationPolicy.Pause;

    /// <summary>How the pods leave.</summary>
    public DrainPolicy Drain { get; init; } = new();

    /// <summary>How the virtual machines leave.</summary>
    public VirtualMachinePolicy VirtualMachines { get; init; } = new();

    /// <summary>What must be true before the node takes work again.</summary>
    public HealthPolicy Health { get; init; } = new();

    /// <summary>What becomes of the node if the maintenance fails.</summary>
    public FailurePolicy OnFailure { get; init; } = FailurePolicy.Restore;

    /// <summary>How long to wait for a lease that somebody else holds, or for another control-plane node to be back; zero: refuse at once.</summary>
    public TimeSpan LeaseWait { get; init; }

    /// <summary>How long the lease lasts without renewal. The default is that of the Node Maintenance Operator.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromHours(1);

    /// <summary>It keeps its node until somebody says complete, however long that takes. A method: what is a property is persisted.</summary>
    public bool WaitsForSomebody() =>
        Hooks.BeforeDrain.Concat(Hooks.AfterDrain).Concat(Hooks.BeforeUncordon).Append(new ActionStep(Action, ActionOptions)).Any(static step => step switch
        {
            { Kind: MaintenanceAction.Hold } => step.Options.Timeout is null,
            { Kind: MaintenanceAction.PowerCycle } => step.Options.PowerOffUntilComplete,
            _ => false,
        });
}

/// <summary>
/// What becomes of the node if the maintenance fails. One that is not healthy, whose reboot or power-cycle failed, or whose hold nobody ended in
/// time stays cordoned all the same: it must not take work, nor be remediated under the hands of whoever is at the machine.
/// </summary>
[JsonConverter(typeof(JsonStringEnumConverter<FailurePolicy>))]
public enum FailurePolicy
{
    /// <summary>Everything is put back as it was.</summary>
    Restore,

    /// <summary>The node stays cordoned and marked, listed as left behind, until somebody says <c>restore</c>.</summary>
    KeepCordoned,
}

/// <summary>What is done about those who would remediate a node that is away.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RemediationPolicy>))]
public enum RemediationPolicy
{
    /// <summary>Health checks that look after the node or its machine are paused, the machine is marked to be left alone.</summary>
    Pause,

    /// <summary>Only the label on the node keeps node remediation away.</summary>
    LabelOnly,
}

/// <summary>What to do when a deadline passes and something is still in the way.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DeadlinePolicy>))]
public enum DeadlinePolicy
{
    /// <summary>Go on trying without a deadline; it shows as overdue.</summary>
    Wait,

    /// <summary>The maintenance fails.</summary>
    Fail,

    /// <summary>
    /// Delete instead of evict, in the order of the rules, but for what never ends or is refused, which keeps nothing after it. Needs its own
    /// permission. What terminates already is left to its kubelet. If anything is left after as long again that does not shut down in its time,
    /// the maintenance fails.
    /// </summary>
    Force,
}

/// <summary>How the pods leave. Defaults deny what kubectl denies.</summary>
public sealed record DrainPolicy
{
    /// <summary>How long until the node is empty. The default is one hour.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>When that time is over.</summary>
    public DeadlinePolicy OnTimeout { get; init; } = DeadlinePolicy.Fail;

    /// <summary>Grace period for every pod, or null: the pod's own.</summary>
    public TimeSpan? GracePeriod { get; init; }

    /// <summary>kubectl's --ignore-daemonsets: leave their pods where they are. Else they refuse the drain.</summary>
    public bool IgnoreDaemonSets { get; init; } = true;

    /// <summary>kubectl's --delete-emptydir-data.</summary>
    public bool DeleteEmptyDirData { get; init; }

    /// <summary>kubectl's --force: evict pods that nothing will bring back.</summary>
    public bool EvictUnmanaged { get; init; }

    /// <summary>
    /// kubectl's --skip-wait-for-delete-timeout: pods whose grace period ended longer ago than this (deletionTimestamp, as kubectl's
    /// skipDeletedFilter) do not hold the drain; null: they do.
    /// </summary>
    public TimeSpan? SkipTerminatingAfter { get; init; }

    /// <summary>How many evictions of this node may be under way at once, 1 to 50. The default is ten.</summary>
    public int MaxParallelEvictions { get; init; } = EvictionSlots.DefaultOfNode;

    /// <summary>Leave pods where they are that have finished. kubectl deletes them, and so do we unless this is set.</summary>
    public bool KeepFinished { get; init; }

    /// <summary>kubectl's --pod-selector: only pods that match leave; null: all. In kubectl's words, such as <c>app=web,tier in (a,b)</c>.</summary>
    public string? PodSelector { get; init; }

    /// <summary>What to do with particular pods; the first rule that matches decides.</summary>
    public IReadOnlyList<DrainRule> Rules { get; init; } = [];

    /// <summary>How long a single pod may hold the drain, from when its order has its turn; then <see cref="OnTimeout"/> decides. Null: as long as the drain. A pod that comes when the node was empty already fails nothing.</summary>
    public TimeSpan? PodTimeout { get; init; }

    /// <summary>The node is empty only when no volume of a pod that left is attached to it any more (VolumeAttachment).</summary>
    public bool WaitForVolumeDetach { get; init; }
}

/// <summary>What a drain does with the pods that a rule matches: those of Cluster API's MachineDrainRule.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DrainBehavior>))]
public enum DrainBehavior
{
    /// <summary>They are evicted, in the rule's order.</summary>
    Evict,

    /// <summary>They stay where they are and hold nothing up.</summary>
    Skip,

    /// <summary>They are not evicted; the drain waits until they have finished by themselves.</summary>
    WaitForCompletion,
}

/// <summary>A rule for particular pods. Without selectors it matches all.</summary>
/// <param name="Behavior">What is done with them.</param>
public sealed record DrainRule(DrainBehavior Behavior)
{
    /// <summary>Labels of the pod, in kubectl's words; null: any.</summary>
    public string? PodSelector { get; init; }

    /// <summary>Labels of its namespace, in kubectl's words; null: any.</summary>
    public string? NamespaceSelector { get; init; }

    /// <summary>
    /// Pods of a higher order are evicted when those of every lower order are gone. Pods without a rule and those that are waited for have order
    /// 0. A virtual machine has the order of its launcher pod, so that 0 where no rule is about that: what is below leaves before it, what is above after it.
    /// </summary>
    public int Order { get; init; }
}

/// <summary>What to do with a virtual machine that does not leave by itself.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<StuckVmPolicy>))]
public enum StuckVmPolicy
{
    /// <summary>Leave it running and go on waiting until the drain's deadline.</summary>
    Wait,

    /// <summary>Stop it and start it again, with its original run strategy, after the maintenance.</summary>
    ShutDown,

    /// <summary>The maintenance fails.</summary>
    Fail,

    /// <summary>Leave it running on the node and go on without it: what happens to the node happens to it.</summary>
    Skip,
}

/// <summary>What becomes of migrations that run when a maintenance is cancelled. Those that only wait for their turn are withdrawn in any case.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CancelledMigrations>))]
public enum CancelledMigrations
{
    /// <summary>They are left to finish: their machines are elsewhere then.</summary>
    Finish,

    /// <summary>They are aborted: their machines go on running where they were.</summary>
    Abort,
}

/// <summary>What holds for one virtual machine instead of the policy of the request. Null leaves a thing as the policy has it.</summary>
/// <param name="Vm">The machine, <c>namespace/name</c>.</param>
public sealed record VirtualMachineOverride(string Vm)
{
    /// <summary>Instead of <see cref="VirtualMachinePolicy.OnStuck"/>.</summary>
    public StuckVmPolicy? OnStuck { get; init; }

    /// <summary>Instead of <see cref="VirtualMachinePolicy.OnNotMigratable"/>.</summary>
    public StuckVmPolicy? OnNotMigratable { get; init; }
}

/// <summary>How the virtual machines leave.</summary>
public sealed record VirtualMachinePolicy
{
    /// <summary>How long a migration may wait in Pending although slots are free. The default is five minutes.</summary>
    public TimeSpan PendingTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a migration may be in Scheduling. The default is four minutes, less than KubeVirt's own five.</summary>
    public TimeSpan SchedulingTimeout { get; init; } = TimeSpan.FromMinutes(4);

    /// <summary>How long one migration may take from Scheduled to its end. The default is 45 minutes, so that another is tried before the drain's deadline.</summary>
    public TimeSpan RunningTimeout { get; init; } = TimeSpan.FromMinutes(45);

    /// <summary>How many migrations are tried before <see cref="OnStuck"/> decides.</summary>
    public int MaxAttempts { get; init; } = 3;

    /// <summary>Pause before another attempt; doubles with each.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>What to do with a VM whose migrations do not succeed.</summary>
    public StuckVmPolicy OnStuck { get; init; } = StuckVmPolicy.Wait;

    /// <summary>What to do with a VM that KubeVirt cannot migrate and will not let go.</summary>
    public StuckVmPolicy OnNotMigratable { get; init; } = StuckVmPolicy.Wait;

    /// <summary>Grace period of a stop, or null: the VM's own.</summary>
    public TimeSpan? StopGracePeriod { get; init; }

    /// <summary>How long a stop may take until it is forced with a grace period of zero. The default is five minutes.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How long whoever moves VMs with eviction strategy External may take until <see cref="OnStuck"/> decides. The default is 30 minutes; what is as
    /// long as the drain's time decides nothing before that.
    /// </summary>
    public TimeSpan ExternalTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>
    /// No VM is told to migrate while any node it could go to has that many inbound migrations, counting those that have no target yet;
    /// null: KubeVirt's own limits alone.
    /// </summary>
    public int? MaxInboundPerNode { get; init; }

    /// <summary>
    /// Whether <c>drydock.dev/on-stuck</c> and <c>drydock.dev/on-not-migratable</c> on a VM count, of those that the policy of the request
    /// allows (<see cref="MaintenancePolicy.AllowedVmAnnotations"/>). Off by default: whoever may edit a VM would decide about the node.
    /// </summary>
    public bool AllowAnnotations { get; init; }

    /// <summary>
    /// The annotations that the named <see cref="MaintenancePolicy"/> allows, put here when the maintenance is planned, whatever a request
    /// says. Null only in what was stored before policies had a say: all of them.
    /// </summary>
    public IReadOnlyList<string>? AllowedAnnotations { get; init; }

    /// <summary>What becomes of migrations that run when the maintenance is cancelled, unless the cancel says otherwise.</summary>
    public CancelledMigrations OnCancel { get; init; } = CancelledMigrations.Finish;

    /// <summary>What holds for single VMs; before their annotations and before the policy.</summary>
    public IReadOnlyList<VirtualMachineOverride> Overrides { get; init; } = [];

    /// <summary>How long a VM that was restarted elsewhere, or restored, may stay Pending or Scheduling.</summary>
    public TimeSpan RestartTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>When a restarted VM is not Running by then: Wait leaves it reported and goes on, Fail fails the maintenance.</summary>
    public StuckVmPolicy OnRestartTimeout { get; init; } = StuckVmPolicy.Wait;
}

/// <summary>What must be true before the node takes work again.</summary>
public sealed record HealthPolicy
{
    /// <summary>How long to wait for it. The default is 15 minutes.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long the node must have been Ready without a break. The default is ten seconds.</summary>
    public TimeSpan StableFor { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The least version of the kubelet afterwards, such as <c>v1.36.0</c>, or null: any.</summary>
    public string? KubeletVersion { get; init; }

    /// <summary>The boot ID must have changed; null: if the action was a reboot or a power-cycle.</summary>
    public bool? MustReboot { get; init; }

    /// <summary>Probes of the policy that must pass too, by name.</summary>
    public IReadOnlyList<string> Probes { get; init; } = [];
}

using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>Names of the orchestrations. Written into every stored history: rename the classes freely, never these.</summary>
public static class Orchestrations
{
    /// <summary>One node, from plan to restore. Input <see cref="MaintenanceRequest"/>, output <see cref="MaintenanceReport"/>.</summary>
    public const string Maintenance = "node.maintenance";

    /// <summary>Evicts the pods of a node.</summary>
    public const string Drain = "node.drain";

    /// <summary>Moves one virtual machine off a node.</summary>
    public const string MoveVm = "vm.move";

    /// <summary>Starts, stops, restarts or migrates one virtual machine. Input <see cref="VirtualMachines.VmCallRequest"/>.</summary>
    public const string CallVm = "vm.call";

    /// <summary>Renews the lease for as long as the maintenance lasts.</summary>
    public const string HoldLease = "lease.hold";

    /// <summary>Puts a node back from the marks on it.</summary>
    public const string Restore = "node.restore";

    /// <summary>Takes one action: a reboot, a power-cycle, a job, a webhook. Its custom status is an <see cref="ActionStatus"/>.</summary>
    public const string Action = "node.action";

    /// <summary>Waits until a node is healthy.</summary>
    public const string HealthGate = "node.health-gate";

    /// <summary>Sees to it that the marks of a maintenance stay on the node for as long as it lasts.</summary>
    public const string HoldNode = "node.hold";

    /// <summary>Reminds people of what waits for them, by Events on the node.</summary>
    public const string Remind = "node.remind";

    /// <summary>Rolling maintenance over many nodes.</summary>
    public const string Rollout = "rollout";

    /// <summary>A recurring maintenance window.</summary>
    public const string Window = "window";

    /// <summary>Runs the maintenance of one node of a rollout and tells the rollout.</summary>
    internal const string RunNode = "rollout.run-node";

    /// <summary>Runs the rollout of a window and tells the window.</summary>
    internal const string RunRollout = "window.run-rollout";
}

/// <summary>Names of the external events of <see cref="Orchestrations.Maintenance"/>.</summary>
public static class MaintenanceEvents
{
    /// <summary>Stop and put everything back. Payload: <see cref="Cancel"/>.</summary>
    public const string Cancel = "cancel";

    /// <summary>The held node may go on to its health check and be restored. Payload: <see cref="Complete"/>.</summary>
    public const string Complete = "complete";

    /// <summary>Suspend, resume or extend. Payload: <see cref="Maintenance.Steer"/>.</summary>
    public const string Steer = "steer";

    /// <summary>Somebody decided at a gate. Payload: <see cref="Maintenance.Approval"/>.</summary>
    public static string Approval(ApprovalGate gate) => $"approval-{Kebab.Of(gate.ToString())}";
}

/// <summary>Names of the external events of <see cref="Orchestrations.Action"/>.</summary>
public static class ActionEvents
{
    /// <summary>The webhook called back. Payload: <see cref="WebhookCallback"/>.</summary>
    public const string Callback = "callback";

    /// <summary>The machine that was kept off may be switched on again. Payload: who said so.</summary>
    public const string Complete = "complete";
}

/// <summary>Payload of <see cref="MaintenanceEvents.Cancel"/>.</summary>
/// <param name="By">Who said so.</param>
/// <param name="Reason">Why, or null.</param>
/// <param name="Migrations">What becomes of migrations that run; null: what the request says (<see cref="VirtualMachinePolicy.OnCancel"/>).</param>
public sealed record Cancel(string By, string? Reason = null, CancelledMigrations? Migrations = null)
{
    /// <summary>The address that it was said from, or null: from within.</summary>
    public string? RequestedFrom { get; init; }

    /// <summary>
    /// To a window: nodes in hand are put back where its close would do that, and where they would be held until somebody says otherwise. False
    /// was said by servers of before: all are finished.
    /// </summary>
    public bool PutsBack { get; init; }
}

/// <summary>Payload of <see cref="MaintenanceEvents.Complete"/>.</summary>
/// <param name="By">Who said so.</param>
/// <param name="SkipHealth">Restore without the health check, as deleting a NodeMaintenance does; ignored at a hold before the action.</param>
/// <param name="Reason">Why, or null.</param>
public sealed record Complete(string By, bool SkipHealth = false, string? Reason = null)
{
    /// <summary>The address that it was said from, or null: from within.</summary>
    public string? RequestedFrom { get; init; }

    /// <summary>The wait that it is meant for, by the key of its action: another does not hear it. Null: whichever waits.</summary>
    public string? Wait { get; init; }
}

/// <summary>Names of the external events of <see cref="Orchestrations.Rollout"/>.</summary>
public static class RolloutEvents
{
    /// <summary>Take no new node and cancel those under maintenance. Payload: <see cref="Maintenance.Cancel"/>.</summary>
    public const string Cancel = "cancel";

    /// <summary>Take no new node; those under maintenance go on to their end. Payload: <see cref="Maintenance.Cancel"/>.</summary>
    public const string Stop = "stop";

    /// <summary>
    /// Take no new node (<see cref="SteerKind.Suspend"/>), or go on after that with a new failure budget (<see cref="SteerKind.Resume"/>): one
    /// name for both, so that they are heard in the order in which they were said. Payload: <see cref="Maintenance.Steer"/>.
    /// </summary>
    public const string Steer = "steer";

    /// <summary>What <see cref="Steer"/> was until both had one name; still heard. Payload: <see cref="Maintenance.Cancel"/>.</summary>
    public const string Pause = "pause";

    /// <summary>What <see cref="Steer"/> was until both had one name; still heard. Payload: the name of whoever said so.</summary>
    public const string Resume = "resume";

    /// <summary>Leave a node out whose turn has not come. Payload: <see cref="RolloutNodeOrder"/>.</summary>
    public const string Skip = "skip";

    /// <summary>Take a node again that failed, was cancelled or was left out. Payload: <see cref="RolloutNodeOrder"/>.</summary>
    public const string Retry = "retry";

    /// <summary>The window opens. Payload: <see cref="RolloutOpening"/>.</summary>
    public const string Open = "open";
}

/// <summary>Payload of <see cref="RolloutEvents.Skip"/> and <see cref="RolloutEvents.Retry"/>.</summary>
/// <param name="Node">The node.</param>
/// <param name="By">Who said so.</param>
/// <param name="Reason">Why, or null.</param>
public sealed record RolloutNodeOrder(string Node, string By, string? Reason = null)
{
    /// <summary>The address that it was said from, or null: from within.</summary>
    public string? RequestedFrom { get; init; }
}

/// <summary>Names of the external events of <see cref="Orchestrations.Window"/>.</summary>
public static class WindowEvents
{
    /// <summary>No further window; a rollout under way is told to stop. Payload: <see cref="Maintenance.Cancel"/>.</summary>
    public const string Cancel = "cancel";
}

/// <summary>Instance ids of the children of a maintenance, a rollout or a window.</summary>
public static class InstanceIds
{
    /// <summary>The child that holds the lease.</summary>
    public static string Lease(string maintenance) => $"{maintenance}:lease";

    /// <summary>The child that evicts pods; its custom status is a <see cref="DrainStatus"/>.</summary>
    public static string Pods(string maintenance) => $"{maintenance}:pods";

    /// <summary>The child that moves a virtual machine; its custom status is a <see cref="VmStatus"/>.</summary>
    /// <param name="maintenance">The maintenance.</param>
    /// <param name="vmi">The machine.</param>
    /// <param name="life">Which move of it: one that comes back is moved again.</param>
    public static string Vm(string maintenance, ObjectRef vmi, int life = 1) => $"{maintenance}:vm:{vmi}{(life == 1 ? "" : $":{life}")}";

    /// <summary>The child that takes an action; its custom status is an <see cref="ActionStatus"/>.</summary>
    public static string Action(string maintenance, string key) => $"{maintenance}:act:{key}";

    /// <summary>The child that waits until the node is healthy.</summary>
    public static string Health(string maintenance) => $"{maintenance}:health";

    /// <summary>The child that looks again whether it still is, before the uncordon.</summary>
    public static string HealthAgain(string maintenance) => $"{maintenance}:health-again";

    /// <summary>The child that keeps the marks on the node.</summary>
    public static string Hold(string maintenance) => $"{maintenance}:hold";

    /// <summary>A child that reminds of something.</summary>
    public static string Reminder(string maintenance, string what) => $"{maintenance}:remind:{what}";

    /// <summary>The child that puts the node back.</summary>
    public static string Restore(string maintenance) => $"{maintenance}:restore";

    /// <summary>What puts a node back after a maintenance that did not do so itself.</summary>
    public static string PutBack(string maintenance) => $"{maintenance}:put-back";

    /// <summary>The maintenance of one node of a rollout.</summary>
    /// <param name="rollout">The rollout.</param>
    /// <param name="node">The node.</param>
    /// <param name="attempt">Which try; from the second on it is part of the id, after a character that no name of a node has.</param>
    public static string Node(string rollout, string node, int attempt = 1) => attempt == 1 ? $"{rollout}:{node}" : $"{rollout}:{node}~{attempt}";

    /// <summary>The window of a name.</summary>
    public static string Window(string name) => $"w-{name}";

    /// <summary>The rollout that a window starts when it opens.</summary>
    public static string Rollout(string window, DateTimeOffset opensAt) => $"{window}:{opensAt:yyyyMMdd'T'HHmm}";

    /// <summary>What runs an instance for a rollout or a window and tells it of the end.</summary>
    internal static string Runner(string parent, string instance) => $"{parent}:run{instance[parent.Length..]}";
}

/// <summary>Names of the activities. Written into every stored history: rename the classes freely, never these.</summary>
internal static class Activities
{
    public const string Plan = "node.plan";
    public const string ReadNode = "node.read";
    public const string MarkNode = "node.mark";
    public const string UnmarkNode = "node.unmark";
    public const string AwaitHealth = "node.health";
    public const string AcquireLease = "lease.acquire";
    public const string RenewLease = "lease.renew";
    public const string CancelLease = "lease.mark-cancelled";
    public const string ReleaseLease = "lease.release";
    public const string AwaitPods = "pods.await";
    public const string EvictPods = "pods.evict";
    public const string AwaitVm = "vm.observe";
    public const string EvictLauncher = "vm.evict-launcher";
    public const string CancelEvacuation = "vm.cancel-evacuation";
    public const string TellToStay = "vm.tell-to-stay";
    public const string DeleteMigration = "vm.delete-migration";
    public const string MarkVm = "vm.mark";
    public const string StopVm = "vm.stop";
    public const string MigrateVm = "vm.migrate";
    public const string ReadVm = "vm.read";
    public const string CallVm = "vm.call-once";
    public const string DeleteVmi = "vm.delete-instance";
    public const string RestoreVm = "vm.restore";
    public const string ListHeldVms = "vm.list-held";
    public const string AwaitRunning = "vm.await-running";
    public const string WakeWaits = "cluster.wake";
    public const string RecordEvent = "event.record";
    public const string Remind = "event.remind";
    public const string CheckRestore = "node.check-restore";
    public const string NextWindow = "window.next";
    public const string ReadNodes = "rollout.read-nodes";
    public const string StartRun = "rollout.start-run";
    public const string EndParts = "rollout.end-parts";
    public const string EndLeftRunning = "node.end-left-running";
    public const string AwaitMarks = "node.await-marks";
    public const string ReassertNode = "node.reassert";
    public const string HoldNeighbours = "neighbours.hold";
    public const string ReleaseNeighbours = "neighbours.release";
    public const string ReadNeighbours = "neighbours.read";
    public const string StartJob = "job.start";
    public const string AwaitJob = "job.await";
    public const string EndJob = "job.end";
    public const string AwaitBoot = "node.await-boot";
    public const string PowerOff = "host.power-off";
    public const string PowerOn = "host.power-on";
    public const string AwaitPower = "host.await-power";
    public const string CallWebhook = "webhook.call";
    public const string Probe = "health.probe";
    public const string ReadProbes = "health.read-probes";
}

/// <summary>Events between a maintenance and its children.</summary>
internal static class ChildEvents
{
    /// <summary>To a child: end, change nothing more.</summary>
    public const string End = "end";

    /// <summary>Payload of <see cref="End"/> to the move of a machine: a migration that runs is aborted.</summary>
    public const string Abort = "abort";

    /// <summary>From the drain: the node is empty.</summary>
    public const string Drained = "drained";

    /// <summary>To the drain: the node is to be empty once more, by that moment; it says so again when it is.</summary>
    public const string EmptyAgain = "empty-again";

    /// <summary>To the drain: a virtual machine that stays; its launcher does not hold the drain.</summary>
    public const string VmSkipped = "vm-skipped";

    /// <summary>To a child: the maintenance was suspended, resumed or extended.</summary>
    public const string Steer = "steer";

    /// <summary>From the drain: virtual machines that no child moves yet.</summary>
    public const string VmsFound = "vms-found";

    /// <summary>From an action: the machine is off until somebody says complete.</summary>
    public const string PoweredOff = "powered-off";

    /// <summary>From the lease: whether it is ours.</summary>
    public const string Lease = "lease";

    /// <summary>To the lease: somebody found that it is not ours any more, or too old.</summary>
    public const string LookAtLease = "look";

    /// <summary>To a rollout: the maintenance of a node is over.</summary>
    public const string NodeDone = "node-done";

    /// <summary>To a window: its rollout is over.</summary>
    public const string RolloutDone = "rollout-done";
}

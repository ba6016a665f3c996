using System.Text.Json.Serialization;

namespace Drydock.Maintenance;

/// <summary>Rolling maintenance over nodes: the input of <c>rollout</c>. Persisted; only ever gains optional members.</summary>
/// <param name="Nodes">The nodes by name, in order; empty if they are selected.</param>
public sealed record RolloutRequest(IReadOnlyList<string> Nodes)
{
    /// <summary>Nodes by label, in kubectl's grammar; null: by name. Looked up again before each node, so that it follows the cluster.</summary>
    public string? Selector { get; init; }

    /// <summary>Only nodes whose kubelet is older than this, such as <c>v1.33.0</c>; alone: of all nodes. Null: any.</summary>
    public string? KubeletBelow { get; init; }

    /// <summary>How many nodes may be unavailable at once; those that are down already count.</summary>
    public int MaxUnavailable { get; init; } = 1;

    /// <summary>The same in per cent of the nodes of the rollout, rounded down, one at the least; null: <see cref="MaxUnavailable"/> holds.</summary>
    public int? MaxUnavailablePercent { get; init; }

    /// <summary>Zones, one after the other in this order; the others follow by name. Empty: zones do not order the nodes.</summary>
    public IReadOnlyList<string> Zones { get; init; } = [];

    /// <summary>How many nodes of one zone may be unavailable at once, or null: no such limit.</summary>
    public int? MaxPerZone { get; init; }

    /// <summary>The label that names the zone of a node.</summary>
    public string ZoneLabel { get; init; } = "topology.kubernetes.io/zone";

    /// <summary>How many nodes go first, before any other; the first that fails pauses. Zero: no canary.</summary>
    public int Canary { get; init; }

    /// <summary>How long the canary nodes must have been back, and still be well, before the others follow.</summary>
    public TimeSpan Soak { get; init; }

    /// <summary>How long no node is taken after one is done.</summary>
    public TimeSpan PauseBetween { get; init; }

    /// <summary>Which node goes first. Control-plane nodes always go last and one at a time.</summary>
    public RolloutOrder Order { get; init; }

    /// <summary>What is asked for each node; its <see cref="MaintenanceRequest.Node"/> is replaced.</summary>
    public MaintenanceRequest Template { get; init; } = new("");

    /// <summary>How many nodes may fail, or be refused, before <see cref="OnFailures"/> decides: with 1, the first.</summary>
    public int FailureBudget { get; init; } = 1;

    /// <summary>What happens when that many failed.</summary>
    public RolloutFailurePolicy OnFailures { get; init; } = RolloutFailurePolicy.Pause;

    /// <summary>How long a node is expected to take until one was seen to end; null: not known.</summary>
    public TimeSpan? ExpectedPerNode { get; init; }

    /// <summary>The maintenance window it belongs to, or null: it may run at any time.</summary>
    public RolloutOpening? Opening { get; init; }

    /// <summary>What happens when the window closes.</summary>
    public WindowClosePolicy OnClose { get; init; }

    /// <summary>Why it begins paused, one sentence: it shows its nodes and takes none until somebody says <c>resume</c>. Null: it takes nodes at once.</summary>
    public string? PausedBecause { get; init; }

    /// <summary>Where it stood when it continued with a fresh history, or null: it begins.</summary>
    public RolloutState? State { get; init; }

    /// <summary>All nodes of a rollout that runs: those that its input, this, carries, and over them what changed since (design D13).</summary>
    /// <param name="id">The instance.</param>
    /// <param name="status">Its custom status, read together with the input; null: it has none yet.</param>
    public IReadOnlyList<RolloutNode> NodesWith(string id, RolloutStatus? status)
    {
        IReadOnlyList<RolloutNode> known = State?.Nodes ?? [.. Nodes.Select(node => new RolloutNode(node, RolloutNodeState.Waiting, InstanceIds.Node(id, node)))];
        var changes = status?.Nodes ?? [];
        var changed = changes.ToDictionary(static node => node.Node, StringComparer.Ordinal);
        var names = known.Select(static node => node.Node).ToHashSet(StringComparer.Ordinal);
        return [.. known.Select(node => changed.GetValueOrDefault(node.Node, node)), .. changes.Where(node => !names.Contains(node.Node))];
    }
}

/// <summary>Which node of a rollout goes first.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RolloutOrder>))]
public enum RolloutOrder
{
    /// <summary>As they were named; selected nodes by name.</summary>
    AsGiven,

    /// <summary>By name.</summary>
    Name,

    /// <summary>Those with the fewest pods to move first.</summary>
    Load,
}

/// <summary>What a rollout does when its failure budget is used up.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RolloutFailurePolicy>))]
public enum RolloutFailurePolicy
{
    /// <summary>It takes no new node until somebody says <c>resume</c>, <c>stop</c> or <c>cancel</c>.</summary>
    Pause,

    /// <summary>It ends when the nodes under maintenance are done.</summary>
    Stop,
}

/// <summary>Where a node of a rollout is. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RolloutNodeState>))]
public enum RolloutNodeState
{
    /// <summary>Its turn has not come.</summary>
    Waiting,

    /// <summary>It is under maintenance.</summary>
    UnderMaintenance,

    /// <summary>Its maintenance is over: see the outcome.</summary>
    Done,

    /// <summary>It was not taken: the rollout was stopped or cancelled.</summary>
    NotTaken,

    /// <summary>Somebody said to leave it out.</summary>
    Skipped,

    /// <summary>It left the cluster, or is not selected any more, before its turn came.</summary>
    Left,
}

/// <summary>One node of a rollout.</summary>
/// <param name="Node">Its name.</param>
/// <param name="State">Where it is.</param>
/// <param name="InstanceId">The instance of its maintenance.</param>
/// <param name="Outcome">How that ended, or null.</param>
/// <param name="Message">One sentence, or null.</param>
public sealed record RolloutNode(
    string Node, RolloutNodeState State, string InstanceId, MaintenanceOutcome? Outcome = null, string? Message = null)
{
    /// <summary>Which try it is, from 1.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>Its zone, or null.</summary>
    public string? Zone { get; init; }

    /// <summary>It runs the control plane.</summary>
    public bool IsControlPlane { get; init; }

    /// <summary>Pods that had to leave when it was first seen.</summary>
    public int Load { get; init; }

    /// <summary>It belongs to the canary wave.</summary>
    public bool IsCanary { get; init; }

    /// <summary>When its maintenance began, or null.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When that ended, or null.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Not before that moment: somebody else held it. Null: at once.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>Its maintenance failed or was refused.</summary>
    [JsonIgnore]
    public bool HasFailed => State == RolloutNodeState.Done && Outcome is MaintenanceOutcome.Failed or MaintenanceOutcome.Refused;
}

/// <summary>A stretch of time in which a rollout may take nodes.</summary>
/// <param name="From">It opens.</param>
/// <param name="To">It closes.</param>
public sealed record RolloutOpening(DateTimeOffset From, DateTimeOffset To);

/// <summary>What a rollout carries from one history into the next.</summary>
/// <param name="Nodes">All nodes, in the order in which they came.</param>
public sealed record RolloutState(IReadOnlyList<RolloutNode> Nodes)
{
    /// <summary>Failures since the last <c>resume</c>.</summary>
    public int Failures { get; init; }

    /// <summary>Why it is paused, or null: it is not.</summary>
    public string? PausedBecause { get; init; }

    /// <summary>Since when it is paused; null: it is not, or it began so.</summary>
    public DateTimeOffset? PausedAt { get; init; }

    /// <summary>Why it takes no new node any more, or null: it does.</summary>
    public string? StoppingBecause { get; init; }

    /// <summary>The nodes under maintenance were cancelled.</summary>
    public bool IsCancelled { get; init; }

    /// <summary>No canary, or it is well.</summary>
    public bool IsCanaryOver { get; init; }

    /// <summary>The window, or null.</summary>
    public RolloutOpening? Opening { get; init; }

    /// <summary>The window is closed; it waits for the next.</summary>
    public bool IsClosed { get; init; }

    /// <summary>Nodes taken since the window opened.</summary>
    public int TakenInOpening { get; init; }

    /// <summary>How many nodes <see cref="TimeSpent"/> is the sum of.</summary>
    public int NodesTimed { get; init; }

    /// <summary>What the maintenances that completed took together.</summary>
    public TimeSpan TimeSpent { get; init; }

    /// <summary>What a node takes on the average, or null.</summary>
    [JsonIgnore]
    public TimeSpan? Average => NodesTimed == 0 ? null : TimeSpent / NodesTimed;
}

/// <summary>The custom status of <c>rollout</c> and, at its end, its output.</summary>
/// <param name="Nodes">
/// At the end all nodes. Before, those that changed since the state in the input: the two together are all (design D13).
/// </param>
public sealed record RolloutStatus(IReadOnlyList<RolloutNode> Nodes)
{
    /// <summary>It takes no new node until somebody says <c>resume</c>, <c>stop</c> or <c>cancel</c>.</summary>
    public bool IsPaused { get; init; }

    /// <summary>Since when it is paused; null: it is not, or it began so.</summary>
    public DateTimeOffset? PausedAt { get; init; }

    /// <summary>It takes no new node.</summary>
    public bool IsStopping { get; init; }

    /// <summary>It takes no new node, and those under maintenance were cancelled.</summary>
    public bool IsCancelled { get; init; }

    /// <summary>Its window is closed; it goes on when the next opens.</summary>
    public bool IsClosed { get; init; }

    /// <summary>One sentence for people.</summary>
    public string Message { get; init; } = "";

    /// <summary>All nodes that are or were part of it.</summary>
    public int Total { get; init; }

    /// <summary>Nodes whose maintenance is over.</summary>
    public int Done { get; init; }

    /// <summary>Nodes whose maintenance failed or was refused.</summary>
    public int Failed { get; init; }

    /// <summary>Nodes whose turn has not come.</summary>
    public int Waiting { get; init; }

    /// <summary>Nodes under maintenance.</summary>
    public int Running { get; init; }

    /// <summary>What the next node waits for, or null.</summary>
    public string? WaitsFor { get; init; }

    /// <summary>When it will be over if the nodes go on to take what they took; null: not known.</summary>
    public DateTimeOffset? EstimatedEnd { get; init; }

    /// <summary>The window, or null.</summary>
    public RolloutOpening? Opening { get; init; }
}

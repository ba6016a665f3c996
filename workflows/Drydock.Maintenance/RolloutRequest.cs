using System.Text.Json.Serialization;

namespace Drydock.Maintenance;

/// <summary>Rolling maintenance over nodes: the input of <c>rollout</c>. Persisted; only ever gains optional members.</summary>
/// <param name="Nodes">The nodes, in order.</param>
public sealed record RolloutRequest(IReadOnlyList<string> Nodes)
{
    /// <summary>How many nodes may be under maintenance at once.</summary>
    public int MaxUnavailable { get; init; } = 1;

    /// <summary>What is asked for each node; its <see cref="MaintenanceRequest.Node"/> is replaced.</summary>
    public MaintenanceRequest Template { get; init; } = new("");

    /// <summary>How many nodes may fail, or be refused, before <see cref="OnFailures"/> decides: with 1, the first.</summary>
    public int FailureBudget { get; init; } = 1;

    /// <summary>What happens when that many failed.</summary>
    public RolloutFailurePolicy OnFailures { get; init; } = RolloutFailurePolicy.Pause;
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
}

/// <summary>One node of a rollout.</summary>
/// <param name="Node">Its name.</param>
/// <param name="State">Where it is.</param>
/// <param name="InstanceId">The instance of its maintenance.</param>
/// <param name="Outcome">How that ended, or null.</param>
/// <param name="Message">One sentence, or null.</param>
public sealed record RolloutNode(
    string Node, RolloutNodeState State, string InstanceId, MaintenanceOutcome? Outcome = null, string? Message = null);

/// <summary>The custom status of <c>rollout</c> and, at its end, its output.</summary>
/// <param name="Nodes">The nodes, in order.</param>
public sealed record RolloutStatus(IReadOnlyList<RolloutNode> Nodes)
{
    /// <summary>The failure budget is used up; it waits for <c>resume</c>, <c>stop</c> or <c>cancel</c>.</summary>
    public bool IsPaused { get; init; }

    /// <summary>It takes no new node.</summary>
    public bool IsStopping { get; init; }

    /// <summary>One sentence for people.</summary>
    public string Message { get; init; } = "";
}

/// <summary>A recurring maintenance window: the input of <c>window</c>. Persisted; only ever gains optional members.</summary>
/// <param name="Cron">When it opens: five fields of cron, or six with seconds.</param>
/// <param name="Duration">How long new nodes are taken.</param>
/// <param name="Rollout">What is started when it opens.</param>
public sealed record WindowRequest(string Cron, TimeSpan Duration, RolloutRequest Rollout)
{
    /// <summary>The IANA time zone of <see cref="Cron"/>.</summary>
    public string TimeZone { get; init; } = "UTC";
}

/// <summary>The custom status of <c>window</c>.</summary>
/// <param name="Message">One sentence for people.</param>
public sealed record WindowStatus(string Message)
{
    /// <summary>When the next window opens, or null while one is open.</summary>
    public DateTimeOffset? Next { get; init; }

    /// <summary>The rollout under way, or null.</summary>
    public string? Rollout { get; init; }

    /// <summary>When the open window closes, or null.</summary>
    public DateTimeOffset? ClosesAt { get; init; }
}

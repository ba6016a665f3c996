namespace Drydock.Api;

/// <summary>Asks for the maintenance of several nodes, one after the other or a few at a time.</summary>
public sealed record RolloutCreate
{
    /// <summary>The nodes by name. Either this or <see cref="Selector"/>.</summary>
    public IReadOnlyList<string>? Nodes { get; init; }

    /// <summary>A label selector such as <c>node-role.kubernetes.io/worker,zone=a</c>.</summary>
    public string? Selector { get; init; }

    /// <summary>How many nodes may be unavailable at a time, those that are down already included. Default 1.</summary>
    public int? MaxUnavailable { get; init; }

    /// <summary>How many nodes may fail, or be refused, before <see cref="OnFailures"/> decides. Default 1: the first.</summary>
    public int? FailureBudget { get; init; }

    /// <summary>What happens then: <c>Pause</c> (default) takes no new node until told to; <c>Stop</c> ends the rollout.</summary>
    public string? OnFailures { get; init; }

    /// <summary>How each node is maintained.</summary>
    public MaintenanceSettings? Maintenance { get; init; }

    /// <summary>Why, in the words of whoever asks.</summary>
    public string? Reason { get; init; }
}

/// <summary>One rollout as it stands now.</summary>
/// <param name="Id">Its id.</param>
/// <param name="State">Pending, Running, Paused, Stopping, Suspended, Completed, Failed or Abandoned.</param>
/// <param name="Message">One sentence.</param>
public sealed record RolloutView(string Id, string State, string Message)
{
    /// <summary>Why it was asked for.</summary>
    public string? Reason { get; init; }

    /// <summary>Who asked.</summary>
    public string? RequestedBy { get; init; }

    /// <summary>When it was asked for.</summary>
    public DateTimeOffset StartedAt { get; init; }

    /// <summary>When it was over, or null.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>The nodes in the order they are maintained.</summary>
    public IReadOnlyList<RolloutNodeView> Nodes { get; init; } = [];
}

/// <summary>One node of a rollout.</summary>
/// <param name="Node">The node.</param>
/// <param name="State">Waiting, UnderMaintenance, NotTaken, or how its maintenance ended: Completed, Refused, Cancelled, Failed.</param>
/// <param name="MaintenanceId">Its maintenance, or null if it has none.</param>
/// <param name="Message">One sentence, or null.</param>
public sealed record RolloutNodeView(string Node, string State, string? MaintenanceId, string? Message);

/// <summary>Asks for a recurring maintenance window.</summary>
public sealed record WindowCreate
{
    /// <summary>Its name: lower-case letters, digits and dashes.</summary>
    public string? Name { get; init; }

    /// <summary>When it opens: a cron expression of five fields, or six with seconds.</summary>
    public string? Cron { get; init; }

    /// <summary>How long it stays open.</summary>
    public string? Duration { get; init; }

    /// <summary>IANA time zone of the cron expression. Default <c>UTC</c>.</summary>
    public string? TimeZone { get; init; }

    /// <summary>What is started when it opens.</summary>
    public RolloutCreate? Rollout { get; init; }
}

/// <summary>A maintenance window as it stands now.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Cron">When it opens.</param>
/// <param name="Duration">How long it stays open.</param>
/// <param name="TimeZone">IANA time zone of the cron expression.</param>
/// <param name="IsOpen">It is open now.</param>
public sealed record WindowView(string Name, string Cron, string Duration, string TimeZone, bool IsOpen)
{
    /// <summary>One sentence on what it does now.</summary>
    public string? Message { get; init; }

    /// <summary>When it closes, or null while it is not open.</summary>
    public DateTimeOffset? ClosesAt { get; init; }

    /// <summary>When it opens next; the coming three.</summary>
    public IReadOnlyList<DateTimeOffset> Next { get; init; } = [];

    /// <summary>The rollout under way, or null.</summary>
    public string? RolloutId { get; init; }
}

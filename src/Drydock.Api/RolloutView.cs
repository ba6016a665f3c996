namespace Drydock.Api;

/// <summary>Asks for the maintenance of several nodes, one after the other or a few at a time.</summary>
public sealed record RolloutCreate
{
    /// <summary>The nodes by name, in order. Either this, <see cref="Selector"/> or <see cref="KubeletBelow"/> alone.</summary>
    public IReadOnlyList<string>? Nodes { get; init; }

    /// <summary>A label selector such as <c>node-role.kubernetes.io/worker,zone in (a,b)</c>. It is looked up before each node is taken.</summary>
    public string? Selector { get; init; }

    /// <summary>Only nodes whose kubelet is older than this version, such as <c>v1.33.0</c>; without nodes or selector: of all nodes.</summary>
    public string? KubeletBelow { get; init; }

    /// <summary>How many nodes may be unavailable at a time, those that are down already included. Default 1.</summary>
    public int? MaxUnavailable { get; init; }

    /// <summary>The same in per cent of the nodes, rounded down, one at the least. Either this or <see cref="MaxUnavailable"/>.</summary>
    public int? MaxUnavailablePercent { get; init; }

    /// <summary>Zones one after the other, in this order; the others follow by name.</summary>
    public IReadOnlyList<string>? Zones { get; init; }

    /// <summary>How many nodes of one zone may be unavailable at a time.</summary>
    public int? MaxPerZone { get; init; }

    /// <summary>The label that names a node's zone. Default <c>topology.kubernetes.io/zone</c>.</summary>
    public string? ZoneLabel { get; init; }

    /// <summary>How many nodes go first; the first of them that fails pauses the rollout. Default 0.</summary>
    public int? Canary { get; init; }

    /// <summary>How long the canary nodes are watched after they are back, before the others follow.</summary>
    public string? Soak { get; init; }

    /// <summary>How long no node is taken after one is done.</summary>
    public string? PauseBetween { get; init; }

    /// <summary>Which goes first: <c>AsGiven</c> (default), <c>Name</c>, or <c>Load</c>: the fewest pods to move. Control-plane nodes go last.</summary>
    public string? Order { get; init; }

    /// <summary>How long a node is expected to take, for windows, until one was seen to end.</summary>
    public string? ExpectedPerNode { get; init; }

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
/// <param name="State">Pending, Running, Paused, Closed (its window), Stopping, Suspended, Completed, Failed or Abandoned.</param>
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

    /// <summary>How many nodes are part of it.</summary>
    public int Total { get; init; }

    /// <summary>How many are over.</summary>
    public int Done { get; init; }

    /// <summary>How many of those failed or were refused.</summary>
    public int Failed { get; init; }

    /// <summary>What the next node waits for, or null.</summary>
    public string? WaitsFor { get; init; }

    /// <summary>When it will be over if the nodes go on to take what they took; null: not known, or not in this window.</summary>
    public DateTimeOffset? EstimatedEnd { get; init; }

    /// <summary>The nodes in the order in which they joined.</summary>
    public IReadOnlyList<RolloutNodeView> Nodes { get; init; } = [];

    /// <summary>It will not change any more.</summary>
    public bool IsOver => EndedAt is not null;
}

/// <summary>Asks to leave a node out, or to take it again.</summary>
/// <param name="Node">The node.</param>
/// <param name="Reason">Why, in the words of whoever asks.</param>
public sealed record RolloutNodeRequest(string? Node = null, string? Reason = null);

/// <summary>One node of a rollout.</summary>
/// <param name="Node">The node.</param>
/// <param name="State">Waiting, UnderMaintenance, NotTaken, Skipped, Left, or how its maintenance ended: Completed, Refused, Cancelled, Failed.</param>
/// <param name="MaintenanceId">Its maintenance, or null if it has none.</param>
/// <param name="Message">One sentence, or null.</param>
public sealed record RolloutNodeView(string Node, string State, string? MaintenanceId, string? Message);

/// <summary>Asks for maintenance windows of one rollout.</summary>
public sealed record WindowCreate
{
    /// <summary>Its name: lower-case letters, digits and dashes.</summary>
    public string? Name { get; init; }

    /// <summary>When it opens: a cron expression of five fields, or six with seconds.</summary>
    public string? Cron { get; init; }

    /// <summary>How long it stays open.</summary>
    public string? Duration { get; init; }

    /// <summary>IANA time zone of the cron expression, and of dates without one. Default <c>UTC</c>.</summary>
    public string? TimeZone { get; init; }

    /// <summary>More windows, recurring or once.</summary>
    public IReadOnlyList<WindowTimesCreate>? Times { get; init; }

    /// <summary>When none is open: <c>2026-12-24</c>, <c>2026-12-24/2027-01-01</c> (the last day included), or two instants with a slash between.</summary>
    public IReadOnlyList<string>? Blackouts { get; init; }

    /// <summary>The same as the text of an iCalendar file: each event is a blackout.</summary>
    public string? BlackoutCalendar { get; init; }

    /// <summary>
    /// When it closes and nodes are left: <c>Finish</c> (default) the nodes in hand and end; <c>Pause</c> until the next window;
    /// <c>Cancel</c> and put back.
    /// </summary>
    public string? OnClose { get; init; }

    /// <summary>What is started when it opens.</summary>
    public RolloutCreate? Rollout { get; init; }
}

/// <summary>A recurring window (<see cref="Cron"/> and <see cref="Duration"/>) or one that opens once (<see cref="From"/> and <see cref="To"/>).</summary>
public sealed record WindowTimesCreate
{
    /// <summary>When it opens: a cron expression.</summary>
    public string? Cron { get; init; }

    /// <summary>How long it stays open.</summary>
    public string? Duration { get; init; }

    /// <summary>IANA time zone of the cron expression. Default: that of the request.</summary>
    public string? TimeZone { get; init; }

    /// <summary>When it opens once: an instant such as <c>2026-03-01T22:00:00+01:00</c>.</summary>
    public string? From { get; init; }

    /// <summary>When that closes.</summary>
    public string? To { get; init; }
}

/// <summary>A stretch of time in which a window is open.</summary>
/// <param name="From">It opens.</param>
/// <param name="To">It closes.</param>
public sealed record OpeningView(DateTimeOffset From, DateTimeOffset To);

/// <summary>A maintenance window as it stands now.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsOpen">It is open now.</param>
public sealed record WindowView(string Name, bool IsOpen)
{
    /// <summary>When it opens, in words: each cron expression with its duration and zone, each single opening.</summary>
    public IReadOnlyList<string> Times { get; init; } = [];

    /// <summary>What happens when it closes and nodes are left.</summary>
    public string? OnClose { get; init; }

    /// <summary>One sentence on what it does now.</summary>
    public string? Message { get; init; }

    /// <summary>When it closes, or null while it is not open.</summary>
    public DateTimeOffset? ClosesAt { get; init; }

    /// <summary>The coming openings, the one under way included; blackouts are taken out.</summary>
    public IReadOnlyList<OpeningView> Next { get; init; } = [];

    /// <summary>The rollout under way, or null.</summary>
    public string? RolloutId { get; init; }
}

/// <summary>A page of rollouts, the newest first.</summary>
/// <param name="Items">The rollouts.</param>
/// <param name="Next">Pass as <c>after</c> to get the next page; null at the end.</param>
public sealed record RolloutList(IReadOnlyList<RolloutView> Items, string? Next);

/// <summary>A page of windows, by name.</summary>
/// <param name="Items">The windows.</param>
/// <param name="Next">Pass as <c>after</c> to get the next page; null at the end.</param>
public sealed record WindowList(IReadOnlyList<WindowView> Items, string? Next);

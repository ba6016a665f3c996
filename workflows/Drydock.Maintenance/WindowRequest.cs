using System.Text.Json.Serialization;

namespace Drydock.Maintenance;

/// <summary>Maintenance windows of one rollout: the input of <c>window</c>. Persisted; only ever gains optional members.</summary>
/// <param name="Rollout">What is started when one opens.</param>
public sealed record WindowRequest(RolloutRequest Rollout)
{
    /// <summary>When it opens: five fields of cron, or six with seconds. Null: see <see cref="Times"/>.</summary>
    public string? Cron { get; init; }

    /// <summary>How long it stays open after <see cref="Cron"/>, in elapsed time: a night in which clocks change is no exception.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>The IANA time zone of <see cref="Cron"/>.</summary>
    public string TimeZone { get; init; } = "UTC";

    /// <summary>More windows; those that overlap are one.</summary>
    public IReadOnlyList<WindowTimes> Times { get; init; } = [];

    /// <summary>When it is closed although a window would be open.</summary>
    public IReadOnlyList<Blackout> Blackouts { get; init; } = [];

    /// <summary>The same as an iCalendar text (RFC 5545): each of its events is a blackout. Null: none.</summary>
    public string? BlackoutCalendar { get; init; }

    /// <summary>What happens when it closes and nodes are left.</summary>
    public WindowClosePolicy OnClose { get; init; }

    /// <summary>Where it stood when it continued with a fresh history, or null: it begins.</summary>
    public WindowState? State { get; init; }

    /// <summary>All windows.</summary>
    [JsonIgnore]
    public IReadOnlyList<WindowTimes> AllTimes =>
        Cron is null ? Times : [new WindowTimes { Cron = Cron, Duration = Duration, TimeZone = TimeZone }, .. Times];
}

/// <summary>A recurring window (<see cref="Cron"/>) or one that opens once (<see cref="From"/>, <see cref="To"/>).</summary>
public sealed record WindowTimes
{
    /// <summary>When it opens, again and again; null: once.</summary>
    public string? Cron { get; init; }

    /// <summary>How long it then stays open.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>The IANA time zone of <see cref="Cron"/>.</summary>
    public string TimeZone { get; init; } = "UTC";

    /// <summary>When it opens once, or null.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>When that closes, or null.</summary>
    public DateTimeOffset? To { get; init; }
}

/// <summary>A stretch of time in which no window is open.</summary>
/// <param name="From">It begins.</param>
/// <param name="To">It ends.</param>
/// <param name="Why">In the words of whoever set it, or null.</param>
public sealed record Blackout(DateTimeOffset From, DateTimeOffset To, string? Why = null);

/// <summary>What happens when a window closes and nodes are left.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<WindowClosePolicy>))]
public enum WindowClosePolicy
{
    /// <summary>The nodes in hand are finished, then the rollout ends; the next window begins a new one.</summary>
    Finish,

    /// <summary>The nodes in hand are finished; the rollout goes on with the others when the next window opens.</summary>
    Pause,

    /// <summary>The nodes in hand are cancelled and put back, and the rollout ends.</summary>
    Cancel,
}

/// <summary>What a window carries from one history into the next.</summary>
/// <param name="After">The end of the last opening: the next one ends later.</param>
public sealed record WindowState(DateTimeOffset After)
{
    /// <summary>A rollout that waits for the next opening, or null.</summary>
    public string? Rollout { get; init; }

    /// <summary>How the last rollout ended, one sentence; empty: none has.</summary>
    public string Last { get; init; } = "";
}

/// <summary>The custom status of <c>window</c> and, at its end, its output. Persisted; only ever gains optional members.</summary>
/// <param name="Message">One sentence for people.</param>
public sealed record WindowStatus(string Message)
{
    /// <summary>When the next window opens, or null while one is open.</summary>
    public DateTimeOffset? Next { get; init; }

    /// <summary>The rollout under way, or null.</summary>
    public string? Rollout { get; init; }

    /// <summary>When the open window closes, or null.</summary>
    public DateTimeOffset? ClosesAt { get; init; }

    /// <summary>It was removed: no further window opens, and it ends when the nodes in hand are done.</summary>
    public bool IsCancelled { get; init; }
}

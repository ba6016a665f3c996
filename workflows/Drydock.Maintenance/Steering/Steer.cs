using System.Text.Json.Serialization;

namespace Drydock.Maintenance;

/// <summary>What somebody wants of a maintenance that goes on. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SteerKind>))]
public enum SteerKind
{
    /// <summary>Begin nothing new until it is resumed; what is in flight goes on. No deadline passes meanwhile.</summary>
    Suspend,

    /// <summary>Go on; the deadlines move by the time it was suspended.</summary>
    Resume,

    /// <summary>Move the deadline of the step in hand.</summary>
    Extend,
}

/// <summary>Payload of <see cref="MaintenanceEvents.Steer"/>. One that changes nothing any more is ignored, so that a repetition is harmless.</summary>
/// <param name="Kind">What is wanted.</param>
/// <param name="By">Who said so.</param>
/// <param name="Reason">Why, or null.</param>
public sealed record Steer(SteerKind Kind, string By, string? Reason = null)
{
    /// <summary>The address that it was said from, or null: from within.</summary>
    public string? RequestedFrom { get; init; }

    /// <summary>Extend: the deadline as it was when somebody decided. If it is another by now, nothing is done.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Extend: the deadline from now on.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Names the request; one of a name that was obeyed before is ignored. Null: it has no name.</summary>
    public string? Key { get; init; }
}

/// <summary>What was obeyed, for status and audit.</summary>
/// <param name="Kind">What was wanted.</param>
/// <param name="By">Who said so.</param>
/// <param name="Reason">Why, or null.</param>
/// <param name="At">When it was obeyed.</param>
public sealed record SteerRecord(SteerKind Kind, string By, string? Reason, DateTimeOffset At)
{
    /// <summary>Extend: the deadline before.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Extend: the deadline after.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>The name of the request, or null.</summary>
    public string? Key { get; init; }
}

/// <summary>A maintenance that is suspended.</summary>
/// <param name="By">Who suspended it.</param>
/// <param name="Reason">Why, or null.</param>
/// <param name="Since">Since when.</param>
public sealed record Suspension(string By, string? Reason, DateTimeOffset Since)
{
    /// <summary>In one sentence. A method: what is a property is persisted.</summary>
    public string Sentence() => $"Suspended by {By} since {Since:u}{(Reason is { Length: > 0 } why ? $": {why.TrimEnd('.')}" : "")}.";
}

using System.Text.Json.Serialization;

namespace Drydock.Maintenance;

/// <summary>Where a maintenance waits until somebody approves. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ApprovalGate>))]
public enum ApprovalGate
{
    /// <summary>Before anything is changed: the plan is known.</summary>
    Start,

    /// <summary>The node is empty; before the action.</summary>
    Action,

    /// <summary>The node is healthy; before it takes work again.</summary>
    Uncordon,
}

/// <summary>What must be approved. Persisted; only ever gains optional members.</summary>
public sealed record ApprovalPolicy
{
    /// <summary>The gates at which it waits; those that the policy requires come on top.</summary>
    public IReadOnlyList<ApprovalGate> Gates { get; init; } = [];

    /// <summary>How long somebody has to decide, at each gate. The default is one day.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromDays(1);

    /// <summary>How often an Event on the node reminds of it. The default is an hour; zero: never.</summary>
    public TimeSpan RemindEvery { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>Payload of <see cref="MaintenanceEvents.Approval"/>: somebody decided.</summary>
/// <param name="IsApproved">Approved, or rejected.</param>
/// <param name="By">Who.</param>
/// <param name="Reason">Why, or null.</param>
public sealed record Approval(bool IsApproved, string By, string? Reason = null)
{
    /// <summary>The address that it was said from, or null: from within.</summary>
    public string? RequestedFrom { get; init; }
}

/// <summary>A decision as it is kept: who, when and why.</summary>
/// <param name="Gate">Where.</param>
/// <param name="IsApproved">Approved, or rejected.</param>
/// <param name="By">Who.</param>
/// <param name="Reason">Why, or null.</param>
/// <param name="AskedAt">Since when it waited.</param>
/// <param name="At">When it was decided.</param>
public sealed record ApprovalRecord(ApprovalGate Gate, bool IsApproved, string By, string? Reason, DateTimeOffset AskedAt, DateTimeOffset At);

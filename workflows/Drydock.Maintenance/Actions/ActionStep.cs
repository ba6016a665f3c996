using System.Text.Json.Serialization;

namespace Drydock.Maintenance;

/// <summary>What happens between the drain and the health check, or at a hook.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<MaintenanceAction>))]
public enum MaintenanceAction
{
    /// <summary>Nothing: drain, check, restore.</summary>
    None,

    /// <summary>Hold the drained node until told to go on; pods that come later are evicted.</summary>
    Hold,

    /// <summary>Reboot the node by a Job on it; done when its boot ID has changed.</summary>
    Reboot,

    /// <summary>Switch the machine off by its BareMetalHost, keep it off as long as asked, and switch it on again.</summary>
    PowerCycle,

    /// <summary>Run a Job of the policy on the node.</summary>
    Job,

    /// <summary>Call a webhook of the policy and wait until it calls back.</summary>
    Webhook,
}

/// <summary>The details of an action. Persisted; only ever gains optional members.</summary>
public sealed record ActionOptions
{
    /// <summary>Job, Webhook: which one of the policy.</summary>
    public string? Template { get; init; }

    /// <summary>
    /// Job: one that the request brings itself, instead of <see cref="Template"/>. Whoever asks must be allowed to create Jobs in its namespace:
    /// the door has seen to that before this is stored.
    /// </summary>
    public JobTemplate? Job { get; init; }

    /// <summary>How long it may take, or null: what the policy says; a hold has no deadline, a reboot or power-cycle 30 minutes. A node whose hold, reboot or power-cycle is not over by then stays cordoned.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>PowerCycle: how long the machine stays off once it is.</summary>
    public TimeSpan PowerOffFor { get; init; }

    /// <summary>PowerCycle: the machine stays off until somebody says <c>complete</c>.</summary>
    public bool PowerOffUntilComplete { get; init; }

    /// <summary>Hold: how often an Event on the node reminds of it. The default is an hour; zero: never.</summary>
    public TimeSpan RemindEvery { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>One action.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Options">How.</param>
public sealed record ActionStep(MaintenanceAction Kind, ActionOptions Options)
{
    /// <summary>For people: <c>reboot</c>, <c>job firmware</c>.</summary>
    public override string ToString() => Options switch
    {
        { Template: { } template } => $"{Kebab.Of(Kind.ToString())} {template}",
        { Job: { } job } => $"{Kebab.Of(Kind.ToString())} in {job.Namespace}",
        _ => Kebab.Of(Kind.ToString()),
    };
}

/// <summary>Where actions are taken. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ActionPoint>))]
public enum ActionPoint
{
    /// <summary>The node is cordoned and still full.</summary>
    BeforeDrain,

    /// <summary>The node is empty.</summary>
    AfterDrain,

    /// <summary>The action itself.</summary>
    Action,

    /// <summary>The node is healthy and still cordoned.</summary>
    BeforeUncordon,
}

/// <summary>Actions around the drain. The first that fails ends the maintenance.</summary>
public sealed record MaintenanceHooks
{
    /// <summary>When the node is cordoned and still full.</summary>
    public IReadOnlyList<ActionStep> BeforeDrain { get; init; } = [];

    /// <summary>When the node is empty, before the action.</summary>
    public IReadOnlyList<ActionStep> AfterDrain { get; init; } = [];

    /// <summary>When the node is healthy, before it takes work again.</summary>
    public IReadOnlyList<ActionStep> BeforeUncordon { get; init; } = [];

    /// <summary>Those of a point.</summary>
    public IReadOnlyList<ActionStep> At(ActionPoint point) => point switch
    {
        ActionPoint.BeforeDrain => BeforeDrain,
        ActionPoint.AfterDrain => AfterDrain,
        ActionPoint.BeforeUncordon => BeforeUncordon,
        _ => [],
    };
}

/// <summary>How an action ended. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ActionOutcome>))]
public enum ActionOutcome
{
    /// <summary>It did what it should.</summary>
    Done,

    /// <summary>It failed, or its deadline passed.</summary>
    Failed,

    /// <summary>The maintenance was cancelled meanwhile.</summary>
    Cancelled,
}

/// <summary>An action that was taken, for status and report.</summary>
/// <param name="Key">Names it within the maintenance: <c>action</c>, <c>before-drain-1</c>.</param>
/// <param name="Point">Where.</param>
/// <param name="Step">What.</param>
/// <param name="Message">One sentence.</param>
public sealed record ActionRecord(string Key, ActionPoint Point, ActionStep Step, string Message)
{
    /// <summary>When it began.</summary>
    public DateTimeOffset From { get; init; }

    /// <summary>When it was over, or null.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>How it ended, or null while it is under way.</summary>
    public ActionOutcome? Outcome { get; init; }
}

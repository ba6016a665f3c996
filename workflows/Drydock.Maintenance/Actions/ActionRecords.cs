using System.Text.Json.Serialization;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.Actions;

/// <summary>An action to take: the input of <c>node.action</c>.</summary>
/// <param name="Node">On which node.</param>
/// <param name="Holder">Whose maintenance it is.</param>
/// <param name="Maintenance">Its instance id.</param>
/// <param name="Key">Names the action within the maintenance.</param>
/// <param name="Step">What to do.</param>
/// <param name="Deadline">When it must be done; a machine that is kept off gets the same span again for coming back.</param>
internal sealed record ActionInput(string Node, string Holder, string Maintenance, string Key, ActionStep Step, DateTimeOffset Deadline)
{
    /// <summary>How long it was given.</summary>
    public TimeSpan Timeout { get; init; }

    /// <summary>The boot ID before the maintenance.</summary>
    public string? BootId { get; init; }

    /// <summary>The job to run, for Reboot and Job.</summary>
    public JobTemplate? Job { get; init; }

    /// <summary>The webhook to call.</summary>
    public WebhookTemplate? Webhook { get; init; }

    /// <summary>The machine, for PowerCycle.</summary>
    public ObjectRef? Host { get; init; }

    /// <summary>Why there is a maintenance, and who asked: told to the webhook.</summary>
    public string? Reason { get; init; }

    /// <summary>Who asked.</summary>
    public string? RequestedBy { get; init; }

    /// <summary>The maintenance is suspended since then: the deadline does not run.</summary>
    public DateTimeOffset? SuspendedAt { get; init; }

    /// <summary>What is tried again and again goes on in new generations; false in what was stored before it did: its history must replay.</summary>
    public bool RetriesGoOn { get; init; }

    /// <summary>PowerCycle: the machine is looked at while it is off; false in what was stored before it was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsWatched { get; init; }

    /// <summary>What cannot be seen for a while is looked at again until the action's own time is over; false in what was stored before it was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool LooksOn { get; init; }

    /// <summary>It ends as soon as it is told to or its time is over, also between two tries; false in what was stored before it did: its history must replay.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool EndsPromptly { get; init; }

    /// <summary>Where an earlier generation left off.</summary>
    public ActionState State { get; init; } = new();

    /// <summary>The job of this action; the same name at every try, so that there is one.</summary>
    public ObjectRef JobName => new(Job?.Namespace ?? "", JobManifest.NameOf(Maintenance, Key));
}

/// <summary>What an action carries from generation to generation.</summary>
internal sealed record ActionState
{
    public PowerPhase Phase { get; init; }

    /// <summary>Job, Reboot: an earlier generation started the job, so that one that is missing was deleted by somebody.</summary>
    public bool IsStarted { get; init; }

    /// <summary>PowerCycle: when the phase must be over.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Webhook: the deadline that the other side is told; that the action is given longer must not make another call of it. Null: not called yet.</summary>
    public DateTimeOffset? ToldDeadline { get; init; }

    /// <summary>Webhook: how long to wait after the next call that is not accepted; null: not called yet.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

/// <summary>Where a power-cycle is.</summary>
internal enum PowerPhase
{
    /// <summary>The machine is to be switched off.</summary>
    SwitchOff,

    /// <summary>It was told to; it is not off yet.</summary>
    AwaitOff,

    /// <summary>It is off.</summary>
    Off,

    /// <summary>It was let go; it is not on yet.</summary>
    AwaitOn,
}

/// <summary>How an action ended.</summary>
internal sealed record ActionResult(ActionOutcome Outcome, string Message)
{
    /// <summary>When a new boot ID was first seen, or null.</summary>
    public DateTimeOffset? RebootedAt { get; init; }
}

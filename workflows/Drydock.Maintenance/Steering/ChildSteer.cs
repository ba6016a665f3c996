namespace Drydock.Maintenance.Steering;

/// <summary>Payload of <see cref="ChildEvents.Steer"/>: what the maintenance obeyed, with the instant all its parts count from.</summary>
/// <param name="Kind">What is wanted.</param>
/// <param name="At">When the maintenance obeyed it.</param>
internal sealed record ChildSteer(SteerKind Kind, DateTimeOffset At)
{
    /// <summary>Extend: which deadline moves; a part that has another keeps it.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Extend: where to.</summary>
    public DateTimeOffset? To { get; init; }
}

/// <summary>A deadline, and since when it does not run. Pure.</summary>
internal sealed record SteeredDeadline(DateTimeOffset Deadline, DateTimeOffset? SuspendedAt)
{
    /// <summary>It does not run, and nothing new is begun.</summary>
    public bool IsSuspended => SuspendedAt is not null;

    /// <summary>It has passed.</summary>
    public bool IsOver(DateTimeOffset now) => !IsSuspended && now >= Deadline;

    /// <summary>How it stands after that.</summary>
    public SteeredDeadline After(ChildSteer steer) => steer switch
    {
        { Kind: SteerKind.Suspend } => this with { SuspendedAt = SuspendedAt ?? steer.At },
        { Kind: SteerKind.Resume } when SuspendedAt is { } since => new(Deadline + (steer.At - since), null),
        { Kind: SteerKind.Extend, To: { } to } when steer.From == Deadline => this with { Deadline = to },
        _ => this,
    };
}

/// <summary>
/// What a part of a maintenance hears of it. An event that somebody waited for is not handed to the next generation: it is taken before
/// one continues as new.
/// </summary>
internal sealed class SteerInbox(TaskOrchestrationContext context)
{
    private Task<ChildSteer> _next = context.WaitForExternalEvent<ChildSteer>(ChildEvents.Steer);

    /// <summary>Completed if there is something to take.</summary>
    public Task News => _next;

    /// <summary>Takes all that has come, in order; nothing, in a maintenance that nobody steers.</summary>
    public async Task<IReadOnlyList<ChildSteer>> TakeAsync()
    {
        List<ChildSteer> taken = [];
        while (_next.IsCompleted)
        {
            taken.Add(await _next);
            _next = context.WaitForExternalEvent<ChildSteer>(ChildEvents.Steer);
        }

        return taken;
    }

    /// <summary>Takes all that has come; how the deadline stands then.</summary>
    public async Task<SteeredDeadline> TakeAsync(SteeredDeadline before) =>
        (await TakeAsync()).Aggregate(before, static (deadline, steer) => deadline.After(steer));
}

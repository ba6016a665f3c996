using Drydock.Maintenance.Steering;

namespace Drydock.Maintenance.Drain;

/// <summary>What a drain does when its maintenance is suspended, resumed or extended. Pure.</summary>
internal static class DrainSteering
{
    /// <summary>
    /// The drain after that: resumed, its deadline and those of its pods have moved by the time it was suspended; extended, by what it was
    /// given.
    /// </summary>
    public static (DrainInput Input, DrainState State) After(IReadOnlyList<ChildSteer> steers, DrainInput input, DrainState state)
    {
        foreach (var steer in steers)
        {
            var after = new SteeredDeadline(input.Deadline, state.SuspendedAt).After(steer);
            var moved = after.Deadline - input.Deadline;
            var isLonger = steer.Kind == SteerKind.Extend && moved > TimeSpan.Zero;
            input = input with { Deadline = after.Deadline };
            state = state with
            {
                SuspendedAt = after.SuspendedAt,
                Pods = moved == TimeSpan.Zero ? state.Pods : [.. state.Pods.Select(pod => pod with { Deadline = pod.Deadline + moved })],

                // One that was late before it was given longer is late no more, if that is enough.
                IsOverdue = state.IsOverdue && !isLonger,
                IsForced = state.IsForced && !isLonger,
            };
        }

        return (input, state);
    }
}

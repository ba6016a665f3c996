using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>
/// When an activity that was handed out is given up: a while after the hand-out, or after its last heartbeat. The limits are tags of the
/// call, so that they survive in every store and every SDK carries them.
/// </summary>
internal sealed class ActivityDeadline(TimeSpan? startToClose, TimeSpan? heartbeat, DateTime now)
{
    private readonly DateTime? _close = now + startToClose;
    private DateTime? _beat = now + heartbeat;

    /// <summary>When it is given up.</summary>
    public DateTime Due => (_close, _beat) switch
    {
        ({ } close, { } beat) => close < beat ? close : beat,
        var (close, beat) => close ?? beat ?? DateTime.MaxValue,
    };

    /// <summary>The limits of a call; null if it has none.</summary>
    public static ActivityDeadline? Of(ActivityRequest request, DateTime now)
    {
        var startToClose = Read(request, ActivityLimits.StartToCloseTag);
        var heartbeat = Read(request, ActivityLimits.HeartbeatTag);
        return startToClose is null && heartbeat is null ? null : new ActivityDeadline(startToClose, heartbeat, now);
    }

    /// <summary>A heartbeat came.</summary>
    public void Beat(DateTime at) => _beat = at + heartbeat;

    /// <summary>Why it is given up, for people.</summary>
    public string Explain(DateTime at) => at >= _close
        ? $"The activity did not end within {startToClose} of its start."
        : $"The activity gave no sign of life for {heartbeat}.";

    private static TimeSpan? Read(ActivityRequest request, string tag) =>
        request.Tags.TryGetValue(tag, out var text) && TimeSpan.TryParse(text, out var limit) && limit > TimeSpan.Zero ? limit : null;
}

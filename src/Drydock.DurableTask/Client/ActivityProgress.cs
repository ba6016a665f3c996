using Grpc.Core;

namespace Drydock.DurableTask.Client;

/// <summary>An activity that has no result yet, and how far it has come.</summary>
/// <param name="activity">What the hub knows of it.</param>
/// <param name="converter">Reads what its heartbeats said.</param>
public sealed class ActivityProgress(OpenActivity activity, DataConverter converter)
{
    /// <summary>Which step of its orchestration it is.</summary>
    public int TaskId => activity.TaskId;

    /// <summary>The activity.</summary>
    public TaskName Name => activity.Name;

    /// <summary>When its last heartbeat with a progress came; null if none did.</summary>
    public DateTimeOffset? ReportedAt => activity.ProgressAt;

    /// <summary>What that heartbeat said, in whichever attempt; the default if none did.</summary>
    public T? ReadProgressAs<T>() => activity.SerializedProgress is { } progress ? converter.Deserialize<T>(progress) : default;
}

/// <summary>What Drydock's hubs tell beyond the official surface; of another client or hub all of it says nothing.</summary>
public static class ActivityProgressExtensions
{
    /// <summary>
    /// The activities of an orchestration that have no result yet, with what their last heartbeats said
    /// (<see cref="TaskActivityContextExtensions.HeartbeatAsync"/>): whichever server runs them, and also while none does.
    /// </summary>
    public static async Task<IReadOnlyList<ActivityProgress>> GetActivityProgressAsync(
        this DurableTaskClient client, string instanceId, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        if (client is not TaskHubClient { Extensions: { } extensions } ours)
        {
            return [];
        }

        try
        {
            var open = await extensions.GetOpenActivitiesAsync(instanceId, cancellation);
            return [.. open.Select(activity => new ActivityProgress(activity, ours.Converter))];
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.Unimplemented)
        {
            return [];
        }
    }
}

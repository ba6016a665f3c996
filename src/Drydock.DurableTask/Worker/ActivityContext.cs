using Drydock.DurableTask.Protobuf;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.Worker;

/// <summary>What an activity knows about its call, and its line to the hub.</summary>
internal sealed class ActivityContext(
    ActivityRequest request, string completionToken, ITaskHub hub, DataConverter converter, CancellationTokenSource end, ILogger logger)
    : TaskActivityContext, ICancellableActivityContext
{
    public override TaskName Name { get; } = request.Name;

    public override string InstanceId { get; } = request.OrchestrationInstance.InstanceId;

    public override string Version { get; } = request.Version ?? string.Empty;

    public CancellationToken CancellationToken { get; } = end.Token;

    public async Task HeartbeatAsync(object? progress)
    {
        if (hub is not ITaskHubExtensions extensions || CancellationToken.IsCancellationRequested)
        {
            return;
        }

        try
        {
            if (!await extensions.HeartbeatActivityAsync(completionToken, converter.Serialize(progress), CancellationToken))
            {
                await end.CancelAsync();
            }
        }
        catch (TaskHubException refusal)
        {
            // The hub is away, or knows no heartbeats; if it is away for long, it gives the activity up by itself.
            Log.HeartbeatLost(logger, refusal, request.Name, InstanceId);
        }
        catch (OperationCanceledException)
        {
            // The activity is to end; its token says so.
        }
    }

    public T? GetProgress<T>() =>
        request.Tags.TryGetValue(ActivityLimits.ProgressTag, out var progress) ? converter.Deserialize<T>(progress) : default;
}

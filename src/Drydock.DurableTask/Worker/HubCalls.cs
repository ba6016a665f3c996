using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.Worker;

/// <summary>Calls that must reach the hub although it is away for a while.</summary>
internal sealed class HubCalls(TimeProvider clock, ILogger logger)
{
    private const int MaximumAttempts = 10;
    private static readonly TimeSpan _firstDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan _longestDelay = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Calls until the hub has answered. A hub that is away is called for as long as it takes: what was done is told when it is back, and if
    /// it was given to somebody else meanwhile, the hub says so. One that answers with another fault is called ten times.
    /// </summary>
    /// <exception cref="TaskHubException">The hub refused.</exception>
    public Task CallAsync(Func<CancellationToken, Task> call, CancellationToken cancellationToken) =>
        CallAsync(call, static status => status == StatusCode.Unavailable, cancellationToken);

    private async Task CallAsync(Func<CancellationToken, Task> call, Func<StatusCode, bool> isForAsLongAsItTakes, CancellationToken cancellationToken)
    {
        var delay = _firstDelay;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await call(cancellationToken);
                return;
            }
            catch (TaskHubException refusal) when (
                isForAsLongAsItTakes(refusal.Status) || (IsTransient(refusal.Status) && attempt < MaximumAttempts))
            {
                Log.HubCallRetried(logger, refusal, attempt);
            }

            await Task.Delay(delay, clock, cancellationToken);
            delay = delay * 2 > _longestDelay ? _longestDelay : delay * 2;
        }
    }

    /// <summary>
    /// Gives an item back, with ten attempts: one that the hub believes to be here would wait until the stream ends, which is when the hub
    /// takes it back if all of that fails.
    /// </summary>
    public async Task AbandonAsync(Func<CancellationToken, Task> abandon, CancellationToken cancellationToken)
    {
        try
        {
            await CallAsync(abandon, static _ => false, cancellationToken);
        }
        catch (Exception exception)
        {
            Log.AbandonFailed(logger, exception);
        }
    }

    private static bool IsTransient(StatusCode status) =>
        status is StatusCode.Unavailable or StatusCode.Unknown or StatusCode.DeadlineExceeded or StatusCode.Internal;
}

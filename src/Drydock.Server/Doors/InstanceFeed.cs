using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Drydock.Operator;

namespace Drydock.Server;

/// <summary>Tells which instances changed: from the hub's own feed, or by a tick a second from a hub that has none.</summary>
internal sealed class InstanceFeed(ITaskHub hub, TimeProvider clock) : IInstanceFeed
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    // A change between the read and the start of the feed would otherwise be seen at the next change only.
    private static readonly TimeSpan Resync = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public async IAsyncEnumerable<string?> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (hub is ITaskHubExtensions extensions)
        {
            await foreach (var id in extensions.WatchInstancesAsync(cancellationToken))
            {
                yield return id;
            }
        }

        while (true)
        {
            await Task.Delay(Poll, clock, cancellationToken);
            yield return null;
        }
    }

    /// <summary>
    /// Yields whenever a maintenance or one of its parts may have changed: at once, after each change, and every few seconds.
    /// Changes while the caller is busy are one. Never ends by itself.
    /// </summary>
    public async IAsyncEnumerable<bool> WakeUpsAsync(string id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        var pump = PumpAsync(id, signal.Writer, stop.Token);
        try
        {
            while (true)
            {
                yield return true;
                using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                var changed = signal.Reader.ReadAsync(wait.Token).AsTask();
                await Task.WhenAny(changed, Task.Delay(Resync, clock, wait.Token));
                cancellationToken.ThrowIfCancellationRequested();
                if (changed.IsFaulted)
                {
                    await changed;
                }

                await wait.CancelAsync();
            }
        }
        finally
        {
            await stop.CancelAsync();
            await pump;
        }
    }

    private async Task PumpAsync(string id, ChannelWriter<bool> signal, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var changed in WatchAsync(cancellationToken))
            {
                if (changed is null || (changed.StartsWith(id, StringComparison.Ordinal) && (changed.Length == id.Length || changed[id.Length] == ':')))
                {
                    signal.TryWrite(true);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            signal.TryComplete();
        }
        catch (Exception error)
        {
            signal.TryComplete(error);
        }
    }
}

using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Drydock.Api;
using Drydock.Operator;

namespace Drydock.Server;

/// <summary>Tells which instances changed: from the hub's own feed, or by a tick a second from a hub that has none.</summary>
internal sealed class InstanceFeed(ITaskHub hub, TimeProvider clock) : IInstanceFeed
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    // Once in that time at most, however much changes.
    private static readonly TimeSpan LeastPause = TimeSpan.FromMilliseconds(200);

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

    /// <summary>Yields a subject as it stands and whenever it looks different; ends when it is over, or gone.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="find">Reads it; null: there is none of that id.</param>
    /// <param name="isOver">It will not change any more.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<T> FollowAsync<T>(
        string id, Func<string, CancellationToken, Task<T?>> find, Func<T, bool> isOver, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        string? last = null;
        await foreach (var _ in WakeUpsAsync(id, cancellationToken))
        {
            if (await find(id, cancellationToken) is not { } view)
            {
                yield break;
            }

            var text = JsonSerializer.Serialize(view, ApiJson.Options);
            if (text != last)
            {
                last = text;
                yield return view;
            }

            if (isOver(view))
            {
                yield break;
            }

            await Task.Delay(LeastPause, clock, cancellationToken);
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

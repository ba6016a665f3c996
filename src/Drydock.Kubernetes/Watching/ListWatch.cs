using System.Text.Json;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;
using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes.Watching;

/// <summary>What a list-and-watch tells.</summary>
/// <typeparam name="T">What is kept of an object of a list.</typeparam>
internal interface IListWatchSink<T>
{
    /// <summary>What is kept of an object of a list that is being read; that list may still break.</summary>
    T Read(JsonElement item);

    /// <summary>All there is now; empty too if the type is not served.</summary>
    void Listed(IReadOnlyList<T> items);

    /// <summary>One object was added, changed or deleted.</summary>
    void Changed(WatchEvent change);
}

/// <summary>
/// Lists, then watches from there, for ever: a closed or dropped watch goes on where it was, an expired one lists again, a silent one is
/// taken for dead. It never gives up; who stops it cancels it.
/// </summary>
internal sealed partial class ListWatch<T>(ApiClient api, Resource resource, string? selector, IListWatchSink<T> sink, ILogger logger)
{
    /// <summary>The server ends the watch after this. Most send a bookmark every minute until then; of a type that nobody touched some send none.</summary>
    private static readonly TimeSpan WatchTime = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(150);
    private static readonly TimeSpan NotServedDelay = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(15);

    /// <summary>Where the watch goes on; null lists again.</summary>
    private string? _version;

    private int _failures;

    private volatile bool _isLive;

    /// <summary>A watch is open: what it told is what the server had a moment ago.</summary>
    public bool IsLive => _isLive;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        api.Watches.Begin(this, resource);
        try
        {
            await GoOnAsync(cancellationToken);
        }
        finally
        {
            api.Watches.End(this);
        }
    }

    private async Task GoOnAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var delay = TimeSpan.Zero;
            try
            {
                delay = _version is null && !await ListAsync(cancellationToken) ? NotServedDelay : await FollowAsync(cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // The border of the loop: whatever it was, the next list or watch tells the truth.
                delay = Failed(exception);
            }

            await WaitAsync(delay, cancellationToken);
        }
    }

    private async Task<bool> ListAsync(CancellationToken cancellationToken)
    {
        var list = await api.ListAsync(resource, @namespace: null, selector, sink.Read, cancellationToken);
        sink.Listed(list?.Items ?? []);
        api.Watches.Heard(this);
        _version = list?.ResourceVersion;
        return list is not null;
    }

    /// <summary>Follows the watch to its end; returns how long to wait before the next.</summary>
    private async Task<TimeSpan> FollowAsync(CancellationToken cancellationToken)
    {
        var query = $"watch=true&allowWatchBookmarks=true&timeoutSeconds={(int)WatchTime.TotalSeconds}&resourceVersion={_version}"
            + (selector is null ? "" : "&" + selector);
        using var watch = await api.OpenWatchAsync(new ApiCall("watch", resource) { Query = query }, cancellationToken);
        api.Watches.Heard(this);
        var since = api.Clock.GetTimestamp();
        using var silence = new CancellationTokenSource(LongestSilence, api.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, silence.Token);
        var lines = 0;
        _isLive = true;
        try
        {
            while (await watch.ReadAsync(either.Token) is { } change)
            {
                silence.CancelAfter(LongestSilence);
                lines++;
                _failures = 0;
                api.Watches.Heard(this);
                if (change.Type == "ERROR")
                {
                    return Ended(change.Object);
                }

                _version = change.Object.ResourceVersion() is { Length: > 0 } version ? version : _version;
                if (change.Type != "BOOKMARK")
                {
                    sink.Changed(change);
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Silent for too long: a connection can be dead without either end knowing.
            return TimeSpan.Zero;
        }
        finally
        {
            _isLive = false;
            if (api.Clock.GetElapsedTime(since) >= LongestDelay)
            {
                // A server that opens watches and has nothing to tell is no failing one.
                _failures = 0;
            }
        }

        // A server that closes every watch at once must not be asked in a tight loop.
        return lines == 0 ? FirstDelay : TimeSpan.Zero;
    }

    private TimeSpan Ended(JsonElement status)
    {
        _version = null;
        if (status.Number("code") == 410)
        {
            return TimeSpan.Zero;
        }

        LogBroken(resource.Plural, status.Text("message") ?? "");
        return FirstDelay;
    }

    private TimeSpan Failed(Exception exception)
    {
        // After a mere break the watch goes on where it was; anything else, an event that cannot be read too, is answered by a new list.
        if (exception is not (IOException or HttpRequestException
            or ClusterException { Kind: ClusterErrorKind.Unreachable or ClusterErrorKind.Throttled }))
        {
            _version = null;
        }

        api.Watches.Broke(this, exception.Message);
        if (++_failures == 1)
        {
            LogBroken(resource.Plural, exception.Message);
        }

        if (exception is ClusterException { Code: 410 })
        {
            return TimeSpan.Zero;
        }

        var backOff = FirstDelay * Math.Pow(2, Math.Min(_failures - 1, 10));
        var asked = (exception as ClusterException)?.RetryAfter ?? TimeSpan.Zero;
        return asked > backOff ? asked : backOff < LongestDelay ? backOff : LongestDelay;
    }

    private async Task WaitAsync(TimeSpan delay, CancellationToken cancellationToken)
    {
        if (delay > TimeSpan.Zero)
        {
            await Task.Delay(delay, api.Clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(3201, LogLevel.Warning, "The watch of {Resource} broke and is taken up again: {Why}")]
    private partial void LogBroken(string resource, string why);
}

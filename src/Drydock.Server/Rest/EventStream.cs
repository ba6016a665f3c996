using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Drydock.Server.Rest;

/// <summary>
/// Live progress as server-sent events. Each event is the whole state and its id the version of it, so a client that comes back needs nothing
/// that it missed, and gets nothing that it has. A stream ends when the subject is over, the caller goes or may not look any more, or the server
/// stops.
/// </summary>
internal static class EventStream
{
    // Proxies take a stream that says nothing for a minute for dead, and a client that is gone without a word is noticed by what it does not take.
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(20);

    /// <summary>
    /// The caller has all there will ever be: 204, after which a browser does not ask again (HTML, server-sent events). A stream that just ended
    /// would be asked for for ever.
    /// </summary>
    public static bool IsKnown(object view, bool isOver, string? lastEventId) => isOver && Versions.Of(view) == lastEventId;

    /// <summary>A stream of these views.</summary>
    /// <param name="context">The request.</param>
    /// <param name="type">The type of the events.</param>
    /// <param name="lastEventId">The version that the caller has, or null.</param>
    /// <param name="watch">The views, each when something has changed.</param>
    public static ServerSentEventsResult<T> Of<T>(HttpContext context, string type, string? lastEventId, Func<CancellationToken, IAsyncEnumerable<T>> watch)
        where T : class
    {
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.ServerSentEvents(StreamAsync(context, type, lastEventId, watch, context.RequestAborted));
    }

    private static async IAsyncEnumerable<SseItem<T>> StreamAsync<T>(
        HttpContext context, string type, string? lastEventId, Func<CancellationToken, IAsyncEnumerable<T>> watch, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        var clock = context.RequestServices.GetRequiredService<TimeProvider>();
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping);
        var revoked = EndWhenRevokedAsync(context, stop);
        await using var views = watch(stop.Token).GetAsyncEnumerator(stop.Token);
        var next = NextAsync(views, stop.Token);
        try
        {
            while (true)
            {
                if (!await IsThereInTimeAsync(next, clock, stop.Token))
                {
                    yield return new SseItem<T>(null!, "heartbeat");
                    continue;
                }

                if (!await next)
                {
                    break;
                }

                var version = Versions.Of(views.Current);
                if (version != lastEventId)
                {
                    yield return new SseItem<T>(views.Current, type) { EventId = version };
                }

                next = NextAsync(views, stop.Token);
            }
        }
        finally
        {
            // A caller who goes while nothing happens leaves a view that is still waited for, and what is waited for cannot be disposed.
            await stop.CancelAsync();
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await revoked;
        }
    }

    /// <summary>A stream may last for days: its caller must not look longer than he may.</summary>
    private static async Task EndWhenRevokedAsync(HttpContext context, CancellationTokenSource stop)
    {
        try
        {
            await context.RequestServices.GetRequiredService<AccessGate>().WhenRevokedAsync(context, stop.Token);
            await stop.CancelAsync();
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The stream ended by itself.
        }
    }

    private static async Task<bool> IsThereInTimeAsync(Task next, TimeProvider clock, CancellationToken stop)
    {
        using var passed = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var first = await Task.WhenAny(next, Task.Delay(Heartbeat, clock, passed.Token));
        await passed.CancelAsync();
        return first == next || stop.IsCancellationRequested;
    }

    private static async Task<bool> NextAsync<T>(IAsyncEnumerator<T> views, CancellationToken stop)
    {
        try
        {
            return await views.MoveNextAsync();
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The client went, or the server stops: the stream just ends.
            return false;
        }
    }
}

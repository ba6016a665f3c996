using System.Buffers;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>Watches: what is there, then every change, with bookmarks, until the time is up.</summary>
internal sealed class Watches(IObjectStore store, Rendering rendering, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan _bookmarkPeriod = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(30);
    private long _undelivered;
    private CancellationTokenSource _drop = new();

    /// <summary>Events that a watch has to deliver and its client has not taken.</summary>
    public long Undelivered => Interlocked.Read(ref _undelivered);

    /// <summary>Ends all watches at once, as a restart of the API server does.</summary>
    public void DropAll()
    {
        using var dropped = Interlocked.Exchange(ref _drop, new CancellationTokenSource());
        dropped.Cancel();
    }

    public void Dispose()
    {
        _drop.Cancel();
        _drop.Dispose();
    }

    public ApiAnswer Open(ApiRequest request, ResourceRequest path, ServedType served)
    {
        var options = ListOptions.Parse(request, watch: true);
        var version = options.Version(watch: true);
        var selectors = Selectors.Parse(served.Type, path, request["labelSelector"], request["fieldSelector"]);
        var watch = new Watch(this, store, rendering, time, served, path.Namespace, selectors, Accept.Of(request.Accept).Form, options, request.IsTrue("allowWatchBookmarks"));
        var length = int.TryParse(request["timeoutSeconds"], out var seconds) && seconds > 0 ? TimeSpan.FromSeconds(seconds) : _longest;

        try
        {
            watch.Begin(version);
        }
        catch (ApiException refusal) when (refusal.Code == 410)
        {
            // The watch itself is accepted; its only event says why it is over.
            watch.Fail(refusal);
        }

        return new ApiAnswer(200, "application/json", default) { Stream = (write, cancelled) => watch.RunAsync(length, write, cancelled) };
    }

    /// <summary>An object that left the selection is shown as it was last selected, at the version of the change.</summary>
    private static StoredObject Left(Change change)
    {
        var last = change.Before!.Copy();
        last.Child("metadata")["resourceVersion"] = change.ResourceVersion.ToString();

        return new StoredObject(last);
    }

    private sealed class Watch(
        Watches owner, IObjectStore store, Rendering rendering, TimeProvider time, ServedType served, string? @namespace, Selectors selectors, Form form, ListOptions options, bool bookmarks)
    {
        // What is sent at once at most, if a client lags behind.
        private const int MostBytes = 256 * 1024;

        // An event is about a state of the store, or about an object of its own: a bookmark, a refusal.
        private readonly Channel<(string Kind, StoredObject? Stored, JsonObject? Own)> _events =
            Channel.CreateUnbounded<(string Kind, StoredObject? Stored, JsonObject? Own)>(new UnboundedChannelOptions { SingleReader = true });

        private readonly ArrayBufferWriter<byte> _lines = new(8192);

        private readonly CancellationToken _dropped = owner._drop.Token;
        private IDisposable? _subscription;
        private long _lastVersion;
        private bool _first = true;

        /// <summary>Everything from now on is queued: nothing is lost between the opening and the first read.</summary>
        public void Begin(long? version)
        {
            if (version > store.ResourceVersion)
            {
                // A version of the future: its past is not shown.
                _subscription = store.Subscribe(c => Take(c, version.Value));

                return;
            }

            if (version is null or 0 || options.SendInitialEvents)
            {
                var (items, now) = store.Snapshot(served.Type, @namespace);
                foreach (var item in items.Where(selectors.Matches))
                {
                    Enqueue("ADDED", item, null);
                }

                if (options.SendInitialEvents && bookmarks)
                {
                    Enqueue("BOOKMARK", null, Bookmark(now, initialEventsEnd: true));
                }

                version = now;
            }

            _lastVersion = version.Value;
            _subscription = store.Subscribe(version.Value, c => Take(c, 0));
        }

        public void Fail(ApiException refusal)
        {
            Enqueue("ERROR", null, Wire.Status(refusal));
            _events.Writer.TryComplete();
        }

        public async Task RunAsync(TimeSpan length, BodyWriter write, CancellationToken cancellationToken)
        {
            using var timeUp = new CancellationTokenSource(length, time);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeUp.Token, _dropped);
            var period = bookmarks ? BookmarkPeriod(length) : Timeout.InfiniteTimeSpan;
            await using var ticks = time.CreateTimer(_ => Enqueue("BOOKMARK", null, Bookmark(store.ResourceVersion)), null, period, bookmarks ? _bookmarkPeriod : period);
            try
            {
                while (await _events.Reader.WaitToReadAsync(end.Token))
                {
                    var count = TakeLines();
                    try
                    {
                        await write(_lines.WrittenMemory, end.Token);
                    }
                    finally
                    {
                        Interlocked.Add(ref owner._undelivered, -count);
                    }
                }
            }
            catch (OperationCanceledException) when (timeUp.IsCancellationRequested || _dropped.IsCancellationRequested)
            {
                // The ordinary end of a watch.
            }
            finally
            {
                _subscription?.Dispose();
                Abandon();
            }
        }

        private static TimeSpan BookmarkPeriod(TimeSpan length) =>
            length > _bookmarkPeriod ? _bookmarkPeriod : length - TimeSpan.FromSeconds(2) is var early && early > TimeSpan.Zero ? early : length;

        private void Take(Change change, long after)
        {
            if (!change.Type.Equals(served.Type)
                || change.ResourceVersion <= after
                || (@namespace is not null && change.Namespace != @namespace))
            {
                return;
            }

            var was = change.StoredBefore is not null && selectors.Matches(change.StoredBefore);
            var matches = change.Kind is not ChangeKind.Deleted && selectors.Matches(change.Stored);
            switch (was, matches)
            {
                case (false, true):
                    Enqueue("ADDED", change.Stored, null);
                    break;
                case (true, true):
                    Enqueue("MODIFIED", change.Stored, null);
                    break;
                case (true, false):
                    Enqueue("DELETED", change.Kind is ChangeKind.Deleted ? change.Stored : Left(change), null);
                    break;
            }
        }

        private void Enqueue(string kind, StoredObject? stored, JsonObject? own)
        {
            Interlocked.Increment(ref owner._undelivered);
            if (!_events.Writer.TryWrite((kind, stored, own)))
            {
                Interlocked.Decrement(ref owner._undelivered);
            }
        }

        private void Abandon()
        {
            _events.Writer.TryComplete();
            while (_events.Reader.TryRead(out _))
            {
                Interlocked.Decrement(ref owner._undelivered);
            }
        }

        /// <summary>Writes the events that wait as lines, and returns how many they were.</summary>
        private int TakeLines()
        {
            _lines.ResetWrittenCount();
            var count = 0;
            while (_lines.WrittenCount < MostBytes && _events.Reader.TryRead(out var next))
            {
                var bytes = next.Stored is { } stored ? rendering.WatchObject(form, served, stored, _first) : Wire.Bytes(next.Own);
                _first &= next.Stored is null;
                Wire.Event(_lines, next.Kind, bytes.Span);
                count++;
            }

            return count;
        }

        private JsonObject Bookmark(long version, bool initialEventsEnd = false)
        {
            _lastVersion = Math.Max(version, _lastVersion);
            var metadata = new JsonObject { ["resourceVersion"] = _lastVersion.ToString() };
            if (initialEventsEnd)
            {
                metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
            }

            return EmptyObjects.Of(served, metadata);
        }
    }
}

/// <summary>An object with nothing in it, as Go writes it: fields that are never left out are there.</summary>
internal static class EmptyObjects
{
    public static JsonObject Of(ServedType served, JsonObject metadata)
    {
        var empty = new JsonObject { ["kind"] = served.Type.Kind, ["apiVersion"] = served.ApiVersion, ["metadata"] = metadata };
        if (served.Type.IsCustom)
        {
            return empty;
        }

        switch (served.Type.GroupResource)
        {
            case "pods":
                empty["spec"] = new JsonObject { ["containers"] = null };
                empty["status"] = new JsonObject();
                break;
            case "nodes":
                empty["spec"] = new JsonObject();
                empty["status"] = new JsonObject
                {
                    ["daemonEndpoints"] = new JsonObject { ["kubeletEndpoint"] = new JsonObject { ["Port"] = 0 } },
                };
                break;
            default:
                empty["spec"] = new JsonObject();
                if (served.Type.HasStatus)
                {
                    empty["status"] = new JsonObject();
                }

                break;
        }

        return empty;
    }
}

using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;
using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes.Watching;

/// <summary>Tells the names of objects that changed, and again and again those of all; each name waits once, however often it changed.</summary>
internal sealed class NamesWatch(ApiClient api, Resource resource, ILogger logger)
{
    private static readonly TimeSpan Resync = TimeSpan.FromMinutes(10);

    public async IAsyncEnumerable<string> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var names = new PendingNames();
        var watch = new ListWatch<string>(api, resource, selector: null, names, logger).RunAsync(stop.Token);
        try
        {
            await using var resync = api.Clock.CreateTimer(_ => names.AddAll(), state: null, Resync, Resync);
            while (true)
            {
                yield return await names.TakeAsync(cancellationToken);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await watch;
        }
    }

    /// <summary>Each name waits once, however often it changed.</summary>
    private sealed class PendingNames : IListWatchSink<string>
    {
        private readonly Lock _gate = new();
        private readonly HashSet<string> _known = new(StringComparer.Ordinal);
        private readonly HashSet<string> _pending = new(StringComparer.Ordinal);
        private readonly Channel<string> _queue = Channel.CreateUnbounded<string>();

        public string Read(JsonElement item) => item.Name();

        public void Listed(IReadOnlyList<string> items)
        {
            lock (_gate)
            {
                // Those that are no longer there are told too: somebody may still hold something for them.
                var names = items.Concat(_known).ToHashSet(StringComparer.Ordinal);
                _known.Clear();
                _known.UnionWith(items);
                foreach (var name in names)
                {
                    Add(name);
                }
            }
        }

        public void Changed(WatchEvent change)
        {
            lock (_gate)
            {
                var name = change.Object.Name();
                if (change.Type == "DELETED")
                {
                    _known.Remove(name);
                }
                else
                {
                    _known.Add(name);
                }

                Add(name);
            }
        }

        public void AddAll()
        {
            lock (_gate)
            {
                foreach (var name in _known)
                {
                    Add(name);
                }
            }
        }

        public async Task<string> TakeAsync(CancellationToken cancellationToken)
        {
            var name = await _queue.Reader.ReadAsync(cancellationToken);
            lock (_gate)
            {
                _pending.Remove(name);
            }

            return name;
        }

        private void Add(string name)
        {
            if (_pending.Add(name))
            {
                _queue.Writer.TryWrite(name);
            }
        }
    }
}

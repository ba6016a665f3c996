using System.Runtime.CompilerServices;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>
/// Tells watchers which instances changed. A watcher that reads slowly gets an id once for many changes, so nobody's memory grows
/// with the number of changes.
/// </summary>
internal sealed class ChangeFeed
{
    private readonly Lock _gate = new();
    private readonly List<Watcher> _watchers = [];

    public void Publish(IEnumerable<string> instanceIds)
    {
        lock (_gate)
        {
            if (_watchers.Count == 0)
            {
                return;
            }

            foreach (var id in instanceIds)
            {
                foreach (var watcher in _watchers)
                {
                    watcher.Add(id);
                }
            }
        }
    }

    public async IAsyncEnumerable<string> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var watcher = new Watcher();
        lock (_gate)
        {
            _watchers.Add(watcher);
        }

        try
        {
            while (true)
            {
                await watcher.Signal.WaitAsync(cancellationToken);
                if (watcher.TryTake(out var id))
                {
                    yield return id;
                }
            }
        }
        finally
        {
            lock (_gate)
            {
                _watchers.Remove(watcher);
            }
        }
    }

    private sealed class Watcher : IDisposable
    {
        private readonly Lock _gate = new();
        private readonly HashSet<string> _pending = [];
        private readonly Queue<string> _order = [];

        public SemaphoreSlim Signal { get; } = new(0);

        public void Add(string id)
        {
            lock (_gate)
            {
                if (!_pending.Add(id))
                {
                    return;
                }

                _order.Enqueue(id);
            }

            Signal.Release();
        }

        public bool TryTake(out string id)
        {
            lock (_gate)
            {
                if (!_order.TryDequeue(out id!))
                {
                    return false;
                }

                return _pending.Remove(id);
            }
        }

        public void Dispose() => Signal.Dispose();
    }
}

using System.Threading.Channels;

namespace Drydock.Operator;

/// <summary>Names to reconcile, each at most once, now or later. The earlier of two times holds.</summary>
internal sealed class ReconcileQueue(TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, DateTimeOffset> _due = new(StringComparer.Ordinal);
    private readonly Channel<bool> _changed =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Asks for a reconcile after the delay.</summary>
    public void Add(string name, TimeSpan delay)
    {
        var at = clock.GetUtcNow() + delay;
        lock (_lock)
        {
            if (_due.TryGetValue(name, out var before) && before <= at)
            {
                return;
            }

            _due[name] = at;
        }

        _changed.Writer.TryWrite(true);
    }

    /// <summary>Takes the next name that is due.</summary>
    public async Task<string> TakeAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var wait = TakeDue(out var name);
            if (name is not null)
            {
                return name;
            }

            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(_changed.Reader.ReadAsync(stop.Token).AsTask(), Task.Delay(wait, clock, stop.Token));
            await stop.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private TimeSpan TakeDue(out string? name)
    {
        lock (_lock)
        {
            name = null;
            if (_due.Count == 0)
            {
                return Timeout.InfiniteTimeSpan;
            }

            var (first, at) = _due.MinBy(static entry => entry.Value);
            var wait = at - clock.GetUtcNow();
            if (wait > TimeSpan.Zero)
            {
                return wait;
            }

            _due.Remove(first);
            name = first;
            return TimeSpan.Zero;
        }
    }
}

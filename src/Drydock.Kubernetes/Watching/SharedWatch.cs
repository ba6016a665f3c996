namespace Drydock.Kubernetes.Watching;

/// <summary>A watch that runs while somebody uses it and a while longer, so that the next wait finds it running.</summary>
internal sealed class SharedWatch(Func<CancellationToken, Task> run, TimeProvider clock) : IAsyncDisposable
{
    private static readonly TimeSpan Linger = TimeSpan.FromMinutes(5);
    private readonly Lock _gate = new();
    private CancellationTokenSource? _stop;
    private Task _running = Task.CompletedTask;
    private ITimer? _idle;
    private int _users;
    private bool _disposed;

    public void Enter()
    {
        lock (_gate)
        {
            _users++;
            _idle?.Dispose();
            _idle = null;
            if (_stop is null && !_disposed)
            {
                var stop = _stop = new CancellationTokenSource();
                var before = _running;
                _running = Task.Run(
                    async () =>
                    {
                        await before;
                        await run(stop.Token);
                    },
                    CancellationToken.None);
            }
        }
    }

    public void Leave()
    {
        lock (_gate)
        {
            if (--_users == 0 && !_disposed)
            {
                _idle = clock.CreateTimer(_ => StopIfIdle(), state: null, Linger, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _disposed = true;
            Stop();
        }

        await _running;
    }

    private void StopIfIdle()
    {
        lock (_gate)
        {
            if (_users == 0)
            {
                Stop();
            }
        }
    }

    private void Stop()
    {
        _idle?.Dispose();
        _idle = null;
        _stop?.Cancel();
        _stop = null;
    }
}

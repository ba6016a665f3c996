namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>
/// Whether this process is the one that acts for all: the oldest of those that are there, for as long as it knows that its lease holds.
/// </summary>
internal sealed class Leadership : IDisposable
{
    private readonly Lock _gate = new();
    private readonly ITimer _end;
    private TaskCompletionSource<CancellationToken> _begins = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource? _term;

    public Leadership() => _end = TimeProvider.System.CreateTimer(_ => Set(leads: false, TimeSpan.Zero), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    /// <summary>Returns when it leads; the token is cancelled when it does not any more.</summary>
    public Task<CancellationToken> LeadAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return _begins.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>It leads or does not; if nothing else is said, not for longer than the time left of its lease.</summary>
    public void Set(bool leads, TimeSpan left)
    {
        CancellationTokenSource? over = null;
        lock (_gate)
        {
            if (leads && _term is null)
            {
                _term = new CancellationTokenSource();
                _begins.TrySetResult(_term.Token);
            }
            else if (!leads && _term is not null)
            {
                (over, _term) = (_term, null);
                _begins = new TaskCompletionSource<CancellationToken>(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            _end.Change(leads ? left : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        // Not disposed: whoever acted may still be linking to its token.
        over?.Cancel();
    }

    public void Dispose()
    {
        Set(leads: false, TimeSpan.Zero);
        _end.Dispose();
    }
}

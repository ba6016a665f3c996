namespace Drydock.Maintenance.Steering;

/// <summary>A timer for a deadline that may move: set anew only when it has moved.</summary>
internal sealed class DeadlineTimer(TaskOrchestrationContext context) : IDisposable
{
    private CancellationTokenSource? _woken;
    private DateTimeOffset? _at;
    private Task? _timer;

    /// <summary>To wait for; none without a deadline.</summary>
    public IReadOnlyList<Task> Tasks => _timer is null ? [] : [_timer];

    /// <summary>Sets the deadline; the same as before changes nothing.</summary>
    public void Set(DateTimeOffset? at)
    {
        if (at == _at)
        {
            return;
        }

        Dispose();
        if (at is { } moment)
        {
            _woken = new CancellationTokenSource();
            _timer = context.CreateTimer(moment, _woken.Token);
        }

        _at = at;
    }

    /// <summary>It has fired, and that is the deadline still.</summary>
    public bool IsOver(DateTimeOffset? at) => _timer is { IsCompleted: true } && at == _at;

    public void Dispose()
    {
        _woken?.Cancel();
        _woken?.Dispose();
        (_woken, _timer, _at) = (null, null, null);
    }
}

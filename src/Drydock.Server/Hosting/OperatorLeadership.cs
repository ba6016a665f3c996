using Drydock.Kubernetes;
using Drydock.Operator;

namespace Drydock.Server;

/// <summary>
/// Whether this server is the one that acts on resources, by a lease in the cluster. It renews the lease all the time and stops to lead
/// well before the lease runs out: a server that cannot reach the cluster does not lead any more when another one takes over, even if
/// their clocks differ by a few seconds.
/// </summary>
internal sealed class OperatorLeadership : BackgroundService, ILeadership
{
    /// <summary>How long the lease holds without a renewal.</summary>
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Trusted = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(3);

    private readonly IOperatorLease _lease;
    private readonly TimeProvider _clock;
    private readonly ILogger<OperatorLeadership> _logger;
    private readonly string _holder = $"{Environment.MachineName}_{Guid.NewGuid():n}";
    private readonly Lock _gate = new();
    private readonly ITimer _end;
    private TaskCompletionSource<CancellationToken> _begins = New();
    private CancellationTokenSource? _term;

    public OperatorLeadership(IOperatorLease lease, TimeProvider clock, ILogger<OperatorLeadership> logger)
    {
        (_lease, _clock, _logger) = (lease, clock, logger);
        _end = clock.CreateTimer(_ => End(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public Task<CancellationToken> LeadAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return _begins.Task.WaitAsync(cancellationToken);
        }
    }

    public override void Dispose()
    {
        _end.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await AskAsync(stoppingToken);
            await Task.Delay(Pause, _clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        End();
        await ReleaseAsync();
    }

    private async Task AskAsync(CancellationToken stoppingToken)
    {
        var asked = _clock.GetTimestamp();
        try
        {
            var lease = await _lease.AcquireAsync(_holder, Duration, stoppingToken);
            if (lease.IsOurs)
            {
                Extend(Trusted - _clock.GetElapsedTime(asked));
            }
            else
            {
                End();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end that was asked for.
        }
        catch (ClusterException error)
        {
            _logger.LogWarning("The lease of the operator could not be renewed; it is tried again: {Reason}", error.Message);
        }
    }

    // Whoever comes next need not wait until the lease runs out.
    private async Task ReleaseAsync()
    {
        using var limit = new CancellationTokenSource(Farewell, _clock);
        try
        {
            await _lease.ReleaseAsync(_holder, limit.Token);
        }
        catch (Exception error) when (error is ClusterException or OperationCanceledException)
        {
            _logger.LogWarning("The lease of the operator could not be given back; it runs out by itself: {Reason}", error.Message);
        }
    }

    private void Extend(TimeSpan left)
    {
        if (left <= TimeSpan.Zero)
        {
            End();
            return;
        }

        lock (_gate)
        {
            if (_term is null)
            {
                _term = new CancellationTokenSource();
                _begins.TrySetResult(_term.Token);
            }

            _end.Change(left, Timeout.InfiniteTimeSpan);
        }
    }

    private void End()
    {
        CancellationTokenSource? over;
        lock (_gate)
        {
            (over, _term) = (_term, null);
            if (over is not null)
            {
                _begins = New();
            }

            _end.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        // Not disposed: whoever acts may still be linking to its token.
        over?.Cancel();
    }

    private static TaskCompletionSource<CancellationToken> New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.Operator;

/// <summary>Brings one object of a kind and its instance into step. May run any number of times.</summary>
internal interface IReconciler
{
    /// <summary>The kind, for messages.</summary>
    string Kind { get; }

    /// <summary>The names to reconcile: all at the start, each that changed or went, all again every now and then. Never ends by itself.</summary>
    IAsyncEnumerable<string> WatchAsync(CancellationToken cancellationToken);

    /// <summary>Reads both sides and does what is missing.</summary>
    Task<ReconcileResult> ReconcileAsync(string name, CancellationToken cancellationToken);

    /// <summary>Ends every instance that was started for an object which is not there any more.</summary>
    Task EndOrphansAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Keeps instances and the objects of one kind in step. Level-triggered: each reconcile reads both sides afresh, so missed events,
/// restarts and duplicates change nothing.
/// </summary>
internal sealed class ResourceOperator(
    IReconciler reconciler, OtherOperator? other, IInstanceFeed feed, TimeProvider clock, ILogger<ResourceOperator> logger, ILeadership? leadership = null)
    : BackgroundService
{
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(30);

    private readonly ReconcileQueue _queue = new(clock);
    private readonly ConcurrentDictionary<string, string> _nameByInstance = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TimeSpan> _retry = new(StringComparer.Ordinal);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                if (other is not null)
                {
                    await other.WaitUntilGoneAsync(stoppingToken);
                }

                await LeadAsync(stoppingToken);
                logger.LogInformation("{Kind} resources are left to another.", reconciler.Kind);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end that was asked for. A host that is disposed without a stop would take it for a fault.
        }
    }

    /// <summary>Acts for as long as this server is the one that does and no other operator is there; the next one reads everything afresh.</summary>
    private async Task LeadAsync(CancellationToken stoppingToken)
    {
        var leads = leadership is null ? CancellationToken.None : await leadership.LeadAsync(stoppingToken);
        using var term = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, leads);
        try
        {
            await Task.WhenAll(WatchResourcesAsync(term.Token), WatchInstancesAsync(term.Token), ReconcileAsync(term.Token), YieldAsync(term));
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            // The term is over, not the process.
        }
    }

    private async Task YieldAsync(CancellationTokenSource term)
    {
        if (other is not null)
        {
            await other.WaitUntilThereAsync(term.Token);
            await term.CancelAsync();
        }
    }

    private async Task WatchResourcesAsync(CancellationToken stoppingToken)
    {
        await foreach (var name in reconciler.WatchAsync(stoppingToken))
        {
            _queue.Add(name, TimeSpan.Zero);
        }
    }

    private async Task WatchInstancesAsync(CancellationToken stoppingToken)
    {
        await foreach (var changed in feed.WatchAsync(stoppingToken))
        {
            if (changed is null)
            {
                foreach (var name in _nameByInstance.Values)
                {
                    _queue.Add(name, Settle);
                }
            }
            else if (_nameByInstance.TryGetValue(RootOf(changed), out var name))
            {
                // Progress comes in bursts: one write of the status for all that changed within the pause.
                _queue.Add(name, Settle);
            }
        }
    }

    private async Task ReconcileAsync(CancellationToken stoppingToken)
    {
        await ReconcileOneAsync("(all)", reconciler.EndOrphansAsync, stoppingToken);
        while (true)
        {
            var name = await _queue.TakeAsync(stoppingToken);
            await ReconcileOneAsync(name, token => ReconcileAsync(name, token), stoppingToken);
        }
    }

    private async Task ReconcileAsync(string name, CancellationToken cancellationToken)
    {
        var result = await reconciler.ReconcileAsync(name, cancellationToken);
        foreach (var gone in _nameByInstance.Where(entry => entry.Value == name && entry.Key != result.InstanceId).ToList())
        {
            _nameByInstance.TryRemove(gone);
        }

        if (result.InstanceId is { } instance)
        {
            _nameByInstance[instance] = name;
        }

        if (result.Again is { } delay)
        {
            _queue.Add(name, delay);
        }
    }

    private async Task ReconcileOneAsync(string name, Func<CancellationToken, Task> reconcile, CancellationToken stoppingToken)
    {
        try
        {
            await reconcile(stoppingToken);
            _retry.Remove(name);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception error)
        {
            // The border of the loop: whatever went wrong with one resource, the others go on and this one is tried again.
            var delay = _retry.TryGetValue(name, out var before) ? TimeSpan.FromTicks(Math.Min(before.Ticks * 2, LastRetry.Ticks)) : FirstRetry;
            _retry[name] = delay;
            logger.LogWarning(error, "{Kind} {Name} could not be reconciled; next try in {Delay}.", reconciler.Kind, name, delay);
            _queue.Add(name, delay);
        }
    }

    private static string RootOf(string instance) => instance.Split(':', 2)[0];
}

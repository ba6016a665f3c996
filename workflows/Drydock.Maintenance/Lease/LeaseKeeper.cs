namespace Drydock.Maintenance.Lease;

/// <summary>
/// The part of a maintenance that keeps its lease: kept going, and heard. Without it the lease lapses and somebody else may take the node.
/// </summary>
internal sealed class LeaseKeeper(TaskOrchestrationContext context, MaintenanceProgress progress)
{
    // Its last renewal may be long ago when it is started again: it is asked for at once.
    private readonly PartKeeper<HoldLeaseInput, bool> _part = new(
        context, Orchestrations.HoldLease, InstanceIds.Lease(context.InstanceId), again: static input => input with { IsUnanswered = true }, progress.LeaseUnkept);

    private Task<LeaseNews>? _news;

    /// <summary>To wait for: each time one is completed, <see cref="BookAsync"/>. None before the start.</summary>
    public IReadOnlyList<Task> Tasks => _news is null ? [] : [_news, .. _part.Tasks];

    /// <summary>Keeps it from now on.</summary>
    public void Start(LeaseInput lease)
    {
        _news = context.WaitForExternalEvent<LeaseNews>(ChildEvents.Lease);
        _part.Start(new HoldLeaseInput(lease, context.InstanceId));
    }

    /// <summary>Books what has come, and starts the part again if it is over.</summary>
    public async Task BookAsync()
    {
        while (_news is { IsCompleted: true })
        {
            var news = await _news;
            progress.Lease(news);
            _part.NextInput(input => input with { LostTo = news.IsOurs ? null : news.Holder ?? "" });
            _news = context.WaitForExternalEvent<LeaseNews>(ChildEvents.Lease);
        }

        await _part.BookAsync();
    }

    /// <summary>Keeps it no more.</summary>
    public Task EndAsync() => _part.EndAsync();
}

namespace Drydock.Maintenance.Lease;

/// <summary>
/// The part of a maintenance that keeps its lease: started, heard, and started again if it ends before its time, be it that somebody ended
/// it or that it failed. Without it the lease lapses and somebody else may take the node.
/// </summary>
internal sealed class LeaseKeeper(TaskOrchestrationContext context, MaintenanceProgress progress)
{
    /// <summary>What fails again and again is started no more often than that.</summary>
    private static readonly TimeSpan Seldom = TimeSpan.FromMinutes(1);

    private HoldLeaseInput? _input;
    private Task<LeaseNews>? _news;
    private Task<bool>? _part;
    private Task? _again;
    private DateTimeOffset _since;

    /// <summary>To wait for: each time one is completed, <see cref="BookAsync"/>. None before the start.</summary>
    public IReadOnlyList<Task> Tasks => _news is null ? [] : [_news, _again ?? _part!];

    /// <summary>Keeps it from now on.</summary>
    public void Start(LeaseInput lease)
    {
        _news = context.WaitForExternalEvent<LeaseNews>(ChildEvents.Lease);
        Start(new HoldLeaseInput(lease, context.InstanceId));
    }

    /// <summary>Books what has come, and starts the part again if it is over.</summary>
    public async Task BookAsync()
    {
        while (_news is { IsCompleted: true })
        {
            var news = await _news;
            progress.Lease(news);
            _input = _input! with { LostTo = news.IsOurs ? null : news.Holder ?? "" };
            _news = context.WaitForExternalEvent<LeaseNews>(ChildEvents.Lease);
        }

        if (_again is { IsCompleted: true })
        {
            StartAgain();
        }
        else if (_again is null && _part is { IsCompleted: true })
        {
            progress.LeaseUnkept(await WhyAsync(_part), InstanceIds.Lease(context.InstanceId));
            if (context.Now() - _since < Seldom)
            {
                _again = context.CreateTimer(_since + Seldom, CancellationToken.None);
            }
            else
            {
                StartAgain();
            }
        }
    }

    /// <summary>Keeps it no more.</summary>
    public async Task EndAsync()
    {
        context.SendEvent(InstanceIds.Lease(context.InstanceId), ChildEvents.End, "end");
        await WhyAsync(_part!);
    }

    // Its last renewal may be long ago: it is asked for at once.
    private void StartAgain() => Start(_input! with { IsUnanswered = true });

    private void Start(HoldLeaseInput input)
    {
        (_input, _since, _again) = (input, context.Now(), null);
        _part = context.CallSubOrchestratorAsync<bool>(
            Orchestrations.HoldLease, input, new TaskOptions().WithInstanceId(InstanceIds.Lease(context.InstanceId)));
    }

    private static async Task<string> WhyAsync(Task part)
    {
        try
        {
            await part;
            return "somebody told it to end";
        }
        catch (TaskFailedException failure)
        {
            return failure.Sentence().TrimEnd('.');
        }
    }
}

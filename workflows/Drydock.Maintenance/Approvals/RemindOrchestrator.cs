using Drydock.Kubernetes;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Maintenance.Approvals;

/// <summary>What to remind of.</summary>
/// <param name="Event">The Event that is recorded on the node, again and again: it counts.</param>
/// <param name="Every">How often.</param>
internal sealed record RemindInput(NodeEvent Event, TimeSpan Every)
{
    /// <summary>It ends with its maintenance, however that ends; false in what was stored before that was looked at.</summary>
    public bool EndsWithMaintenance { get; init; }
}

/// <summary>Reminds people of what waits for them, by Events on the node, until told to end.</summary>
internal sealed class RemindOrchestrator : TaskOrchestrator<RemindInput, bool>
{
    private const int RoundsBeforeNew = 60;

    public override async Task<bool> RunAsync(TaskOrchestrationContext context, RemindInput input)
    {
        var end = context.WaitForExternalEvent<string>(ChildEvents.End);
        for (var round = 0; round < RoundsBeforeNew; round++)
        {
            using var woken = new CancellationTokenSource();
            var timer = context.CreateTimer(context.Now() + input.Every, woken.Token);
            if (await Task.WhenAny(end, timer) == end)
            {
                woken.Cancel();
                return true;
            }

            if (!input.EndsWithMaintenance)
            {
                await context.CallActivityAsync<bool>(Activities.RecordEvent, input.Event);
            }
            else if (!await context.Do<bool>(Activities.Remind, input.Event))
            {
                return false;
            }
        }

        // An end that came during the last round would be lost with this generation.
        if (end.IsCompleted)
        {
            return true;
        }

        context.ContinueAsNew(input);
        return false;
    }
}

/// <summary>Reminds once, unless the maintenance is over without having ended its reminders: false then.</summary>
internal sealed class RemindActivity(ICluster cluster, LeftRunning left) : ClusterActivity<NodeEvent, bool>
{
    protected override async Task<bool> RunAsync(NodeEvent input, CancellationToken cancellationToken)
    {
        if (await left.IsSoAsync(input.InstanceId))
        {
            return false;
        }

        await cluster.RecordEventAsync(input, cancellationToken);
        return true;
    }
}

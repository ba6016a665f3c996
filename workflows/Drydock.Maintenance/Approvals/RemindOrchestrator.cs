using Drydock.Kubernetes;

namespace Drydock.Maintenance.Approvals;

/// <summary>What to remind of.</summary>
/// <param name="Event">The Event that is recorded on the node, again and again: it counts.</param>
/// <param name="Every">How often.</param>
internal sealed record RemindInput(NodeEvent Event, TimeSpan Every);

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

            await context.CallActivityAsync<bool>(Activities.RecordEvent, input.Event);
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

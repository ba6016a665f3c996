using Drydock.Maintenance.Node;

namespace Drydock.Maintenance.Rollouts;

/// <summary>
/// Puts the node back of a maintenance that ended without doing so itself: somebody ended it by force, or it failed where it must not.
/// Its parts are ended first, so that none goes on or puts a mark on again.
/// </summary>
internal static class Abandoned
{
    /// <summary>What came of it, one sentence.</summary>
    public static async Task<string> PutBackAsync(TaskOrchestrationContext context, RunNodeInput input)
    {
        var request = input.Request;
        var node = new NodeInput(request.Node, Holder.Of(request.HubId, input.InstanceId));
        try
        {
            // From here on nothing that is still on its way changes anything but to undo.
            await context.Undo<bool>(Activities.CancelLease, node);
            await context.Undo<bool>(Activities.EndParts, input.InstanceId);
            var restored = await context.CallSubOrchestratorAsync<RestoreResult>(
                Orchestrations.Restore,
                new RestoreRequest(request.Node)
                {
                    Holder = node.Holder,
                    EvenIfRunning = true,
                    KeepNode = request.OnFailure == FailurePolicy.KeepCordoned,
                    RestartTimeout = request.VirtualMachines.RestartTimeout,
                },
                new TaskOptions().WithInstanceId(InstanceIds.PutBack(input.InstanceId)));
            await context.Undo<bool>(Activities.ReleaseLease, node);
            return restored.LeftBehind.Count > 0 ? string.Join(' ', restored.LeftBehind)
                : request.OnFailure == FailurePolicy.KeepCordoned ? $"Node {request.Node} is still cordoned and marked; 'drydock restore {request.Node}' puts it back."
                : $"Node {request.Node} was put back.";
        }
        catch (TaskFailedException failure)
        {
            return $"Node {request.Node} was not put back: {failure.Sentence().TrimEnd('.')}. Try: drydock restore {request.Node}";
        }
    }
}

/// <summary>Ends by force what a maintenance left running: its parts, whose ids begin with its own. Safe to run twice.</summary>
internal sealed class EndPartsActivity(DurableTaskClient client) : TaskActivity<string, bool>
{
    private static readonly OrchestrationRuntimeStatus[] NotOver =
        [OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running, OrchestrationRuntimeStatus.Suspended];

    public override async Task<bool> RunAsync(TaskActivityContext context, string input)
    {
        // What puts the node back begins with that too: it may have begun before a crash.
        var prefix = $"{input}:";
        await foreach (var part in client.GetAllInstancesAsync(new OrchestrationQuery(Statuses: NotOver, InstanceIdPrefix: prefix)))
        {
            if (part.InstanceId != InstanceIds.PutBack(input))
            {
                await client.TerminateInstanceAsync(part.InstanceId, $"{input} was ended.", CancellationToken.None);
            }
        }

        return true;
    }
}

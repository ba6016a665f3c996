using Drydock.Kubernetes;
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
        var keeps = request.OnFailure == FailurePolicy.KeepCordoned;
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
                    KeepNode = keeps,
                    EndsActions = keeps,
                    TellsToStay = !keeps,
                    RestartTimeout = request.VirtualMachines.RestartTimeout,
                },
                new TaskOptions().WithInstanceId(InstanceIds.PutBack(input.InstanceId)));
            var isGone = keeps && (await context.Undo<NodeReading>(Activities.ReadNode, node)).Uid is null;
            await context.Undo<bool>(Activities.ReleaseLease, node);
            return restored.LeftBehind.Count > 0 ? string.Join(' ', restored.LeftBehind)
                : isGone ? $"Node {request.Node} is gone and is not kept cordoned: one that comes back under its name takes pods."
                : keeps ? $"Node {request.Node} is still cordoned and marked, and what health checks were paused for it are so still; 'drydock restore {request.Node}' puts it back."
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
        await EndAsync(client, input);
        return true;
    }

    public static Task EndAsync(DurableTaskClient client, string input) => HubCalls.DoAsync(async () =>
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
    });
}

/// <summary>A maintenance that may have been ended without its parts.</summary>
internal sealed record LeftRunningInput(string Node, string Holder, string Maintenance);

/// <summary>
/// Ends the parts of a maintenance that is over without them: somebody ended it by force at the hub, and alone. They would drain the node, keep
/// it marked and its lease fresh for ever, and nobody could put it back. The marks stay: <c>drydock restore</c> undoes them.
/// </summary>
internal sealed class LeftRunning(ICluster cluster, DurableTaskClient client, Wakeups wakeups)
{
    /// <summary>
    /// Nobody will ever end the parts of that maintenance. False also where nobody said whose parts they are, and while one of them puts the node
    /// back: it needs the lease for that.
    /// </summary>
    /// <exception cref="HubAwayException">The hub did not say.</exception>
    public async Task<bool> IsSoAsync(string? maintenance)
    {
        var isSo = false;
        await HubCalls.DoAsync(async () => isSo = maintenance is not null && await IsOverAsync(maintenance) && await IsOverAsync(InstanceIds.Restore(maintenance)));
        return isSo;
    }

    private async Task<bool> IsOverAsync(string instance) =>
        await client.GetInstanceAsync(instance, CancellationToken.None) is null or { IsCompleted: true };

    /// <summary>Nothing of it changes anything any more, its parts end, the lease is free. Safe to run twice.</summary>
    public async Task EndAsync(LeftRunningInput input, CancellationToken cancellationToken)
    {
        await cluster.MarkLeaseCancelledAsync(input.Node, input.Holder, cancellationToken);
        await EndPartsActivity.EndAsync(client, input.Maintenance);
        await wakeups.WakeAsync(input.Node, cancellationToken);
        await cluster.ReleaseLeaseAsync(input.Node, input.Holder, cancellationToken);
    }
}

/// <summary>Ends the parts of a maintenance that is over without them.</summary>
internal sealed class EndLeftRunningActivity(LeftRunning left) : ClusterActivity<LeftRunningInput, bool>
{
    protected override async Task<bool> RunAsync(LeftRunningInput input, CancellationToken cancellationToken)
    {
        await left.EndAsync(input, cancellationToken);
        return true;
    }
}

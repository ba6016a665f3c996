using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Maintenance.Node;

/// <summary>A node whose marks are to stay.</summary>
/// <param name="Node">The node.</param>
/// <param name="Holder">Whose maintenance it is.</param>
/// <param name="Maintenance">Its instance id.</param>
/// <param name="Prior">What the node was before.</param>
/// <param name="Neighbours">The objects around it that are held too.</param>
internal sealed record HoldNodeInput(string Node, string Holder, string Maintenance, NodePrior Prior, IReadOnlyList<HeldNeighbour> Neighbours)
{
    /// <summary>Objects of that kind that come up later are held too; false in what was stored before they were looked for.</summary>
    public bool LooksForNew { get; init; }

    /// <summary>The uid of the node that was marked; null in what was stored before it was kept.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? Uid { get; init; }

    /// <summary>What was put back in earlier generations, one sentence each.</summary>
    public IReadOnlyList<string> Reasserted { get; init; } = [];

    /// <summary>From the wait before.</summary>
    public string? Cursor { get; init; }

    /// <summary>With one more sentence for the report; the oldest go when there are too many.</summary>
    public HoldNodeInput Told(string sentence) => this with { Reasserted = [.. Reasserted.TakeLast(MostSentences - 1), sentence] };

    private const int MostSentences = 20;
}

/// <summary>
/// Puts back what somebody took off the node during its maintenance: an uncordon in the middle would fill the node again. Gives the
/// sentences that say what was put back.
/// </summary>
internal sealed class HoldNodeOrchestrator : TaskOrchestrator<HoldNodeInput, IReadOnlyList<string>>
{
    private const int RoundsBeforeNew = 40;

    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);

    private bool _wasLost;

    public override async Task<IReadOnlyList<string>> RunAsync(TaskOrchestrationContext context, HoldNodeInput input)
    {
        var end = context.WaitForExternalEvent<string>(ChildEvents.End);
        for (var round = 0; round < RoundsBeforeNew; round++)
        {
            var seen = await LookAsync(context, input, end);
            if (end.IsCompleted)
            {
                return input.Reasserted;
            }

            if (seen is null)
            {
                await PauseAsync(context, end);
                continue;
            }

            if (seen.IsLeftRunning)
            {
                await context.Do<bool>(Activities.EndLeftRunning, new LeftRunningInput(input.Node, input.Holder, input.Maintenance));
                return input.Reasserted;
            }

            input = input with { Cursor = seen.Cursor };
            if (input.Neighbours.Count > 0 || input.LooksForNew)
            {
                input = await HoldNeighboursAsync(context, input);
            }

            if (seen.Missing.Count > 0)
            {
                input = await ReassertAsync(context, input, seen, end);
            }
            else if (seen.Another is { } another)
            {
                input = input with { Uid = another.Uid, Prior = another.Prior };
            }
        }

        // An end that came during the last round would be lost with this generation.
        if (!end.IsCompleted)
        {
            context.ContinueAsNew(input);
        }

        return input.Reasserted;
    }

    // Nobody else looks after the marks: whatever is in the way now, they are looked at again.
    private static async Task<MarksSeen?> LookAsync(TaskOrchestrationContext context, HoldNodeInput input, Task end)
    {
        var look = new AwaitMarksInput(input.Node, input.Holder, input.Prior, input.Cursor, context.Now() + TimeSpan.FromMinutes(1))
        {
            Maintenance = input.Maintenance,
            Uid = input.Uid,
        };
        try
        {
            return await context.Await<MarksSeen>(Activities.AwaitMarks, look, input.Node, end);
        }
        catch (TaskFailedException)
        {
            return null;
        }
    }

    private static async Task PauseAsync(TaskOrchestrationContext context, Task end)
    {
        using var woken = new CancellationTokenSource();
        if (await Task.WhenAny(context.CreateTimer(context.Now() + Retry, woken.Token), end) == end)
        {
            woken.Cancel();
        }
    }

    private async Task<HoldNodeInput> HoldNeighboursAsync(TaskOrchestrationContext context, HoldNodeInput input)
    {
        var hold = new HoldNeighboursInput(input.Node, input.Holder, input.Neighbours) { LooksForNew = input.LooksForNew };
        return await TryAsync(context, Activities.HoldNeighbours, input.Holder, hold) is { Message: { } found } ? input.Told(found) : input;
    }

    private async Task<HoldNodeInput> ReassertAsync(
        TaskOrchestrationContext context, HoldNodeInput input, MarksSeen seen, Task end)
    {
        var prior = seen.Another?.Prior ?? input.Prior;
        if (await TryAsync(context, Activities.ReassertNode, input.Holder, new MarkNodeInput(input.Node, input.Holder, prior)) is null or { Kind: ReassertNodeActivity.IsGone })
        {
            await PauseAsync(context, end);
            return input;
        }

        var sentence = seen.Another is null
            ? $"Somebody took {string.Join(", ", seen.Missing)} off node {input.Node} during its maintenance; it was put back."
            : $"Node {input.Node} was deleted during its maintenance, and is another one of that name now: it was cordoned and marked too.";
        await context.CallActivityAsync<bool>(
            Activities.RecordEvent,
            new NodeEvent(input.Node, null, IsWarning: true, "MaintenanceReasserted", sentence, input.Maintenance));
        return (seen.Another is { } another ? input with { Uid = another.Uid, Prior = prior } : input).Told(sentence);
    }

    // The maintenance goes on without: the lease may be lost for a while, the API server away.
    private async Task<ActResult?> TryAsync(TaskOrchestrationContext context, string activity, string holder, object input)
    {
        try
        {
            var result = await context.Do<ActResult>(activity, input);
            if (result.Verdict == Verdict.LeaseLost && !_wasLost)
            {
                // Its next renewal may be far: a lease that is gone with its node is taken again at once.
                context.LookAtLease(holder);
            }

            _wasLost = result.Verdict == Verdict.LeaseLost;
            return result.Verdict == Verdict.Done ? result : null;
        }
        catch (TaskFailedException)
        {
            return null;
        }
    }
}

/// <summary>Puts back what is missing of the marks, unless somebody else marked the node by now; else says what is missing. Safe to run twice.</summary>
internal sealed class ReassertNodeActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<MarkNodeInput, ActResult>
{
    /// <summary>Kind of what is done because the node is gone.</summary>
    public const string IsGone = "node-gone";

    protected override async Task<ActResult> RunAsync(MarkNodeInput input, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < NodeUndo.MaxConflicts; attempt++)
        {
            var node = await cluster.GetNodeAsync(input.Node, cancellationToken);
            if (node is null)
            {
                return new(Verdict.Done, $"Node {input.Node} is gone and is not kept cordoned: one that comes back under its name takes pods") { Kind = IsGone };
            }

            if (input.Prior.Missing(node, input.Holder) is not { Count: > 0 } missing)
            {
                return ActResult.Done;
            }

            if (node.Mark is { } mark && mark.HeldBy != input.Holder)
            {
                return new(Verdict.Refused, NotPutOn(input.Node, missing, $"it is held by {Holder.Describe(mark.HeldBy)}."));
            }

            if (await new Guard(cluster, clock, input.Node, input.Holder).CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no)
            {
                return no with { Message = NotPutOn(input.Node, missing, no.Message!) };
            }

            if (await cluster.ChangeNodeAsync(node, input.Prior.Mark(input.Holder), cancellationToken) is not null)
            {
                return ActResult.Done;
            }
        }

        throw NodeUndo.KeepsChanging("nodes", input.Node);
    }

    private static string NotPutOn(string node, IReadOnlyList<string> missing, string why) =>
        $"Somebody took {string.Join(", ", missing)} off node {node}, and it was not put on again: {why}";
}

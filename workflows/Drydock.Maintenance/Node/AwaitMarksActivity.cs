using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Maintenance.Node;

/// <summary>Marks to look after.</summary>
internal sealed record AwaitMarksInput(string Node, string Holder, NodePrior Prior, string? Cursor, DateTimeOffset Until)
{
    /// <summary>The maintenance they are for; null in what was stored before it was looked at too.</summary>
    public string? Maintenance { get; init; }

    /// <summary>The uid of the node that they were put on; null in what was stored before that was looked at.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? Uid { get; init; }
}

/// <summary>What of the marks is gone.</summary>
internal sealed record MarksSeen(IReadOnlyList<string> Missing, string? Cursor)
{
    /// <summary>The maintenance is over, and has not ended its parts.</summary>
    public bool IsLeftRunning { get; init; }

    /// <summary>The node that has that name now, if it is another one; else null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public AnotherNode? Another { get; init; }
}

/// <summary>A node that was registered under the name of one that is gone.</summary>
/// <param name="Uid">Which.</param>
/// <param name="Prior">What it was before it was marked, if it is by now.</param>
internal sealed record AnotherNode(string Uid, NodePrior Prior);

/// <summary>Waits until something of ours is no longer on the node, or a minute has passed. Changes nothing.</summary>
internal sealed class AwaitMarksActivity(ICluster cluster, TimeProvider clock, Wakeups wakeups, LeftRunning left) : ClusterActivity<AwaitMarksInput, MarksSeen>
{
    // Every pod that goes wakes us: no reason to read the node as often.
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(3);

    protected override async Task<MarksSeen> RunAsync(AwaitMarksInput input, CancellationToken cancellationToken)
    {
        if (await left.IsSoAsync(input.Maintenance))
        {
            return new([], input.Cursor) { IsLeftRunning = true };
        }

        var wait = wakeups.Open(cluster, input.Node, input.Cursor, input.Until);
        while (true)
        {
            var node = await cluster.GetNodeAsync(input.Node, cancellationToken);
            var another = AnotherOf(node, input);
            var missing = node is null ? [] : (another?.Prior ?? input.Prior).Missing(node, input.Holder);
            if (missing.Count > 0 || another is not null || wait.IsOver)
            {
                return new(missing, wait.Cursor) { Another = another };
            }

            await wait.NextAsync(null, cancellationToken);
            await PauseAsync(wait.Woken);
        }
    }

    // Of what the one before was nothing is to be put back on it.
    private static AnotherNode? AnotherOf(NodeSnapshot? node, AwaitMarksInput input) => node is null || input.Uid is null || node.Uid == input.Uid
        ? null
        : new(node.Uid, node.Mark?.HeldBy == input.Holder && LedgerJson.Read<NodePrior>(node.Mark.Prior) is { } prior ? prior : NodePrior.Of(node));

    private async Task PauseAsync(CancellationToken woken)
    {
        try
        {
            await Task.Delay(BetweenLooks, clock, woken);
        }
        catch (OperationCanceledException)
        {
            // Woken: the wait is over.
        }
    }
}

using Drydock.Kubernetes;

namespace Drydock.Maintenance.Health;

/// <summary>Whose health to wait for.</summary>
/// <param name="Node">The node.</param>
/// <param name="Demand">What must be true.</param>
/// <param name="Known">The failing checks that are known already, or null: return at once.</param>
/// <param name="Cursor">From the wait before.</param>
/// <param name="Until">Return by then, whatever is.</param>
internal sealed record AwaitHealthInput(string Node, HealthDemand Demand, string? Known, string? Cursor, DateTimeOffset Until);

/// <summary>What fails now; nothing: the node is healthy.</summary>
internal sealed record HealthSeen(IReadOnlyList<FailedCheck> Failing, string? Cursor)
{
    /// <summary>The failing checks, to tell whether others fail by now.</summary>
    public string Fingerprint() => string.Join('|', Failing.Select(check => check.Check));
}

/// <summary>Waits until a node is healthy, or fails other checks than those known. Changes nothing.</summary>
internal sealed class AwaitHealthActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock, Wakeups wakeups)
    : ClusterActivity<AwaitHealthInput, HealthSeen>
{
    protected override async Task<HealthSeen> RunAsync(AwaitHealthInput input, CancellationToken cancellationToken)
    {
        var wait = wakeups.Open(cluster, input.Node, input.Cursor, input.Until);
        (DateTimeOffset? Since, DateTimeOffset SeenAt)? ready = null;
        while (true)
        {
            var facts = await ReadAsync(input, cancellationToken);
            var since = facts.Node?.Conditions.FirstOrDefault(static condition => condition.Type == "Ready")?.Since;
            ready = ready is { } before && before.Since == since ? before : (since, clock.GetUtcNow());
            facts = facts with { ReadySeenAt = ready.Value.SeenAt };
            var failing = HealthRules.Check(facts, input.Demand, clock.GetUtcNow());
            var seen = new HealthSeen(failing, wait.Cursor);
            if (failing.Count == 0 || seen.Fingerprint() != input.Known || wait.IsOver)
            {
                return seen;
            }

            await wait.NextAsync(Next(failing), cancellationToken);
        }
    }

    private async Task<HealthFacts> ReadAsync(AwaitHealthInput input, CancellationToken cancellationToken)
    {
        var facts = new HealthFacts(
            await cluster.GetNodeAsync(input.Node, cancellationToken),
            await cluster.ListPodsOnNodeAsync(input.Node, cancellationToken),
            input.Demand.Before.CsiDrivers.Count == 0 ? [] : await neighbours.ListCsiDriversAsync(input.Node, cancellationToken));
        var existing = new Dictionary<ObjectRef, PodPlacement>();
        foreach (var name in DaemonSetRules.WithoutPod(input.Demand.Before, facts.Pods))
        {
            if (await cluster.FindDaemonSetAsync(name, cancellationToken) is { } asks)
            {
                existing[name] = asks;
            }
        }

        return facts with { DaemonSets = existing };
    }

    // Registrations of CSI drivers are not watched, nor are DaemonSets.
    private DateTimeOffset? Next(IReadOnlyList<FailedCheck> failing) => failing
        .Select(check => check.Check is "csi-drivers" or DaemonSetRules.Missing ? clock.GetUtcNow() + TimeSpan.FromSeconds(5) : check.PassesAt)
        .Where(at => at is not null)
        .Min();
}

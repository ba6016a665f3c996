namespace Drydock.Maintenance.Rollouts;

/// <summary>What a rollout does next.</summary>
/// <param name="Start">The nodes to take now, in order.</param>
/// <param name="WaitsFor">What the next node waits for, one sentence; null if there is none or one is taken.</param>
/// <param name="LookAgainAt">When to decide again although nothing happened, or null.</param>
/// <param name="CanaryIsOver">The canary wave was well for long enough.</param>
/// <param name="PauseBecause">Why it must pause, or null.</param>
internal sealed record RolloutDecision(
    IReadOnlyList<string> Start,
    string? WaitsFor = null,
    DateTimeOffset? LookAgainAt = null,
    bool CanaryIsOver = false,
    string? PauseBecause = null);

/// <summary>Decides which nodes of a rollout are taken next. Pure: from what was read, at that moment.</summary>
internal sealed class RolloutRules(RolloutRequest request, RolloutState state, NodesSeen seen, DateTimeOffset now)
{
    /// <summary>How soon to look again when somebody else's nodes are what it waits for.</summary>
    public static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(30);

    private const double AsGoodAsWhole = 0.9;

    private readonly Dictionary<string, string> _down = seen.Down.ToDictionary(note => note.Node, note => note.Why, StringComparer.Ordinal);
    private readonly Dictionary<string, string> _held = seen.Held.ToDictionary(note => note.Node, note => note.Why, StringComparer.Ordinal);
    private readonly List<RolloutNode> _taken = [.. state.Nodes.Where(node => node.State == RolloutNodeState.UnderMaintenance)];
    private readonly List<RolloutNode> _waiting = [.. state.Nodes.Where(node => node.State == RolloutNodeState.Waiting)];

    /// <summary>Decides.</summary>
    public static RolloutDecision Decide(RolloutRequest request, RolloutState state, NodesSeen seen, DateTimeOffset now) =>
        new RolloutRules(request, state, seen, now).Decide();

    /// <summary>How many nodes may be unavailable at once.</summary>
    public static int Limit(RolloutRequest request, RolloutState state) => request.MaxUnavailablePercent is { } percent
        ? Math.Max(1, state.Nodes.Count(node => node.State != RolloutNodeState.Left) * percent / 100)
        : Math.Max(1, request.MaxUnavailable);

    /// <summary>The nodes whose turn has not come, in the order in which they are taken.</summary>
    public static IReadOnlyList<RolloutNode> InOrder(RolloutRequest request, RolloutState state)
    {
        var waiting = state.Nodes.Where(node => node.State == RolloutNodeState.Waiting)
            .OrderBy(node => node.IsControlPlane)
            .ThenBy(node => ZoneRank(request, node.Zone))
            .ThenBy(node => request.Zones.Count == 0 ? "" : node.Zone, StringComparer.Ordinal);
        return
        [
            .. request.Order switch
            {
                RolloutOrder.Name => waiting.ThenBy(node => node.Node, StringComparer.Ordinal),
                RolloutOrder.Load => waiting.ThenBy(node => node.Load).ThenBy(node => node.Node, StringComparer.Ordinal),
                _ => waiting,
            },
        ];
    }

    /// <summary>When it will be over if the nodes go on to take what they took; null if no node is done, or it would not end in its window.</summary>
    public static DateTimeOffset? EstimatedEnd(RolloutRequest request, RolloutState state, DateTimeOffset now)
    {
        if (state.Average is not { } average || state.PausedBecause is not null || state.IsClosed)
        {
            return null;
        }

        var waiting = state.Nodes.Count(node => node.State == RolloutNodeState.Waiting);
        var rounds = (waiting + Limit(request, state) - 1) / Limit(request, state);
        var inHand = state.Nodes.Where(node => node.State == RolloutNodeState.UnderMaintenance)
            .Select(node => average - (now - (node.StartedAt ?? now)))
            .Append(TimeSpan.Zero)
            .Max();
        var soak = request.Canary > 0 && !state.IsCanaryOver ? request.Soak : TimeSpan.Zero;
        var end = now + inHand + soak + (rounds * (average + request.PauseBetween));
        return state.Opening is { } opening && end > opening.To ? null : end;
    }

    private RolloutDecision Decide()
    {
        if (state.PausedBecause is not null || state.StoppingBecause is not null || state.IsClosed || _waiting.Count == 0)
        {
            return new RolloutDecision([]);
        }

        if (BetweenNodes() is { } between)
        {
            return between;
        }

        var (canary, most) = CanaryWave();
        return canary is { Start.Count: 0, CanaryIsOver: false } ? canary : Take(most) with { CanaryIsOver = canary is { CanaryIsOver: true } };
    }

    /// <summary>What holds all nodes: the pause after the last one, or the end of the window.</summary>
    private RolloutDecision? BetweenNodes()
    {
        var lastEnd = state.Nodes.Max(node => node.EndedAt);
        if (request.PauseBetween > TimeSpan.Zero && lastEnd + request.PauseBetween > now)
        {
            return Wait($"Pauses between nodes until {lastEnd + request.PauseBetween:u}.", lastEnd + request.PauseBetween);
        }

        if (state.Opening is not { } opening)
        {
            return null;
        }

        var left = opening.To - now;
        var takes = state.Average ?? request.ExpectedPerNode ?? TimeSpan.Zero;

        // A node that takes longer than any window must have its chance, or nothing would ever happen and nobody would know why.
        var isWhole = state.TakenInOpening == 0 && left >= (opening.To - opening.From) * AsGoodAsWhole;
        return left <= TimeSpan.Zero || (takes > left && !isWhole)
            ? Wait($"Not enough time for another node: the window closes at {opening.To:u} and a node takes about {Minutes(takes)}.", opening.To)
            : null;
    }

    /// <summary>How many nodes the canary wave lets go, or what it waits for.</summary>
    private (RolloutDecision? Waits, int Most) CanaryWave()
    {
        if (request.Canary <= 0 || state.IsCanaryOver)
        {
            return (null, int.MaxValue);
        }

        var wave = state.Nodes.Where(node => node.IsCanary && node.State is RolloutNodeState.UnderMaintenance or RolloutNodeState.Done).ToList();
        if (wave.Count < request.Canary)
        {
            return (null, request.Canary - wave.Count);
        }

        if (wave.Find(node => node.State == RolloutNodeState.UnderMaintenance) is { } running)
        {
            return (new RolloutDecision([], $"Waits for canary node {running.Node}."), 0);
        }

        var soaked = wave.Max(node => node.EndedAt) + request.Soak;
        if (soaked > now)
        {
            return (Wait($"Watches the canary nodes until {soaked:u}.", soaked), 0);
        }

        return wave.Find(node => _down.ContainsKey(node.Node)) is { } ill
            ? (new RolloutDecision([], PauseBecause: $"Paused: canary node {ill.Node} is {_down[ill.Node]} after the soak time."), 0)
            : (new RolloutDecision([], CanaryIsOver: true), int.MaxValue);
    }

    private RolloutDecision Take(int most)
    {
        var start = new List<string>();
        string? waitsFor = null;
        DateTimeOffset? again = null;
        foreach (var node in InOrder(request, state))
        {
            if (start.Count >= most)
            {
                break;
            }

            if (Obstacle(node) is not { } obstacle)
            {
                start.Add(node.Node);
                _taken.Add(node);
                continue;
            }

            waitsFor ??= obstacle.What;
            again = again is { } earlier && !(obstacle.Until < earlier) ? earlier : obstacle.Until;
        }

        return new RolloutDecision(start, start.Count > 0 ? null : waitsFor, again);
    }

    /// <summary>Why this node cannot be taken now, and until when that surely holds; null if it can.</summary>
    private Holdup? Obstacle(RolloutNode node)
    {
        if (_held.TryGetValue(node.Node, out var holder))
        {
            return new($"Node {node.Node} waits for {holder}, which holds it.", now + LookAgain);
        }

        if (node.NotBefore > now)
        {
            return new($"Node {node.Node} waits until {node.NotBefore:u}: {node.Message}", node.NotBefore);
        }

        if (node.IsControlPlane)
        {
            // Last and one at a time: two control-plane nodes at once may cost the quorum of etcd.
            return _taken.FirstOrDefault() is { } other ? new($"Control-plane node {node.Node} waits for node {other.Node}.", null)
                : _waiting.Find(one => !one.IsControlPlane) is { } worker
                    ? new($"Control-plane node {node.Node} goes last; node {worker.Node} waits too.", now + LookAgain)
                    : OverLimit(node, 1, _ => true, "");
        }

        return EarlierZone(node)
            ?? OverLimit(node, Limit(request, state), _ => true, "")
            ?? (request.MaxPerZone is { } most ? OverLimit(node, most, one => one == node.Zone, $" in zone {node.Zone ?? "(none)"}") : null);
    }

    /// <summary>A node of a zone that comes before is under maintenance or waits.</summary>
    private Holdup? EarlierZone(RolloutNode node)
    {
        if (request.Zones.Count == 0)
        {
            return null;
        }

        var earlier = _taken.Concat(_waiting.Where(one => !one.IsControlPlane)).FirstOrDefault(one => IsZoneBefore(one.Zone, node.Zone));
        return earlier is null ? null : new($"Zone {node.Zone ?? "(none)"} waits for node {earlier.Node} of zone {earlier.Zone ?? "(none)"}.", null);
    }

    /// <summary>Taking it would make more nodes unavailable than may be; a node that is down already makes none.</summary>
    private Holdup? OverLimit(RolloutNode node, int limit, Func<string?, bool> zone, string where)
    {
        var taken = _taken.Where(one => zone(one.Zone)).Select(one => one.Node).ToList();
        var zones = state.Nodes.ToDictionary(one => one.Node, one => one.Zone, StringComparer.Ordinal);
        var down = _down.Keys.Where(one => zone(zones.GetValueOrDefault(one)) && !taken.Contains(one)).Order(StringComparer.Ordinal).ToList();
        if (taken.Count < limit && (_down.ContainsKey(node.Node) || taken.Count + down.Count < limit))
        {
            return null;
        }

        var because = string.Join(", ", taken.Select(one => $"{one} under maintenance").Concat(down.Select(one => $"{one} {_down[one]}")).Take(3));
        return new(
            $"{limit} {(limit == 1 ? "node" : "nodes")}{where} may be unavailable and {taken.Count + down.Count} {(taken.Count + down.Count == 1 ? "is" : "are")}: {because}.",
            down.Count > 0 ? now + LookAgain : null);
    }

    private bool IsZoneBefore(string? one, string? other)
    {
        var (first, second) = (ZoneRank(request, one), ZoneRank(request, other));
        return first != second ? first < second : string.CompareOrdinal(one, other) < 0;
    }

    private static int ZoneRank(RolloutRequest request, string? zone)
    {
        for (var rank = 0; rank < request.Zones.Count; rank++)
        {
            if (request.Zones[rank] == zone)
            {
                return rank;
            }
        }

        return request.Zones.Count;
    }

    private static RolloutDecision Wait(string what, DateTimeOffset? until) => new([], what, until);

    private static string Minutes(TimeSpan span) => span < TimeSpan.FromMinutes(2) ? $"{span.TotalSeconds:0} seconds" : $"{span.TotalMinutes:0} minutes";

    private sealed record Holdup(string What, DateTimeOffset? Until);
}

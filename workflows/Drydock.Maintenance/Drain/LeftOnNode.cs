namespace Drydock.Maintenance.Drain;

/// <summary>What a drain leaves on its node, counted. Virtual machines are counted by whoever moves them.</summary>
/// <param name="Held">Pods that something keeps: a budget, a webhook, a rule, a finalizer.</param>
/// <param name="Leaving">Pods that are still shutting down within their grace period.</param>
/// <param name="Waiting">Pods that were not asked yet: their turn has not come.</param>
/// <param name="Volumes">Volumes that are still attached although no pod is left.</param>
internal sealed record LeftOnNode(int Held, int Leaving, int Waiting, int Volumes)
{
    /// <summary>The one that is held the longest, with what keeps it.</summary>
    public string? Longest { get; init; }

    /// <summary>The one that has been shutting down the longest.</summary>
    public string? LongestLeaving { get; init; }

    /// <summary>Since when.</summary>
    public DateTimeOffset? LeavingSince { get; init; }

    /// <summary>The pod whose own deadline has passed, the first; null: it is the node's that has.</summary>
    public string? LateAlone { get; init; }

    /// <summary>One sentence for people, without a full stop.</summary>
    public override string ToString() => string.Join(", ", new[]
    {
        Held == 0 ? null : $"{Spoken.Count(Held, "pod is", "pods are")} held (the longest {Longest})",
        Leaving == 0 ? null : $"{Spoken.Count(Leaving, "pod is", "pods are")} still terminating (the longest {LongestLeaving}, since {LeavingSince:u})",
        Waiting == 0 ? null : $"{Spoken.Count(Waiting, "pod waits", "pods wait")} for a turn",
        Volumes == 0 ? null : $"{Spoken.Count(Volumes, "volume is", "volumes are")} still attached",
    }.OfType<string>());
}

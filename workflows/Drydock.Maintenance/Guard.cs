using System.Text.Json.Serialization;
using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>Whether a changing activity did its work. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Verdict>))]
internal enum Verdict
{
    /// <summary>It is done, now or before.</summary>
    Done,

    /// <summary>The lease is not ours, or was not renewed lately: nothing was changed.</summary>
    LeaseLost,

    /// <summary>The maintenance was cancelled: nothing was changed.</summary>
    Cancelled,

    /// <summary>The cluster said no, or somebody else holds the object: nothing was changed.</summary>
    Refused,
}

/// <summary>What came of a change.</summary>
internal sealed record ActResult(Verdict Verdict, string? Message = null)
{
    public static ActResult Done { get; } = new(Verdict.Done);

    /// <summary>Stable name of why it was refused, where somebody decides by it; else null.</summary>
    public string? Kind { get; init; }

    /// <summary>What to do about a refusal, where that is known; else null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? NextStep { get; init; }

    /// <summary>Of an evacuation that was withdrawn: the migration that KubeVirt had made for it by then, if that has not ended.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public VirtualMachines.ObservedMigration? Made { get; init; }
}

/// <summary>
/// Asked before each change: is the lease ours, was it renewed less than two thirds of its duration ago, was the maintenance
/// cancelled (design section 6)? Kubernetes does not check leases, so we do.
/// </summary>
internal sealed class Guard(ICluster cluster, TimeProvider clock, string node, string holder)
{
    // One answer serves the calls that start right after it: three requests per evicted pod would else be four. It gives nothing away: check
    // and change are two requests, so a cancel or a lost lease can fall between them even if each change had a check of its own, and 200 ms
    // is what one request may take. A cancel has, besides, ended all scheduling before its mark is written.
    private static readonly TimeSpan AnswerLasts = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private Task<LeaseSnapshot?>? _reading;
    private DateTimeOffset _readAt;

    /// <summary>How long after a renewal something may be changed.</summary>
    public static TimeSpan Lasts(TimeSpan duration) => duration * 2 / 3;

    /// <summary>Done if the change may be made.</summary>
    public async Task<ActResult> CheckAsync(CancellationToken cancellationToken, bool isUndo = false)
    {
        var lease = await ReadAsync(cancellationToken);
        if (lease?.Holder != holder)
        {
            return new(Verdict.LeaseLost, $"The lease of node {node} is held by {Holder.Describe(lease?.Holder)}.");
        }

        if (lease.RenewedAt is not { } renewed || clock.GetUtcNow() - renewed > Lasts(lease.Duration))
        {
            return new(Verdict.LeaseLost, $"The lease of node {node} was last renewed at {lease.RenewedAt:u}.");
        }

        return lease.IsCancelled && !isUndo ? new(Verdict.Cancelled, "The maintenance was cancelled.") : ActResult.Done;
    }

    private Task<LeaseSnapshot?> ReadAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var now = clock.GetUtcNow();
            if (_reading is null || now - _readAt >= AnswerLasts)
            {
                _reading = cluster.GetLeaseAsync(node, cancellationToken);
                _readAt = now;
            }

            return _reading;
        }
    }
}

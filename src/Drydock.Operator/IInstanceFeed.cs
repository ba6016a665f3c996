namespace Drydock.Operator;

/// <summary>Tells which orchestration instances changed.</summary>
public interface IInstanceFeed
{
    /// <summary>
    /// Yields the id of each instance whose state or custom status changed, from now on; null means any may have. Never ends by itself.
    /// </summary>
    IAsyncEnumerable<string?> WatchAsync(CancellationToken cancellationToken);
}

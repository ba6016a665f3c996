using Drydock.Simulator.Controllers;

namespace Drydock.Simulator.KubeVirt;

/// <summary>Durations that began when they were first asked for.</summary>
internal sealed class Stopwatches(ClusterContext cluster)
{
    private readonly Dictionary<string, Dictionary<string, DateTimeOffset>> _ends = [];

    /// <summary>How long is left of something that takes a time; null when it is over.</summary>
    public TimeSpan? Left(string uid, string what, TimeSpan takes)
    {
        if (!_ends.TryGetValue(uid, out var ends))
        {
            _ends[uid] = ends = [];
        }

        if (!ends.TryGetValue(what, out var end))
        {
            ends[what] = end = cluster.Now + takes;
        }

        return cluster.Until(end) is { Ticks: > 0 } left ? left : null;
    }

    public void Forget(string uid) => _ends.Remove(uid);
}

using System.Collections.Concurrent;

namespace Drydock.Server.Telemetry;

/// <summary>Which node a maintenance is about, so that a line of the log that names the one can name the other.</summary>
internal sealed class InstanceNodes
{
    private readonly ConcurrentDictionary<string, string> _nodes = new(StringComparer.Ordinal);

    /// <summary>The maintenance is about this node.</summary>
    public void Set(string maintenance, string node) => _nodes[maintenance] = node;

    /// <summary>It is over.</summary>
    public void Forget(string maintenance) => _nodes.TryRemove(maintenance, out _);

    /// <summary>
    /// The node of a maintenance or one of its parts, or null. A part is named after what it is part of, and so is a maintenance of a
    /// rollout, or a rollout of a window: <c>WINDOW:OPENING:NODE:pods</c>.
    /// </summary>
    public string? Of(string instance)
    {
        for (var end = instance.Length; end > 0; end = instance.LastIndexOf(':', end - 1))
        {
            if (_nodes.TryGetValue(instance[..end], out var node))
            {
                return node;
            }
        }

        return null;
    }
}

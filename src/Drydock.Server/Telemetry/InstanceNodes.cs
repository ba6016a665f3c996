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

    /// <summary>The node of a maintenance or one of its parts, or null.</summary>
    public string? Of(string instance) => _nodes.GetValueOrDefault(Root(instance));

    /// <summary>The maintenance that an instance is, or belongs to: parts are named <c>MAINTENANCE:…</c>.</summary>
    public static string Root(string instance) => instance.IndexOf(':', StringComparison.Ordinal) is > 0 and var end ? instance[..end] : instance;
}

using System.Text.Json;

namespace Drydock.Server.Telemetry;

/// <summary>Which instance and node a line of the log is about, and what else it names.</summary>
/// <param name="Instance">The instance, or null.</param>
/// <param name="Node">The node, or null.</param>
/// <param name="Others">The other fields of the message and its scopes, by name in camel case.</param>
internal sealed record LogSubject(string? Instance, string? Node, IReadOnlyDictionary<string, string?> Others)
{
    public static LogSubject Of<TState>(TState state, IExternalScopeProvider? scopes, InstanceNodes nodes)
    {
        var fields = new SortedDictionary<string, string?>(StringComparer.Ordinal);
        scopes?.ForEachScope(static (scope, fields) => Add(scope, fields), fields);
        Add(state, fields);

        // The engine says InstanceId in its messages and Instance in its scope; both mean the same.
        var instance = fields.GetValueOrDefault("instance") ?? fields.GetValueOrDefault("instanceId") ?? fields.GetValueOrDefault("id");
        var node = fields.GetValueOrDefault("node") ?? (instance is null ? null : nodes.Of(instance));
        foreach (var known in (string[])["instance", "instanceId", "node"])
        {
            fields.Remove(known);
        }

        return new LogSubject(instance, node, fields);
    }

    private static void Add(object? from, SortedDictionary<string, string?> fields)
    {
        if (from is not IEnumerable<KeyValuePair<string, object?>> pairs)
        {
            return;
        }

        foreach (var (name, value) in pairs)
        {
            if (name.Length > 0 && char.IsLetter(name[0]))
            {
                fields[JsonNamingPolicy.CamelCase.ConvertName(name)] = value?.ToString();
            }
        }
    }
}

using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Drydock.Server.Telemetry;

/// <summary>One JSON object a line: time, level, category, event, message, instance, node, trace, the fields of the message, the exception.</summary>
internal sealed class LineFormatter(InstanceNodes nodes, TimeProvider clock) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "drydock-json";

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("time", clock.GetUtcNow());
            json.WriteString("level", logEntry.LogLevel.ToString());
            json.WriteString("category", logEntry.Category);
            json.WriteNumber("event", logEntry.EventId.Id);
            json.WriteString("message", logEntry.Formatter(logEntry.State, logEntry.Exception));
            var fields = Fields(logEntry.State, scopeProvider);
            WriteSubject(json, fields);
            foreach (var (name, value) in fields)
            {
                json.WriteString(name, value);
            }

            if (logEntry.Exception is { } exception)
            {
                json.WriteString("exception", exception.ToString());
            }

            json.WriteEndObject();
        }

        textWriter.WriteLine(Encoding.UTF8.GetString(buffer.ToArray()));
    }

    private void WriteSubject(Utf8JsonWriter json, SortedDictionary<string, string?> fields)
    {
        // The engine says InstanceId in its messages and Instance in its scope; both mean the same.
        var instance = fields.GetValueOrDefault("instance") ?? fields.GetValueOrDefault("instanceId") ?? fields.GetValueOrDefault("id");
        json.WriteString("instance", instance);
        json.WriteString("node", fields.GetValueOrDefault("node") ?? (instance is null ? null : nodes.Of(instance)));
        json.WriteString("trace", Activity.Current?.TraceId.ToHexString());
        foreach (var written in (string[])["instance", "instanceId", "node", "time", "level", "category", "event", "message", "trace", "exception"])
        {
            fields.Remove(written);
        }
    }

    private static SortedDictionary<string, string?> Fields<TState>(TState state, IExternalScopeProvider? scopes)
    {
        var fields = new SortedDictionary<string, string?>(StringComparer.Ordinal);
        scopes?.ForEachScope(static (scope, fields) => Add(scope, fields), fields);
        Add(state, fields);
        return fields;
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

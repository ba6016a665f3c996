using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Drydock.Server.Telemetry;

/// <summary>One JSON object a line: time, level, category, event, message, instance, node, trace, the fields of the message, the exception.</summary>
internal sealed class JsonLineFormatter(InstanceNodes nodes, TimeProvider clock) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "drydock-json";

    private static readonly string[] Written = ["time", "level", "category", "event", "message", "trace", "exception"];
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
            var subject = LogSubject.Of(logEntry.State, scopeProvider, nodes);
            json.WriteString("instance", subject.Instance);
            json.WriteString("node", subject.Node);
            json.WriteString("trace", Activity.Current?.TraceId.ToHexString());
            foreach (var (name, value) in subject.Others.Where(static field => !Written.Contains(field.Key)))
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
}

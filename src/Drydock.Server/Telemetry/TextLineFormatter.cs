using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Drydock.Server.Telemetry;

/// <summary>
/// One line for people: time, level, instance, node, category and message; <c>-</c> where a line is about no instance or no node. What a message
/// or an exception has in further lines is indented, so that nothing in it can look like a line of its own.
/// </summary>
internal sealed class TextLineFormatter(InstanceNodes nodes, TimeProvider clock) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "drydock-text";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var subject = LogSubject.Of(logEntry.State, scopeProvider, nodes);
        var text = logEntry.Formatter(logEntry.State, logEntry.Exception) + (logEntry.Exception is { } exception ? $"\n{exception}" : "");
        textWriter.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{clock.GetUtcNow():yyyy-MM-ddTHH:mm:ss.fffZ} {logEntry.LogLevel,-11} instance={subject.Instance ?? "-"} node={subject.Node ?? "-"} {logEntry.Category}: {text.ReplaceLineEndings("\n    ")}"));
    }
}

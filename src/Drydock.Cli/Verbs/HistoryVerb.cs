using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>history ID</c>: everything that happened.</summary>
internal static class HistoryVerb
{
    public static Command Create(Terminal terminal)
    {
        var id = CommonOptions.Id();
        var data = new Option<bool>("--data") { Description = "With what went in and came out of each step." };
        var stored = new Option<bool>("--stored") { Description = "As it is stored, as JSON: OrchestrationReplayer gives it to another version of the code." };
        var verb = new Verb(
            "history", "Everything that happened in a maintenance and its parts, in order of time.", "drydock history m-1a2b3c", "drydock history m-1a2b3c --data",
            "drydock history m-1a2b3c --stored > m-1a2b3c.json") { id, data, stored };
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            if (call.Parsed.GetValue(stored))
            {
                await terminal.Output.WriteLineAsync((await call.Client.GetStoredHistoryAsync(call.Parsed.GetValue(id)!, cancellationToken)).GetRawText());
                return ExitCodes.Done;
            }

            var events = await call.Client.GetHistoryAsync(call.Parsed.GetValue(id)!, cancellationToken);
            call.Output.Document(events, Lines(events, call.Parsed.GetValue(data)));
            return ExitCodes.Done;
        });
    }

    private static IEnumerable<string> Lines(IReadOnlyList<HistoryEventView> events, bool withData)
    {
        var rows = Columns.Align("", [.. events.Select(e => new[] { $"{e.At.UtcDateTime:HH:mm:ss.fff}", e.Instance, $"{e.Sequence}", e.Text })]).ToList();
        for (var i = 0; i < rows.Count; i++)
        {
            yield return rows[i];
            if (withData && events[i].Data is { } data)
            {
                yield return $"    {data}";
            }
        }
    }
}

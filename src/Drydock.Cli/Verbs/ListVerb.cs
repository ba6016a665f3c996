using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>list</c>: the maintenances of a server.</summary>
internal static class ListVerb
{
    public static Command Create(Terminal terminal)
    {
        var node = new Option<string?>("--node") { Description = "Only those of this node.", HelpName = "node" };
        var running = new Option<bool>("--running") { Description = "Only those that are not over." };
        var limit = new Option<int>("--limit") { Description = "At most this many, the newest first.", DefaultValueFactory = _ => 50, HelpName = "n" };
        var verb = new Verb(
            "list", "List maintenances, the newest first.", "drydock list --running", "drydock list --node worker-1 -o json") { node, running, limit };
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var items = new List<MaintenanceView>();
            string? after = null;
            do
            {
                var page = await call.Client.ListMaintenancesAsync(call.Parsed.GetValue(node), call.Parsed.GetValue(running), after, cancellationToken);
                items.AddRange(page.Items);
                after = page.Next;
            }
            while (after is not null && items.Count < call.Parsed.GetValue(limit));

            List<MaintenanceView> shown = [.. items.Take(call.Parsed.GetValue(limit))];
            call.Output.Document(new MaintenanceList(shown, shown.Count < items.Count ? shown[^1].Id : after), Lines(shown));
            return ExitCodes.Done;
        });
    }

    private static IEnumerable<string> Lines(List<MaintenanceView> items) => items.Count == 0
        ? ["No maintenances. Start one with 'drydock start NODE'."]
        : Columns.Align("", [["ID", "NODE", "STATE", "STEP", "STARTED", "MESSAGE"], .. items.Select(Row)]);

    private static string[] Row(MaintenanceView view) =>
        [view.Id, view.Node, view.State.ToString(), view.Step, $"{view.StartedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z", view.Message];
}

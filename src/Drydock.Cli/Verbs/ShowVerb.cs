using System.CommandLine;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>show ID</c>: one maintenance as it stands now.</summary>
internal static class ShowVerb
{
    public static Command Create(Terminal terminal)
    {
        var id = CommonOptions.Id();
        var verb = new Verb("show", "Show one maintenance as it stands now.", "drydock show m-1a2b3c", "drydock show m-1a2b3c -o json | jq .vms") { id };
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var view = await call.Client.GetMaintenanceAsync(call.Parsed.GetValue(id)!, cancellationToken);
            call.Output.Document(view, view.IsOver ? SummaryText.Lines(view) : new ProgressLines(terminal.Clock, worthSaying: TimeSpan.Zero).Next(view));
            return ExitCodes.Done;
        });
    }
}

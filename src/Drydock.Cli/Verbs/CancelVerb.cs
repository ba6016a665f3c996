using System.CommandLine;
using Drydock.Cli.CommandLine;

namespace Drydock.Cli.Verbs;

/// <summary><c>cancel ID</c>: stops a maintenance and puts everything back.</summary>
internal static class CancelVerb
{
    public static Command Create(Terminal terminal)
    {
        var id = CommonOptions.Id();
        var reason = CommonOptions.Reason();
        var migrations = new Option<string?>("--migrations")
        {
            Description = "Migrations that run: leave them to 'finish', or 'abort' them. Default: what the maintenance was started with. Those that only wait are withdrawn.",
            HelpName = "finish|abort",
        };
        migrations.AcceptOnlyFromAmong("finish", "abort");
        var watch = new Option<bool>("--watch", "-w") { Description = "Follow it until everything is put back." };
        var verb = new Verb(
            "cancel",
            "Stop a maintenance and put everything back. Returns when the wish is durable; --watch waits until it is done. One that puts the node back already is refused: there is nothing left to cancel.",
            "drydock cancel m-1a2b3c --watch --reason 'wrong node'") { id, reason, migrations, watch };
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var view = await call.Client.CancelMaintenanceAsync(
                call.Parsed.GetValue(id)!, call.Parsed.GetValue(reason), call.Parsed.GetValue(migrations), cancellationToken);
            if (call.Parsed.GetValue(watch))
            {
                var code = await WatchVerb.FollowAsync(call, view.Id, cancellationToken);
                return code == ExitCodes.Cancelled ? ExitCodes.Done : code;
            }

            call.Output.Document(view, [$"Maintenance {view.Id} is being cancelled. Follow it with 'drydock watch {view.Id}'."]);
            return ExitCodes.Done;
        });
    }
}

using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;

namespace Drydock.Cli.Verbs;

/// <summary><c>complete ID</c>: lets a held node go on.</summary>
internal static class CompleteVerb
{
    public static Command Create(Terminal terminal)
    {
        var id = CommonOptions.Id();
        var skip = new Option<bool>("--skip-health") { Description = "Put the node back without the health check. Refused where the policy requires probes." };
        var wait = new Option<string?>("--wait") { Description = "Only if it is this wait that waits now, such as before-drain-1; 'drydock show ID' names it.", HelpName = "NAME" };
        var reason = CommonOptions.Reason();
        var watch = new Option<bool>("--watch", "-w") { Description = "Follow it to its end." };
        var verb = new Verb(
            "complete", "The work on a held node is done: check its health and put it back.", "drydock complete m-1a2b3c --watch") { id, skip, wait, reason, watch };
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var request = new CompleteRequest(call.Parsed.GetValue(skip), call.Parsed.GetValue(reason), call.Parsed.GetValue(wait));
            var view = await call.Client.CompleteMaintenanceAsync(call.Parsed.GetValue(id)!, request, cancellationToken);
            if (call.Parsed.GetValue(watch))
            {
                return await WatchVerb.FollowAsync(call, view.Id, cancellationToken);
            }

            call.Output.Document(view, [$"Maintenance {view.Id} goes on. Follow it with 'drydock watch {view.Id}'."]);
            return ExitCodes.Done;
        });
    }
}

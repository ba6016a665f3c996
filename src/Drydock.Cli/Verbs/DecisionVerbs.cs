using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;

namespace Drydock.Cli.Verbs;

/// <summary><c>approve ID</c> and <c>reject ID</c>: decide at the gate at which a maintenance waits.</summary>
internal static class DecisionVerbs
{
    public static Command Approve(Terminal terminal) => Create(
        terminal,
        "approve",
        "Approve the gate at which a maintenance waits; who, when and why is kept.",
        "drydock approve m-1a2b3c --reason CHG-4711",
        "approved",
        static (client, id, reason, cancellationToken) => client.ApproveMaintenanceAsync(id, reason, cancellationToken));

    public static Command Reject(Terminal terminal) => Create(
        terminal,
        "reject",
        "Reject the gate at which a maintenance waits: it ends, and what was changed is put back.",
        "drydock reject m-1a2b3c --reason 'not during the sale'",
        "rejected",
        static (client, id, reason, cancellationToken) => client.RejectMaintenanceAsync(id, reason, cancellationToken));

    private static Verb Create(
        Terminal terminal,
        string name,
        string description,
        string example,
        string done,
        Func<DrydockApiClient, string, string?, CancellationToken, Task<MaintenanceView>> decide)
    {
        var id = CommonOptions.Id();
        var reason = CommonOptions.Reason();
        var watch = new Option<bool>("--watch", "-w") { Description = "Follow it to its end." };
        return ServerVerb.Create(terminal, new Verb(name, description, example) { id, reason, watch }, async (call, cancellationToken) =>
        {
            var view = await decide(call.Client, call.Parsed.GetValue(id)!, call.Parsed.GetValue(reason), cancellationToken);
            if (call.Parsed.GetValue(watch))
            {
                return await WatchVerb.FollowAsync(call, view.Id, cancellationToken);
            }

            call.Output.Document(view, [$"Maintenance {view.Id} was {done}. Follow it with 'drydock watch {view.Id}'."]);
            return ExitCodes.Done;
        });
    }
}

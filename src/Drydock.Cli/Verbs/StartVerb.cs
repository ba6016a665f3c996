using System.CommandLine;
using Drydock.Cli.CommandLine;

namespace Drydock.Cli.Verbs;

/// <summary><c>start NODE</c>: starts a maintenance on a server.</summary>
internal static class StartVerb
{
    public static Command Create(Terminal terminal)
    {
        var node = CommonOptions.Node();
        var policy = new PolicyOptions();
        var watch = new Option<bool>("--watch", "-w") { Description = "Follow it to its end; the exit code is then how it ended." };
        var key = new Option<string?>("--key") { Description = "Idempotency key: the same key and request start it once.", HelpName = "text" };
        var verb = new Verb(
            "start",
            "Start the maintenance of a node on a server, and print its id.",
            "drydock start worker-1 --reason 'kernel update'",
            "drydock start worker-1 --hold --watch",
            "drydock start worker-1 --vm-stuck shutdown --on-failure keep-cordoned") { node, watch, key };
        policy.AddTo(verb);
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var request = policy.Create(call.Parsed, call.Parsed.GetValue(node)!);
            var view = await call.Client.CreateMaintenanceAsync(request, call.Parsed.GetValue(key), cancellationToken);
            if (call.Parsed.GetValue(watch))
            {
                return await WatchVerb.FollowAsync(call, view.Id, cancellationToken);
            }

            call.Output.Document(view, [$"Maintenance {view.Id} of node {view.Node} started.", $"Follow it with 'drydock watch {view.Id}'."]);
            return ExitCodes.Done;
        });
    }
}

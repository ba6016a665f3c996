using System.CommandLine;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Following;

namespace Drydock.Cli.Verbs;

/// <summary><c>watch ID</c>: follows a maintenance to its end. Ctrl-C ends the watching, never the maintenance.</summary>
internal static class WatchVerb
{
    public static Command Create(Terminal terminal)
    {
        var id = CommonOptions.Id();
        var verb = new Verb(
            "watch",
            "Follow a maintenance to its end; the exit code is how it ended. Ctrl-C ends the watching, not the maintenance.",
            "drydock watch m-1a2b3c",
            "drydock watch m-1a2b3c -o json | jq -c 'select(.type==\"progress\") | .maintenance.pods'") { id };
        return ServerVerb.Create(terminal, verb, (call, cancellationToken) => FollowAsync(call, call.Parsed.GetValue(id)!, cancellationToken));
    }

    /// <summary>Follows one on the server and says how it ended.</summary>
    public static async Task<int> FollowAsync(ServerCall call, string id, CancellationToken cancellationToken)
    {
        try
        {
            var last = await call.Output.FollowAsync(
                new RemoteFollower(call.Client, call.Terminal.Clock).FollowAsync(id, RemoteFollower.UsualPatience, cancellationToken), cancellationToken);
            call.Output.Summary(last!);
            return Ending.ExitCode(last!);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            call.Output.Say("left", $"The maintenance goes on without you. Come back with 'drydock watch {id}', stop it with 'drydock cancel {id}'.");
            return ExitCodes.Interrupted;
        }
    }
}

using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>rollout start|list|show|watch|pause|resume|stop|abort|skip|retry</c>: several nodes, one after the other or a few at a time.</summary>
internal static class RolloutVerb
{
    public static Command Create(Terminal terminal) => new Verb(
        "rollout", "Maintain several nodes, one after the other or a few at a time.", "drydock rollout start worker-1 worker-2", "drydock rollout list")
    {
        Start(terminal),
        List(terminal),
        Show(terminal),
        Signal(terminal, "pause", "Take no new node until told to resume; those under maintenance go on.", static (client, id, reason, token) => client.PauseRolloutAsync(id, reason, token)),
        Signal(terminal, "resume", "Let a paused rollout go on, with a new failure budget.", static (client, id, reason, token) => client.ResumeRolloutAsync(id, reason, token)),
        Signal(terminal, "stop", "Take no new node any more; those under maintenance go on to their end.", static (client, id, reason, token) => client.StopRolloutAsync(id, reason, token)),
        Abort(terminal),
        Watch(terminal),
        SignalNode(terminal, "skip", "Leave out a node whose turn has not come.", static (client, id, node, reason, token) => client.SkipRolloutNodeAsync(id, node, reason, token)),
        SignalNode(terminal, "retry", "Take a node again that failed, was cancelled or was left out.", static (client, id, node, reason, token) => client.RetryRolloutNodeAsync(id, node, reason, token)),
    };

    private static Verb Start(Terminal terminal)
    {
        var nodes = new Argument<string[]>("nodes") { Description = "The nodes in order; else --selector or --kubelet-below.", Arity = ArgumentArity.ZeroOrMore };
        var options = new RolloutOptions();
        var verb = new Verb(
            "start",
            "Start a rollout.",
            "drydock rollout start worker-1 worker-2 --on-failures stop",
            "drydock rollout start -l zone=a --max-unavailable 2",
            "drydock rollout start --kubelet-below v1.33.0 --max-unavailable 10% --canary 1 --soak 30m")
        {
            nodes,
        };
        options.AddTo(verb);
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var view = await call.Client.CreateRolloutAsync(options.Create(call.Parsed, call.Parsed.GetValue(nodes)!), null, cancellationToken);
            call.Output.Document(view, Lines(view));
            return ExitCodes.Done;
        });
    }

    private static Verb List(Terminal terminal) => ServerVerb.Create(terminal, new Verb("list", "List rollouts, the newest first."), async (call, cancellationToken) =>
    {
        var rollouts = await call.Client.ListAllRolloutsAsync(cancellationToken);
        call.Output.Document(
            rollouts,
            rollouts.Count == 0 ? ["No rollouts."] : Columns.Align("", [["ID", "STATE", "NODES", "MESSAGE"], .. rollouts.Select(r => new[] { r.Id, r.State, $"{r.Done}/{r.Total}", r.Message })]));
        return ExitCodes.Done;
    });

    private static Verb Show(Terminal terminal)
    {
        var id = Id();
        return ServerVerb.Create(terminal, new Verb("show", "Show a rollout with its nodes.") { id }, async (call, cancellationToken) =>
        {
            var view = await call.Client.GetRolloutAsync(call.Parsed.GetValue(id)!, cancellationToken);
            call.Output.Document(view, Lines(view));
            return ExitCodes.Done;
        });
    }

    private static Verb Watch(Terminal terminal)
    {
        var id = Id();
        var verb = new Verb(
            "watch",
            "Follow a rollout to its end; the exit code is 0 if it completed and no node failed. Ctrl-C ends the watching, not the rollout.",
            "drydock rollout watch r-20260102030405-ab12",
            "drydock rollout watch r-20260102030405-ab12 -o json | jq -c '.rollout.nodes[] | select(.state==\"Failed\")'") { id };
        return ServerVerb.Create(terminal, verb, (call, cancellationToken) => RolloutFollowing.FollowAsync(call, call.Parsed.GetValue(id)!, cancellationToken));
    }

    private static Verb Abort(Terminal terminal)
    {
        var verb = Signal(
            terminal,
            "abort",
            "Cancel a rollout and the maintenances it has under way; their nodes are put back.",
            static (client, id, reason, token) => client.CancelRolloutAsync(id, reason, token));
        verb.Aliases.Add("cancel");
        return verb;
    }

    private static Verb Signal(
        Terminal terminal, string name, string description, Func<DrydockApiClient, string, string?, CancellationToken, Task<RolloutView>> signal)
    {
        var (id, reason) = (Id(), CommonOptions.Reason());
        return ServerVerb.Create(terminal, new Verb(name, description, $"drydock rollout {name} r-20260102030405-ab12") { id, reason }, async (call, cancellationToken) =>
        {
            var view = await signal(call.Client, call.Parsed.GetValue(id)!, call.Parsed.GetValue(reason), cancellationToken);
            call.Output.Document(view, Lines(view));
            return ExitCodes.Done;
        });
    }

    private static Verb SignalNode(
        Terminal terminal, string name, string description, Func<DrydockApiClient, string, string, string?, CancellationToken, Task<RolloutView>> signal)
    {
        var (id, reason) = (Id(), CommonOptions.Reason());
        var node = new Argument<string>("node") { Description = "The node." };
        var verb = new Verb(name, description, $"drydock rollout {name} r-20260102030405-ab12 worker-3") { id, node, reason };
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var view = await signal(call.Client, call.Parsed.GetValue(id)!, call.Parsed.GetValue(node)!, call.Parsed.GetValue(reason), cancellationToken);
            call.Output.Document(view, Lines(view));
            return ExitCodes.Done;
        });
    }

    private static Argument<string> Id() => new("id") { Description = "The id of the rollout." };

    private static IEnumerable<string> Lines(RolloutView view)
    {
        yield return $"Rollout {view.Id}: {view.State}. {view.Message}";
        if (view.EstimatedEnd is { } end)
        {
            yield return $"  At this pace it ends at {end.UtcDateTime:yyyy-MM-dd HH:mm}Z.";
        }

        foreach (var line in Columns.Align("  ", [.. view.Nodes.Select(node => new[] { node.Node, node.State, node.MaintenanceId ?? "", node.Message ?? "" })]))
        {
            yield return line;
        }
    }
}

using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>rollout start|list|show|cancel</c>: several nodes, one after the other or a few at a time.</summary>
internal static class RolloutVerb
{
    public static Command Create(Terminal terminal) => new Verb(
        "rollout", "Maintain several nodes, one after the other or a few at a time.", "drydock rollout start worker-1 worker-2", "drydock rollout list")
    {
        Start(terminal), List(terminal), Show(terminal), Cancel(terminal),
    };

    private static Verb Start(Terminal terminal)
    {
        var nodes = new Argument<string[]>("nodes") { Description = "The nodes in order; else --selector.", Arity = ArgumentArity.ZeroOrMore };
        var selector = new Option<string?>("--selector", "-l") { Description = "Nodes by label, as in kubectl.", HelpName = "labels" };
        var unavailable = new Option<int?>("--max-unavailable") { Description = "Nodes that may be unavailable at a time. Default 1.", HelpName = "n" };
        var failures = new Option<int?>("--failure-budget") { Description = "Nodes that may fail before --on-failures decides. Default 1: the first.", HelpName = "n" };
        var onFailures = CommonOptions.Choice("--on-failures", "When that many failed. Default pause.", ("pause", "Pause"), ("stop", "Stop"));
        var policy = new PolicyOptions();
        var verb = new Verb("start", "Start a rollout.", "drydock rollout start worker-1 worker-2 --on-failures stop", "drydock rollout start -l zone=a --max-unavailable 2")
        {
            nodes, selector, unavailable, failures, onFailures,
        };
        policy.AddTo(verb);
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var settings = policy.Create(call.Parsed, "");
            var names = call.Parsed.GetValue(nodes)!;
            var view = await call.Client.CreateRolloutAsync(
                new RolloutCreate
                {
                    Nodes = names.Length == 0 ? null : names,
                    Selector = call.Parsed.GetValue(selector),
                    MaxUnavailable = call.Parsed.GetValue(unavailable),
                    FailureBudget = call.Parsed.GetValue(failures),
                    OnFailures = call.Parsed.GetValue(onFailures),
                    Reason = settings.Reason,
                    Maintenance = new MaintenanceSettings
                    {
                        Action = settings.Action,
                        Drain = settings.Drain,
                        VirtualMachines = settings.VirtualMachines,
                        Health = settings.Health,
                        OnFailure = settings.OnFailure,
                        LeaseWait = settings.LeaseWait,
                    },
                },
                null,
                cancellationToken);
            call.Output.Document(view, Lines(view));
            return ExitCodes.Done;
        });
    }

    private static Verb List(Terminal terminal) => ServerVerb.Create(terminal, new Verb("list", "List rollouts, the newest first."), async (call, cancellationToken) =>
    {
        var rollouts = await call.Client.ListRolloutsAsync(cancellationToken);
        call.Output.Document(
            rollouts,
            rollouts.Count == 0 ? ["No rollouts."] : Columns.Align("", [["ID", "STATE", "NODES", "MESSAGE"], .. rollouts.Select(r => new[] { r.Id, r.State, $"{r.Nodes.Count}", r.Message })]));
        return ExitCodes.Done;
    });

    private static Verb Show(Terminal terminal)
    {
        var id = new Argument<string>("id") { Description = "The id of the rollout." };
        return ServerVerb.Create(terminal, new Verb("show", "Show a rollout with its nodes.") { id }, async (call, cancellationToken) =>
        {
            var view = await call.Client.GetRolloutAsync(call.Parsed.GetValue(id)!, cancellationToken);
            call.Output.Document(view, Lines(view));
            return ExitCodes.Done;
        });
    }

    private static Verb Cancel(Terminal terminal)
    {
        var id = new Argument<string>("id") { Description = "The id of the rollout." };
        var reason = new Option<string?>("--reason") { Description = "Why, in your words.", HelpName = "text" };
        return ServerVerb.Create(terminal, new Verb("cancel", "Cancel a rollout and the maintenances it has under way.") { id, reason }, async (call, cancellationToken) =>
        {
            var view = await call.Client.CancelRolloutAsync(call.Parsed.GetValue(id)!, call.Parsed.GetValue(reason), cancellationToken);
            call.Output.Document(view, Lines(view));
            return ExitCodes.Done;
        });
    }

    private static IEnumerable<string> Lines(RolloutView view) =>
        Columns.Align("  ", [.. view.Nodes.Select(node => new[] { node.Node, node.State, node.MaintenanceId ?? "", node.Message ?? "" })])
            .Prepend($"Rollout {view.Id}: {view.State}. {view.Message}");
}

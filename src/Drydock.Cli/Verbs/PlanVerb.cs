using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Embedded;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>plan NODE...</c>: what would happen to every pod and VM. Reads only, needs neither server nor database.</summary>
internal static class PlanVerb
{
    public static Command Create(Terminal terminal)
    {
        var (nodes, kubeconfig, context, output) = (CommonOptions.Nodes(), CommonOptions.Kubeconfig(), CommonOptions.Context(), CommonOptions.Output());
        var policy = new PolicyOptions();
        var verb = new Verb(
            "plan",
            "What a maintenance would do to every pod and virtual machine on a node, and why; and everything in its way. Several nodes are planned as drained together. Changes nothing.",
            "drydock plan worker-1",
            "drydock plan worker-1 --delete-emptydir-data --force",
            "drydock plan worker-1 worker-2 worker-3",
            "drydock plan worker-1 -o json | jq '.vms[] | select(.fate==\"Blocks\")'") { nodes, kubeconfig, context, output };
        policy.AddTo(verb);
        var files = new PolicyFileOptions();
        files.AddTo(verb);
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var connection = CommonOptions.Connection(parsed.GetValue(kubeconfig), parsed.GetValue(context));
            // The hub is never started here, so the file is never made.
            await using var drydock = EmbeddedDrydock.Build(connection, "unused.db", terminal.Variable("DRYDOCK_DEBUG") is not null, files.Read(parsed));
            var paper = terminal.Paper(parsed.GetValue(output));
            if (parsed.GetValue(nodes) is not [var node])
            {
                var together = (await drydock.Maintenances.PlanTogetherAsync(
                    new PlanCreate(policy.Create(parsed, "")) { Nodes = parsed.GetValue(nodes) }, cancellationToken)).ValueOrThrow();
                paper.Document(together, PlanText.Lines(together));
                return together.CanStart ? ExitCodes.Done : ExitCodes.Refused;
            }

            var plan = await ReadAsync(drydock, policy.Create(parsed, node), cancellationToken);
            paper.Document(plan, PlanText.Lines(plan));
            return plan.CanStart ? ExitCodes.Done : ExitCodes.Refused;
        });
        return verb;
    }

    /// <summary>The plan, or the sentence that says why there is none.</summary>
    public static async Task<PlanView> ReadAsync(EmbeddedDrydock drydock, MaintenanceCreate request, CancellationToken cancellationToken) =>
        (await drydock.Maintenances.PlanAsync(request, cancellationToken)).ValueOrThrow();
}

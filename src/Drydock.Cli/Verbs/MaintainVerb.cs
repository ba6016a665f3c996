using System.CommandLine;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Embedded;

namespace Drydock.Cli.Verbs;

/// <summary><c>maintain NODE</c>: the whole maintenance without a server.</summary>
internal static class MaintainVerb
{
    public static Command Create(Terminal terminal)
    {
        var (node, kubeconfig, context, output) = (CommonOptions.Node(), CommonOptions.Kubeconfig(), CommonOptions.Context(), CommonOptions.Output());
        var cancel = new Option<bool>("--cancel") { Description = "Stop the maintenance of this node and put everything back." };
        var complete = new Option<bool>("--complete") { Description = "The work on the held node is done: check its health and put it back." };
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask before it begins." };
        var dryRun = new Option<string?>("--dry-run")
        {
            Description = "'plan' shows what would happen and changes nothing.",
            HelpName = "plan",
        };
        dryRun.AcceptOnlyFromAmong("plan");
        var policy = new PolicyOptions();
        var verb = new Verb(
            "maintain",
            "Maintain a node without a server: drain it, wait until it is healthy, put it back. Durable: after a crash, a Ctrl-C or a closed laptop the same command goes on where it was.",
            "drydock maintain worker-1 --kubeconfig ~/.kube/prod",
            "drydock maintain worker-1 --hold --reason 'new disk'      # drained and held; then, in another run:",
            "drydock maintain worker-1 --complete",
            "drydock maintain worker-1 --cancel                        # stop and put everything back",
            "drydock maintain worker-1 --delete-emptydir-data --force --timeout 30m --yes") { node, kubeconfig, context, cancel, complete, yes, dryRun, output };
        policy.AddTo(verb);
        var files = new PolicyFileOptions();
        files.AddTo(verb);
        verb.SetAction((parsed, cancellationToken) => new MaintainRun(
            new MaintainOptions(
                policy.Create(parsed, parsed.GetValue(node)!),
                CommonOptions.Connection(parsed.GetValue(kubeconfig), parsed.GetValue(context)),
                Again(parsed.GetValue(node)!, parsed.GetValue(kubeconfig), parsed.GetValue(context)))
            {
                Wish = parsed.GetValue(cancel) ? MaintainWish.Cancel : parsed.GetValue(complete) ? MaintainWish.Complete
                    : parsed.GetValue(dryRun) is null ? MaintainWish.Go : MaintainWish.PlanOnly,
                Files = files.Read(parsed),
                AskFirst = terminal.IsInteractive && !parsed.GetValue(yes) && parsed.GetValue(output) == OutputFormat.Text,
            },
            terminal.Paper(parsed.GetValue(output)),
            terminal).RunAsync(cancellationToken));
        return verb;
    }

    private static string Again(string node, string? kubeconfig, string? context) =>
        $"drydock maintain {node}{(kubeconfig is null ? "" : $" --kubeconfig {kubeconfig}")}{(context is null ? "" : $" --context {context}")}";
}

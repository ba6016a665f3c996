using System.CommandLine;
using Drydock.Cli.CommandLine;
using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Cli.Verbs;

/// <summary><c>restore NODE</c>: undo from the marks in the cluster alone.</summary>
internal static class RestoreVerb
{
    public static Command Create(Terminal terminal)
    {
        var (node, kubeconfig, context, output) = (CommonOptions.Node(), CommonOptions.Kubeconfig(), CommonOptions.Context(), CommonOptions.Output());
        var running = new Option<bool>("--even-if-running") { Description = "Also if the maintenance that holds the node still renews its lease." };
        var verb = new Verb(
            "restore",
            "Put a node back from the marks on it: needs no server and no database, for when the ones that began it are lost.",
            "drydock restore worker-1",
            "drydock restore worker-1 --kubeconfig ~/.kube/prod --context admin") { node, kubeconfig, context, running, output };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var name = parsed.GetValue(node)!;
            await using var cluster = KubernetesCluster.Open(
                CommonOptions.Connection(parsed.GetValue(kubeconfig), parsed.GetValue(context)), terminal.Clock);
            var result = await new NodeRestore(cluster, cluster, terminal.Clock).RestoreAsync(name, parsed.GetValue(running), cancellationToken);
            if (result.IsRefused)
            {
                throw Refusal(name, result);
            }

            terminal.Paper(parsed.GetValue(output)).Document(result, Lines(name, result));
            return result.LeftBehind.Count == 0 ? ExitCodes.Done : ExitCodes.Failed;
        });
        return verb;
    }

    /// <summary>Why nothing was put back, and what to do.</summary>
    internal static CommandFailedException Refusal(string node, RestoreResult result) => result.IsNodeGone
        ? new CommandFailedException(
            ExitCodes.BadInput, $"The cluster has no node '{node}', and nothing carries a mark of a maintenance of it.", "List them with 'kubectl get nodes'.")
        : new CommandFailedException(
            ExitCodes.Refused,
            $"{result.LeftBehind[0]} Nothing was changed.",
            "Cancel it where it runs; if it was ended there by force, or its server is lost, say --even-if-running.");

    private static IEnumerable<string> Lines(string node, RestoreResult result)
    {
        yield return result.Done.Count == 0 && result.LeftBehind.Count == 0
            ? $"Node {node} carries no mark of a maintenance; nothing to put back."
            : $"Node {node}: {result.Done.Count} put back, {result.LeftBehind.Count} left behind.";
        if (result.IsNodeGone)
        {
            yield return "  The cluster has no node of that name any more: what was stopped and held for it is put back.";
        }

        foreach (var line in result.Done)
        {
            yield return $"  {line}";
        }

        foreach (var line in result.LeftBehind)
        {
            yield return $"  LEFT BEHIND: {line}";
        }
    }
}

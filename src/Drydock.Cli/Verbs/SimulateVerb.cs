using System.CommandLine;
using System.Net;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Demo;

namespace Drydock.Cli.Verbs;

/// <summary><c>simulate</c>: only the cluster.</summary>
internal static class SimulateVerb
{
    public static Command Create(Terminal terminal)
    {
        var scenario = ScenarioOption.Create();
        var listen = new Option<IPEndPoint>("--listen")
        {
            Description = "Where its API server listens; port 0 takes a free one.",
            HelpName = "127.0.0.1:port",
            DefaultValueFactory = _ => new IPEndPoint(IPAddress.Loopback, 0),
            CustomParser = result =>
            {
                if (IPEndPoint.TryParse(result.Tokens[0].Value, out var endpoint) && endpoint.Address.Equals(IPAddress.Loopback))
                {
                    return endpoint;
                }

                result.AddError($"'{result.Tokens[0].Value}' is not allowed for --listen; give 127.0.0.1:PORT (there is no login, so only this machine may connect).");
                return null;
            },
        };
        var kubeconfigOut = new Option<string>("--kubeconfig-out") { Description = "Where to write the kubeconfig.", HelpName = "file", DefaultValueFactory = _ => "drydock-simulated.kubeconfig" };
        var speed = ScenarioOption.Speed();
        var output = CommonOptions.Output();
        var verb = new Verb(
            "simulate",
            "Run a simulated Kubernetes cluster with KubeVirt behind a real Kubernetes API until Ctrl-C, and write a kubeconfig for it.",
            "drydock simulate",
            "drydock simulate --scenario disruption-budget --listen 127.0.0.1:6443 --kubeconfig-out /tmp/kubeconfig",
            "kubectl --kubeconfig drydock-simulated.kubeconfig get nodes,pods,vmi -A") { scenario, listen, kubeconfigOut, speed, output };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var chosen = ScenarioOption.Read(parsed.GetValue(scenario)!);
            var file = Path.GetFullPath(parsed.GetValue(kubeconfigOut)!);
            await using var cluster = await DemoCluster.StartAsync(
                chosen, parsed.GetValue(listen)!.Port, parsed.GetValue(speed), terminal.Clock, cancellationToken);
            await WriteAsync(cluster, file, cancellationToken);
            var node = chosen.Maintain ?? "NODE";
            terminal.Paper(parsed.GetValue(output)).Say(
                "listening",
                $"""
                Simulated cluster '{chosen.Name}' at {cluster.Address}: {chosen.Description.ReplaceLineEndings(" ").Trim()}
                Try, in another terminal:
                  export KUBECONFIG={file}
                  kubectl get nodes,pods,vmi -A
                  drydock plan {node}
                  drydock maintain {node}
                  kubectl drain {node} --ignore-daemonsets --delete-emptydir-data
                Ctrl-C ends it; nothing is kept.
                """,
                new { address = cluster.Address, kubeconfig = file, scenario = chosen.Name });
            await cancellationToken.WhenCancelledAsync();
            return ExitCodes.Done;
        });
        return verb;
    }

    private static async Task WriteAsync(DemoCluster cluster, string file, CancellationToken cancellationToken)
    {
        try
        {
            await cluster.WriteKubeconfigAsync(file, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.BadInput, $"The kubeconfig cannot be written to {file}: {exception.Message}", "Name another with --kubeconfig-out.", exception);
        }
    }
}

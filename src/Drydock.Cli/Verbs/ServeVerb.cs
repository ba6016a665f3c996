using System.CommandLine;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Demo;
using Drydock.Cli.Output;
using Drydock.Cli.Processes;
using Drydock.Server;
using Drydock.Server.Admission;
using Drydock.Server.Callers;
using Drydock.Server.Telemetry;
using Drydock.Server.Tls;
using Microsoft.Extensions.Logging;

namespace Drydock.Cli.Verbs;

/// <summary><c>serve</c>: the server.</summary>
internal static class ServeVerb
{
    public static Command Create(Terminal terminal)
    {
        var (kubeconfig, context, output) = (CommonOptions.Kubeconfig(), CommonOptions.Context(), CommonOptions.Output());
        var inCluster = new Option<bool>("--in-cluster") { Description = "Use the service account of the pod this runs in." };
        var simulate = new Option<string?>("--simulate")
        {
            Description = "Serve a simulated cluster instead: a scenario by name or file.",
            HelpName = "scenario",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var database = new Option<string>("--db") { Description = "The task hub: a file whose folder exists, a PostgreSQL database that several servers share: 'Host=…;Database=…;Username=…;Passfile=…', or a hub elsewhere, such as the Durable Task Scheduler: 'Endpoint=…;TaskHub=…;Authentication=…'.", HelpName = "file|connection", DefaultValueFactory = _ => "drydock.db" };
        var urls = new Option<string[]>("--urls") { Description = "Where it listens; port 0 takes a free one.", HelpName = "url", DefaultValueFactory = _ => [DrydockOptions.DefaultUrl] };
        var hubListen = HubVerb.Listen("--hub-listen", "Also serve task hubs to any Durable Task SDK (gRPC); the one of the maintenances is named 'drydock', callers without a name get another.", null);
        var hubToken = HubVerb.TokenFile();
        var access = CommonOptions.Choice(
            "--access", "How callers show who they are: by a token of the cluster, or not at all, which serves loopback and a simulated cluster only. Default kubernetes; none with --simulate.",
            ("kubernetes", nameof(AccessMode.Kubernetes)), ("none", nameof(AccessMode.None)));
        var certificate = new Option<string?>("--tls-certificate") { Description = "PEM file with the certificate of https addresses; without it one is made at each start.", HelpName = "file" };
        var key = new Option<string?>("--tls-key") { Description = "PEM file with its private key.", HelpName = "file" };
        var webhook = HubVerb.Listen("--webhook-listen", "Also serve the validating webhook of NodeMaintenance there, over TLS; by default with a certificate of its own, kept in a Secret.", null);
        var webhookCertificates = new Option<DirectoryInfo?>("--webhook-certificates") { Description = "The folder with tls.crt and tls.key for the webhook, as cert-manager makes them; read again when they change.", HelpName = "folder" };
        var config = new Option<string?>("--config") { Description = "The configuration file; infra/drydock.yaml explains every field. The command line goes before the environment (DRYDOCK__…), that before the file.", HelpName = "file" };
        var logFormat = CommonOptions.Choice("--log-format", "How lines of the log look. Default text.", ("text", nameof(LogFormat.Text)), ("json", nameof(LogFormat.Json)));
        var parallel = new Option<int?>("--max-parallel-evictions") { Description = "Evictions under way at once, over all nodes; servers on one PostgreSQL share them evenly, with Endpoint=… each has as many. Default 50.", HelpName = "1-1000" };
        var stopWithStdin = new Option<bool>("--stop-with-stdin") { Hidden = true };
        var verb = new Verb(
            "serve",
            "Run the server: REST under /api/v1, the NodeMaintenance operator and the worker, on an embedded durable task hub. SIGTERM or Ctrl-C ends it; maintenances go on at the next start.",
            "drydock serve                                            # the cluster of your kubeconfig",
            "drydock serve --kubeconfig ~/.kube/prod --db /var/lib/drydock/prod.db",
            "drydock serve --db 'Host=db;Database=drydock;Username=drydock;Passfile=/run/secrets/pgpass'   # run as many as you like",
            "drydock serve --db 'Endpoint=https://NAME.durabletask.io;TaskHub=HUB;Authentication=DefaultAzure'",
            "drydock serve --urls https://0.0.0.0:8443 --tls-certificate tls.crt --tls-key tls.key",
            "drydock serve --simulate healthy",
            "curl http://127.0.0.1:5480/api/v1/maintenances")
        {
            kubeconfig, context, inCluster, simulate, database, urls, hubListen, hubToken, webhook, webhookCertificates, access, certificate, key, config, logFormat,
            parallel, stopWithStdin, output,
        };
        var files = new PolicyFileOptions();
        files.AddTo(verb);
        var limits = new HubLimitOptions();
        limits.AddTo(verb);
        var publicUrl = new Option<string?>("--public-url") { Description = "The address under which others reach this server: where webhooks call back.", HelpName = "url" };
        verb.Options.Add(publicUrl);
        verb.Validators.Add(result =>
        {
            var ways = new[] { result.GetResult(kubeconfig), result.GetResult(inCluster), result.GetResult(simulate) }.Count(way => way is { Implicit: false });
            if (ways > 1)
            {
                result.AddError("Give one of --kubeconfig, --in-cluster and --simulate.");
            }
        });
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var paper = terminal.Paper(parsed.GetValue(output));
            await using var simulated = parsed.GetResult(simulate) is { Implicit: false }
                ? await DemoCluster.StartAsync(ScenarioOption.Read(parsed.GetValue(simulate) ?? "healthy"), 0, 1, 1, terminal.Clock, cancellationToken)
                : null;
            var hub = await HubVerb.ReadTokenAsync(parsed.GetValue(hubToken), cancellationToken);
            var file = parsed.GetValue(config);
            var configureHub = limits.Read(parsed);
            var options = Read();
            return await ServeAsync(
                options with { Reload = file is null ? null : new OptionsSource(Path.GetFullPath(file), Read) }, simulated, parsed.GetValue(stopWithStdin), paper, cancellationToken);

            // What the command line says goes before what is read; its defaults do not.
            DrydockOptions Read()
            {
                var read = SettingsFile.Read(file, Variables(), new DrydockOptions
                {
                    Hub = HubStore.FromPlace(parsed.GetValue(database)!),
                    Access = new AccessOptions { Mode = parsed.GetValue(access) is { } wanted ? Enum.Parse<AccessMode>(wanted) : simulated is null ? AccessMode.Kubernetes : AccessMode.None },
                    SecretsFolder = files.Read(parsed).Secrets,
                    LogLevel = terminal.Variable("DRYDOCK_DEBUG") is null ? LogLevel.Warning : LogLevel.Debug,
                });
                var mode = parsed.GetValue(access) is { } said ? Enum.Parse<AccessMode>(said) : read.Access.Mode;
                return read with
                {
                    Hub = Given(database) ? HubStore.FromPlace(parsed.GetValue(database)!) : read.Hub,
                    Cluster = simulated?.Connection
                        ?? CommonOptions.Connection(parsed.GetValue(kubeconfig), parsed.GetValue(context)) with { InCluster = parsed.GetValue(inCluster) },
                    Urls = Given(urls) ? parsed.GetValue(urls)! : read.Urls,
                    MaxParallelEvictions = parsed.GetValue(parallel) ?? read.MaxParallelEvictions,
                    HubListen = parsed.GetValue(hubListen),
                    HubToken = hub,
                    ConfigureHub = configureHub,
                    PoliciesFile = files.Read(parsed).Policies,
                    PublicUrl = parsed.GetValue(publicUrl),
                    Webhook = parsed.GetValue(webhook) is { } listen ? new WebhookOptions(listen) { CertificateFolder = parsed.GetValue(webhookCertificates)?.FullName } : null,
                    Access = read.Access with { Mode = mode },
                    Tls = new TlsOptions { CertificateFile = parsed.GetValue(certificate) ?? read.Tls.CertificateFile, KeyFile = parsed.GetValue(key) ?? read.Tls.KeyFile },
                    LogFormat = parsed.GetValue(logFormat) is { } format ? Enum.Parse<LogFormat>(format) : read.LogFormat,
                };
            }

            bool Given(Option option) => parsed.GetResult(option) is { Implicit: false };
        });
        return verb;
    }

    private static Dictionary<string, string> Variables() => Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
        .ToDictionary(each => (string)each.Key, each => (string?)each.Value ?? "", StringComparer.Ordinal);

    private static async Task<int> ServeAsync(DrydockOptions options, DemoCluster? simulated, bool stopWithStdin, IOutput paper, CancellationToken cancellationToken)
    {
        // Not disposed: stdin may end at any moment until the process does.
        var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var app = DrydockHost.Build(options);
        await app.StartAsync(end.Token);
        var url = app.Urls.First();
        paper.Say(
            "listening",
            $"Drydock serves {url}/api/v1 (OpenAPI at {url}/openapi/v1.json){(simulated is null ? "" : $" for the simulated cluster at {simulated.Address}")}. Ctrl-C ends it.",
            new { url, process = Environment.ProcessId });
        if (stopWithStdin)
        {
            ParentWatch.WhenParentDies(end.Cancel);
        }

        await end.Token.WhenCancelledAsync();
        await app.StopAsync(CancellationToken.None);
        return ExitCodes.Done;
    }
}

using System.CommandLine;
using System.Net;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Processes;
using Drydock.DurableTask.TaskHub.Endpoint;
using Drydock.Server;
using Microsoft.Extensions.Logging;

namespace Drydock.Cli.Verbs;

/// <summary><c>hub</c>: the durable task hub alone, for any Durable Task SDK.</summary>
internal static class HubVerb
{
    public static Command Create(Terminal terminal)
    {
        var listen = Listen("--listen", "Where it listens, in clear text HTTP/2 (gRPC); port 0 takes a free one.", TaskHubServerOptions.DefaultAddress);
        var database = new Option<string>("--db") { Description = "The file of the default task hub, whose folder exists; other hubs are files beside it. Or a PostgreSQL database that several processes share, with a schema for each hub: 'Host=…;Database=…;Username=…;Passfile=…'.", HelpName = "file|connection", DefaultValueFactory = _ => "taskhub.db" };
        var token = TokenFile();
        var deletion = new Option<bool>("--allow-hub-deletion") { Description = "Let callers delete a task hub and everything in it (DeleteTaskHub, CreateTaskHub with recreate)." };
        var stopWithStdin = new Option<bool>("--stop-with-stdin") { Hidden = true };
        var output = CommonOptions.Output();
        var verb = new Verb(
            "hub",
            "Run only the durable task hub: a gRPC endpoint (TaskHubSidecarService) for workers and clients of any Durable Task SDK, in any language, "
            + "on a SQLite file or a PostgreSQL database. The header 'taskhub' names a hub; each has a file or schema of its own. Ctrl-C lets workers finish what they hold, and ends it.",
            "drydock hub                                                   # 127.0.0.1:4001, where SDKs look; state in taskhub.db",
            "drydock hub --listen 127.0.0.1:4100 --db /var/lib/drydock/orders.db",
            "drydock hub --retain completed=30d --retain failed=90d         # what has ended is not kept for ever",
            "drydock hub --listen 0.0.0.0:4001 --token-file /run/secrets/hub   # other machines: with a bearer token",
            "new TaskHubGrpcClient({ hostAddress: '127.0.0.1:4001' })      # JavaScript: npm install @microsoft/durabletask-js",
            "builder.UseGrpc(\"http://127.0.0.1:4001\")                      # .NET: Microsoft.DurableTask.Worker.Grpc") { listen, database, token, deletion, stopWithStdin, output };
        var limits = new HubLimitOptions();
        limits.AddTo(verb);
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var options = new TaskHubServerOptions
            {
                Listen = parsed.GetValue(listen)!,
                Token = await ReadTokenAsync(parsed.GetValue(token), cancellationToken),
                AllowHubDeletion = parsed.GetValue(deletion),
            };
            if (options.Validate() is { Count: > 0 } errors)
            {
                throw new CommandFailedException(ExitCodes.BadInput, string.Join(' ', errors), "Give one with --token-file FILE.");
            }

            var paper = terminal.Paper(parsed.GetValue(output));
            var store = Read(parsed.GetValue(database)!);
            var place = store is HubStore.Sqlite { Path: var file } ? file : "on PostgreSQL";
            using var loggers = LoggerFactory.Create(logging => logging
                .SetMinimumLevel(terminal.Variable("DRYDOCK_DEBUG") is null ? LogLevel.Warning : LogLevel.Debug)
                .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
            await using var hubs = store is HubStore.PostgreSql { ConnectionString: var connection }
                ? TaskHubDirectory.OnPostgreSql(connection, limits.Read(parsed), terminal.Clock, loggers)
                : new TaskHubDirectory(place, limits.Read(parsed), terminal.Clock, loggers);
            await using var server = new TaskHubServer(hubs, options, terminal.Clock, loggers);

            // Not disposed: stdin may end at any moment until the process does.
            var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await server.StartAsync(end.Token);
            paper.Say(
                "listening",
                $"Task hub '{place}' at {server.Address.Authority} for any Durable Task SDK{(options.Token is null ? "" : ", with the bearer token")}. Ctrl-C ends it.",
                new { address = server.Address, file = place, process = Environment.ProcessId });
            if (parsed.GetValue(stopWithStdin))
            {
                ParentWatch.WhenParentDies(end.Cancel);
            }

            await end.Token.WhenCancelledAsync();
            await server.StopAsync(CancellationToken.None);
            return ExitCodes.Done;
        });
        return verb;
    }

    private static HubStore Read(string place)
    {
        var error = HubStore.Read(HubStore.FromPlace(place), out var store)
            ?? (store is HubStore.Remote { Address.Endpoint: var endpoint } ? $"hub: {endpoint} is a task hub itself; let workers and clients call it." : null);
        return error is null ? store! : throw new CommandFailedException(ExitCodes.BadInput, error, "Give --db FILE or --db 'Host=…;Database=…;Username=…'.");
    }

    /// <summary>An option that says where to listen.</summary>
    public static Option<IPEndPoint?> Listen(string name, string description, IPEndPoint? otherwise)
    {
        var option = new Option<IPEndPoint?>(name)
        {
            Description = description,
            HelpName = "address:port",
            CustomParser = result =>
            {
                var text = result.Tokens[0].Value.Replace("localhost", "127.0.0.1", StringComparison.OrdinalIgnoreCase);
                if (text.Contains(':') && IPEndPoint.TryParse(text, out var endpoint))
                {
                    return endpoint;
                }

                result.AddError($"'{result.Tokens[0].Value}' is not allowed for {name}; give ADDRESS:PORT, such as 127.0.0.1:4001.");
                return null;
            },
        };
        if (otherwise is not null)
        {
            option.DefaultValueFactory = _ => otherwise;
        }

        return option;
    }

    /// <summary>The option that names the file with the bearer token of the hub.</summary>
    public static Option<string?> TokenFile() => new("--token-file")
    {
        Description = "The file with the bearer token that callers of the hub must send; needed to listen on other than a loopback address.",
        HelpName = "file",
    };

    /// <summary>The token in a file, without the line end; null if no file is named.</summary>
    public static async Task<string?> ReadTokenAsync(string? file, CancellationToken cancellationToken)
    {
        if (file is null)
        {
            return null;
        }

        try
        {
            return (await File.ReadAllTextAsync(file, cancellationToken)).Trim();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.BadInput, $"The token cannot be read from {file}: {exception.Message}", "Name a file that this user can read.", exception);
        }
    }
}

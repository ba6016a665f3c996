using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary>What a verb that talks to a server gets.</summary>
internal sealed record ServerCall(ParseResult Parsed, DrydockApiClient Client, Uri Server, IOutput Output, Terminal Terminal);

/// <summary>Makes verbs that talk to a server: <c>--server</c>, <c>--token</c>, <c>-o</c>, and one sentence if nobody answers.</summary>
internal static class ServerVerb
{
    /// <summary>A verb with these symbols and this action.</summary>
    public static Verb Create(Terminal terminal, Verb verb, Func<ServerCall, CancellationToken, Task<int>> run)
    {
        var server = new ServerOptions();
        var output = CommonOptions.Output();
        server.AddTo(verb);
        verb.Options.Add(output);
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var address = server.Address(parsed);
            var call = new ServerCall(parsed, server.Client(parsed, terminal), address, terminal.Paper(parsed.GetValue(output)), terminal);
            try
            {
                return await run(call, cancellationToken);
            }
            catch (HttpRequestException exception) when (exception is { StatusCode: null, InnerException: not System.Security.Authentication.AuthenticationException })
            {
                throw Failures.NoServer(address, exception);
            }
        });
        return verb;
    }
}

/// <summary>Who sits at this terminal.</summary>
internal static class Caller
{
    /// <summary><c>cli:user@host</c>: recorded with everything that is asked for.</summary>
    public static string Name => $"cli:{Environment.UserName}@{Environment.MachineName}";
}

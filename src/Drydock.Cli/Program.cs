using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Drydock.Cli.CommandLine;

namespace Drydock.Cli;

/// <summary>The <c>drydock</c> program: parses, runs one verb, and turns whatever happens into an exit code.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        using var session = new Session();
        return await RunAsync(arguments, Terminal.System, session.Token);
    }

    /// <summary>Runs a command line.</summary>
    public static async Task<int> RunAsync(string[] arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        var parsed = Commands.Root(terminal).Parse(arguments);
        var configuration = new InvocationConfiguration
        {
            Output = terminal.Output,
            Error = terminal.Error,
            EnableDefaultExceptionHandler = false,
            // Signals are the session's.
            ProcessTerminationTimeout = null,
        };
        if (parsed.Action is ParseErrorAction wrong)
        {
            await UsageErrors.WriteAsync(parsed, wrong, terminal.Error, cancellationToken);
            return ExitCodes.BadInput;
        }

        try
        {
            return await parsed.InvokeAsync(configuration, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }
        catch (Exception exception)
        {
            var failure = Failures.Explain(exception);
            terminal.Complain(failure);
            return failure.ExitCode;
        }
    }

    /// <summary>Replaces the help of the root, and so of every command, by the one with examples.</summary>
    internal static void Teach(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Action = new TeachingHelp((HelpAction)option.Action!);
        }
    }
}

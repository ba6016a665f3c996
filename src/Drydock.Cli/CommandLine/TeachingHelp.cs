using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Drydock.Cli.CommandLine;

/// <summary>The usual help, followed by the examples of the verb, and on the root by a first hour with the program and its exit codes.</summary>
internal sealed class TeachingHelp(HelpAction usual) : SynchronousCommandLineAction
{
    private const string FirstHour =
        """
        Try it without a cluster:
          drydock demo                              one node of a simulated cluster, from plan to uncordon
          drydock demo --crash                      the same, with the server killed twice on the way
          drydock simulate                          only the cluster, for kubectl

        Instead of kubectl drain:
          drydock plan worker-1                     what would happen to every pod and VM; changes nothing
          drydock maintain worker-1 --hold          drain, hold for your work, then check and restore
          drydock maintain worker-1 --cancel        stop and put everything back
          drydock restore worker-1                  undo from the marks on the node alone, if all else is lost

        With a server:
          drydock serve                             the API on http://127.0.0.1:5480
          drydock start worker-1                    start there; then: list, show, watch, cancel, history

        For your own workflows, in any language with a Durable Task SDK:
          drydock hub                               a durable task hub over gRPC on 127.0.0.1:4001

        Exit codes:
          0 done   1 failed   2 bad usage or bad input   3 refused, nothing changed   4 cancelled and put back   130 interrupted

        Durations are written 90s, 10m, 1h30m or PT1H30M. With -o json the output is for programs: one JSON document, or one
        JSON object per line where there is progress.
        """;

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        // The library wraps at the width of the terminal, and at 80 where there is none.
        usual.MaxWidth = Math.Max(usual.MaxWidth, 120);
        usual.Invoke(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        switch (parseResult.CommandResult.Command)
        {
            case RootCommand:
                output.WriteLine(FirstHour);
                break;
            case Verb { Examples.Count: > 0 } verb:
                output.WriteLine("Examples:");
                foreach (var example in verb.Examples)
                {
                    output.WriteLine($"  {example}");
                }

                break;
        }

        return ExitCodes.Done;
    }
}

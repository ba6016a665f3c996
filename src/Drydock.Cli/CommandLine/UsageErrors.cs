using System.CommandLine;
using System.CommandLine.Invocation;

namespace Drydock.Cli.CommandLine;

/// <summary>What is wrong with a command line: one sentence, the closest word if there is one, and where to read on.</summary>
internal static class UsageErrors
{
    private const string NoCommand = "Required command was not provided.";

    /// <summary>Writes it to stderr.</summary>
    public static async Task WriteAsync(ParseResult parsed, ParseErrorAction action, TextWriter error, CancellationToken cancellationToken)
    {
        // The library's own answer, for its suggestions; the whole help would bury the sentence.
        action.ShowHelp = false;
        using var answer = new StringWriter();
        using var ignored = new StringWriter();
        await parsed.InvokeAsync(new InvocationConfiguration { Output = answer, Error = ignored, ProcessTerminationTimeout = null }, cancellationToken);
        var sentence = parsed.Errors.Select(each => each.Message).OrderBy(message => message == NoCommand).First();
        await error.WriteLineAsync($"drydock: {Plain(sentence)}{Suggestion(answer.ToString())}");
        await error.WriteLineAsync($"drydock: See '{PathOf(parsed.CommandResult.Command)} --help'.");
    }

    private static string Plain(string message) => message
        .Replace("as expected type 'System.Int32'", "as a number", StringComparison.Ordinal)
        .Replace("as expected type 'System.Nullable`1[System.Int32]'", "as a number", StringComparison.Ordinal)
        .Replace("as expected type 'System.Boolean'", "as true or false", StringComparison.Ordinal);

    /// <summary>The first block of "'x' was not matched. Did you mean one of the following?" and the words below it.</summary>
    private static string Suggestion(string text)
    {
        var words = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Skip(1).TakeWhile(line => !line.Contains(' ')).Take(3).ToList();
        return words.Count == 0 ? "" : $" Did you mean {string.Join(" or ", words)}?";
    }

    private static string PathOf(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? $"{PathOf(parent)} {command.Name}" : "drydock";
}

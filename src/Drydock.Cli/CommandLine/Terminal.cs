using System.Text;
using Drydock.Cli.Output;

namespace Drydock.Cli.CommandLine;

/// <summary>What a verb may use of the world outside: where to write, the clock, the environment and whether anybody looks.</summary>
internal sealed class Terminal(TextWriter output, TextWriter error, TimeProvider clock, Func<string, string?> environment, bool isInteractive)
{
    /// <summary>This process's own console.</summary>
    public static Terminal System { get; } = new(
        Lines(Console.OpenStandardOutput()), Console.Error, TimeProvider.System, Environment.GetEnvironmentVariable, !Console.IsOutputRedirected && !Console.IsInputRedirected);

    // Console.Out hands on 256 bytes at a time: whoever reads our lines would find half a one when this process is killed.
    private static TextWriter Lines(Stream output) => TextWriter.Synchronized(
        new StreamWriter(output, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 1 << 16) { AutoFlush = true });

    /// <summary>Standard output.</summary>
    public TextWriter Output { get; } = output;

    /// <summary>Standard error.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; } = clock;

    /// <summary>Somebody sits in front of it and can be asked.</summary>
    public bool IsInteractive { get; } = isInteractive;

    /// <summary>An environment variable, or null if it is not set or empty.</summary>
    public string? Variable(string name) => environment(name) is { Length: > 0 } value ? value : null;

    /// <summary>The paper for a format.</summary>
    public IOutput Paper(OutputFormat format) => format switch
    {
        OutputFormat.Json => new JsonOutput(Output, Clock),
        _ when IsInteractive => new LiveOutput(Output, Clock),
        _ => new PlainOutput(Output, Clock),
    };

    /// <summary>Says on stderr why the program ends, and what to do about it.</summary>
    public void Complain(CommandFailedException failure)
    {
        Error.WriteLine($"drydock: {failure.Message}");
        if (failure.NextStep is { } next)
        {
            Error.WriteLine($"drydock: {next}");
        }

        if (Variable("DRYDOCK_DEBUG") is not null)
        {
            Error.WriteLine(failure);
        }
    }
}

/// <summary>How results are written.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Text,

    /// <summary>For programs.</summary>
    Json,
}

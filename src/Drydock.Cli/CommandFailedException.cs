namespace Drydock.Cli;

/// <summary>Ends the program with one sentence on stderr, what to do next and an exit code.</summary>
internal sealed class CommandFailedException(int exitCode, string sentence, string? nextStep = null, Exception? innerException = null)
    : Exception(sentence, innerException)
{
    /// <summary>One of <see cref="ExitCodes"/>.</summary>
    public int ExitCode { get; } = exitCode;

    /// <summary>One sentence on what to do about it, or null.</summary>
    public string? NextStep { get; } = nextStep;
}

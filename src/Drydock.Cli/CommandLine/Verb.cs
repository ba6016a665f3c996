using System.CommandLine;

namespace Drydock.Cli.CommandLine;

/// <summary>A command whose help ends with examples that can be pasted.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Command lines, each optionally followed by <c>  # what it does</c>.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;
}

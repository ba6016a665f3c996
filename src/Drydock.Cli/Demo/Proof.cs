namespace Drydock.Cli.Demo;

/// <summary>What the scenario expects of the cluster and what the cluster shows, read from the simulator's own store.</summary>
internal sealed record Proof(IReadOnlyList<ProofLine> Statements)
{
    /// <summary>Every statement holds.</summary>
    public bool Holds => Statements.All(statement => statement.Holds);

    /// <summary>✓ or ✗.</summary>
    public static string Mark(bool holds) => holds ? "✓" : "✗";

    /// <summary>The lines for people.</summary>
    public IEnumerable<string> Lines()
    {
        yield return "Proof, from the store of the cluster and its request log, not from our report";
        var rows = Statements.Select(statement => new[] { $"{Mark(statement.Holds)} {statement.Expected}", statement.Seen }).ToList();
        foreach (var line in Output.Columns.Align("  ", rows))
        {
            yield return line;
        }
    }
}

/// <summary>One statement.</summary>
/// <param name="Expected">What should be so.</param>
/// <param name="Seen">What is so.</param>
/// <param name="Holds">They agree.</param>
internal sealed record ProofLine(string Expected, string Seen, bool Holds);

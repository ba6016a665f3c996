using System.Runtime.CompilerServices;

namespace Drydock.Benchmarks.Engine;

/// <summary>Where the sources are: the scripts of the peers run from there, beside their packages.</summary>
internal static class SourceTree
{
    public static string Benchmarks { get; } = Path.GetDirectoryName(Path.GetDirectoryName(ThisFile()))!;

    private static string ThisFile([CallerFilePath] string path = "") => path;
}

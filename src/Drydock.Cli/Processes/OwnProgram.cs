using System.Diagnostics;

namespace Drydock.Cli.Processes;

/// <summary>How to start this program once more.</summary>
internal static class OwnProgram
{
    /// <summary>A start of this program with these arguments: through its own executable, or through <c>dotnet</c> if it was started so.</summary>
    public static ProcessStartInfo StartInfo(IEnumerable<string> arguments)
    {
        var self = Environment.ProcessPath ?? throw new InvalidOperationException("This platform does not tell the path of the process.");
        var start = new ProcessStartInfo(self) { UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(self).Equals("dotnet", StringComparison.OrdinalIgnoreCase))
        {
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "drydock.dll"));
        }

        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    /// <summary>The words a person types to start this program: <c>drydock</c>.</summary>
    public static string Name => "drydock";
}

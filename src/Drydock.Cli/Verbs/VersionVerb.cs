using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using Drydock.Cli.CommandLine;

namespace Drydock.Cli.Verbs;

/// <summary><c>version</c>.</summary>
internal static class VersionVerb
{
    public static Command Create(Terminal terminal)
    {
        var output = CommonOptions.Output();
        var verb = new Verb("version", "Print the version.", "drydock version -o json") { output };
        verb.SetAction(parsed =>
        {
            var version = typeof(VersionVerb).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
            terminal.Paper(parsed.GetValue(output)).Document(
                new { version, runtime = RuntimeInformation.FrameworkDescription, platform = RuntimeInformation.RuntimeIdentifier },
                [$"drydock {version} ({RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier})"]);
            return ExitCodes.Done;
        });
        return verb;
    }
}

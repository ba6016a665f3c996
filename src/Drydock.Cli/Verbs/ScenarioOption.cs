using System.CommandLine;
using Drydock.Simulator.Scenarios;

namespace Drydock.Cli.Verbs;

/// <summary>Which cluster to simulate and how fast.</summary>
internal static class ScenarioOption
{
    /// <summary><c>--scenario</c>.</summary>
    public static Option<string> Create() => new("--scenario")
    {
        Description = "A scenario by name (see 'drydock demo --list'), an example by name, or a scenario file.",
        HelpName = "name|file",
        DefaultValueFactory = _ => "healthy",
    };

    /// <summary><c>--speed</c>.</summary>
    public static Option<double> Speed() => new("--speed")
    {
        Description = "How many times faster than ours the time of the cluster passes, 0.1 to 100. Default 1.",
        HelpName = "n",
        DefaultValueFactory = _ => 1,
        CustomParser = result =>
        {
            if (!double.TryParse(result.Tokens[0].Value, out var speed) || speed is not (>= 0.1 and <= 100))
            {
                result.AddError($"'{result.Tokens[0].Value}' is not allowed for --speed; give a number from 0.1 to 100.");
            }

            return speed;
        },
    };

    /// <summary>The scenario of that name or in that file.</summary>
    public static Scenario Read(string nameOrFile) =>
        Refusing(() => File.Exists(nameOrFile) ? Scenario.Load(File.ReadAllText(nameOrFile), nameOrFile) : Scenario.Named(nameOrFile));

    /// <summary>The file of a scenario, or the schema of all of them.</summary>
    public static string Text(string name) => Refusing(() => name == "schema" ? Scenario.Schema : Scenario.Text(name));

    private static T Refusing<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (ScenarioException exception)
        {
            throw new CommandFailedException(ExitCodes.BadInput, exception.Message, "List the scenarios with 'drydock demo --list'.", exception);
        }
    }
}

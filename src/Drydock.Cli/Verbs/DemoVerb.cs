using System.CommandLine;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Demo;
using Drydock.Cli.Output;
using Drydock.Simulator.Scenarios;

namespace Drydock.Cli.Verbs;

/// <summary><c>demo</c>: one node of a simulated cluster, from plan to proof.</summary>
internal static class DemoVerb
{
    public static Command Create(Terminal terminal)
    {
        var scenario = ScenarioOption.Create();
        var list = new Option<bool>("--list") { Description = "List the scenarios." };
        var crash = new Option<bool>("--crash") { Description = "SIGKILL the server in the middle of the eviction and again in the middle of a live migration, and start it again." };
        var keep = new Option<bool>("--keep") { Description = "Leave cluster and server up afterwards, until Ctrl-C." };
        var speed = ScenarioOption.Speed();
        var output = CommonOptions.Output();
        var verb = new Verb(
            "demo",
            "Maintain one node of a simulated cluster, with a real server in a process of its own: plan, live progress, summary, and the proof from the cluster. Needs nothing but this program.",
            "drydock demo",
            "drydock demo --crash                      # killed twice on the way",
            "drydock demo --list",
            "drydock demo --scenario disruption-budget --keep   # and look around with kubectl") { scenario, list, crash, keep, speed, output };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var paper = terminal.Paper(parsed.GetValue(output));
            if (parsed.GetValue(list))
            {
                var all = Scenario.Names.Select(Scenario.Named).ToList();
                paper.Document(
                    all.Select(each => new { each.Name, each.Description }).ToList(),
                    Columns.Align("", [.. all.Select(each => new[] { each.Name, each.Description.ReplaceLineEndings(" ").Trim() })]));
                return ExitCodes.Done;
            }

            var chosen = ScenarioOption.Read(parsed.GetValue(scenario)!);
            if (chosen.Maintain is null)
            {
                throw new CommandFailedException(ExitCodes.BadInput, $"Scenario '{chosen.Name}' names no node to maintain.", "Run it with 'drydock simulate'.");
            }

            return await new DemoRun(
                new DemoOptions(chosen) { Crash = parsed.GetValue(crash), Keep = parsed.GetValue(keep), Speed = parsed.GetValue(speed) }, paper, terminal).RunAsync(cancellationToken);
        });
        return verb;
    }
}

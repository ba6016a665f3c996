using Drydock.Simulator.Scenarios;

namespace Drydock.Cli.Demo;

/// <summary>What to demonstrate.</summary>
/// <param name="Scenario">The cluster, what goes wrong in it, and how it should end.</param>
internal sealed record DemoOptions(Scenario Scenario)
{
    /// <summary>Kill the server twice on the way.</summary>
    public bool Crash { get; init; }

    /// <summary>Leave cluster and server up until Ctrl-C.</summary>
    public bool Keep { get; init; }

    /// <summary>How many times faster than ours the time of the cluster passes.</summary>
    public double Speed { get; init; } = 1;
}

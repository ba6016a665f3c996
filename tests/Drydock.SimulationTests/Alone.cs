using Xunit;

namespace Drydock.SimulationTests;

/// <summary>Tests that have the process for themselves: they measure how long it takes.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}

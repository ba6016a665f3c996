using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Tests in virtual time: each needs the thread pool for itself, to see when nothing happens any more.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class VirtualTimeTests
{
    public const string Name = "virtual time";
}

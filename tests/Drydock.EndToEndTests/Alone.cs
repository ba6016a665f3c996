using Xunit;

namespace Drydock.EndToEndTests;

/// <summary>Tests that have the process for themselves: they count what it does, or no other server may be in it.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}

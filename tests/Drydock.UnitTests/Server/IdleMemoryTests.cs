using Drydock.Operator;
using Drydock.Server;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>A server gives memory back when it rests, and is left alone while it works.</summary>
public sealed class IdleMemoryTests
{
    private int _collections;

    [Fact]
    public void A_server_that_rests_gives_memory_back_and_then_leaves_it_at_that()
    {
        using var memory = Create();

        for (var minute = 0; minute < IdleMemory.Times + 3; minute++)
        {
            memory.Look();
        }

        _collections.ShouldBe(IdleMemory.Times);
    }

    [Fact]
    public void A_server_that_works_is_not_held_up_and_gives_memory_back_after_its_work()
    {
        using var memory = Create();

        for (var minute = 0; minute < 5; minute++)
        {
            memory.Note();
            memory.Look();
        }

        _collections.ShouldBe(0);
        memory.Look();
        _collections.ShouldBe(1);
    }

    private IdleMemory Create() => new(new NoFeed(), () => _collections++, TimeProvider.System);

    private sealed class NoFeed : IInstanceFeed
    {
        public IAsyncEnumerable<string?> WatchAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<string?>();
    }
}

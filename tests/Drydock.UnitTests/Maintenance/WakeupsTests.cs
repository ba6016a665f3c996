using Drydock.Maintenance;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>Waits for changes end when their maintenance has news, and when the process is told to stop.</summary>
public sealed class WakeupsTests : IDisposable
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 2, 3, 0, 0, TimeSpan.Zero));
    private readonly CancellationTokenSource _stop = new();

    public void Dispose() => _stop.Dispose();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stop_ends_the_waits_of_every_node_at_once()
    {
        var wakeups = new Wakeups(_clock, _stop.Token);
        var (one, other) = (Open(wakeups, "node-1"), Open(wakeups, "node-2"));
        var waiting = Task.WhenAll(one.NextAsync(null, Token), other.NextAsync(null, Token));
        waiting.IsCompleted.ShouldBeFalse();

        await _stop.CancelAsync();
        await waiting.WaitAsync(TimeSpan.FromSeconds(30), Token);

        (one.IsOver, other.IsOver).ShouldBe((true, true));
    }

    [Fact]
    public async Task A_wait_that_begins_after_the_stop_is_short_but_no_busy_loop()
    {
        var wakeups = new Wakeups(_clock, _stop.Token);
        await _stop.CancelAsync();

        var late = Open(wakeups, "node-1");
        var waiting = late.NextAsync(null, Token);
        waiting.IsCompleted.ShouldBeFalse();
        _clock.Advance(TimeSpan.FromMilliseconds(200));
        await waiting.WaitAsync(TimeSpan.FromSeconds(30), Token);

        late.IsOver.ShouldBeTrue();
    }

    [Fact]
    public async Task A_wake_up_ends_the_waits_of_its_node_alone()
    {
        var wakeups = new Wakeups(_clock, _stop.Token);
        var (one, other) = (Open(wakeups, "node-1"), Open(wakeups, "node-2"));
        var (first, second) = (one.NextAsync(null, Token), other.NextAsync(null, Token));

        await wakeups.WakeAsync("node-1", TestContext.Current.CancellationToken);
        await first.WaitAsync(TimeSpan.FromSeconds(30), Token);

        (one.IsOver, other.IsOver, second.IsCompleted).ShouldBe((true, false, false));
        await wakeups.WakeAsync("node-2", TestContext.Current.CancellationToken);
        await second;
    }

    // A cluster in which nothing ever happens.
    private Waiting Open(Wakeups wakeups, string node) => wakeups.Open(node, NothingAsync, "cursor", _clock.GetUtcNow() + TimeSpan.FromMinutes(1));

    private static async Task<string> NothingAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        return cursor ?? "";
    }
}

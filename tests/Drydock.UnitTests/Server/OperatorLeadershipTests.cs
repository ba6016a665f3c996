using Drydock.Kubernetes;
using Drydock.Server;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>Of several servers on a hub elsewhere one acts on resources, and never two.</summary>
public sealed class OperatorLeadershipTests
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task Who_cannot_renew_the_lease_stops_before_the_next_one_may_begin()
    {
        var lease = new FakeLease(_clock);
        using var first = await StartAsync(lease, "first");
        var led = await first.LeadAsync(Token);
        using var second = await StartAsync(lease, "second");
        var follows = second.LeadAsync(Token);

        led.IsCancellationRequested.ShouldBeFalse();
        follows.IsCompleted.ShouldBeFalse();

        // The first one's network breaks: nothing of it arrives any more.
        lease.Unreachable = lease.Holder;
        var stoppedAt = await AdvanceUntilAsync(() => led.IsCancellationRequested);
        follows.IsCompleted.ShouldBeFalse();
        var begunAt = await AdvanceUntilAsync(() => follows.IsCompleted);

        (stoppedAt - lease.RenewedByFirst).ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(11));
        begunAt.ShouldBeGreaterThan(stoppedAt + TimeSpan.FromSeconds(3));
        (await follows).IsCancellationRequested.ShouldBeFalse();
    }

    [Fact]
    public async Task Who_stops_gives_the_lease_back()
    {
        var lease = new FakeLease(_clock);
        using var first = await StartAsync(lease, "first");
        var led = await first.LeadAsync(Token);

        await first.StopAsync(Token);

        led.IsCancellationRequested.ShouldBeTrue();
        lease.Holder.ShouldBeNull();
        using var second = await StartAsync(lease, "second");
        (await second.LeadAsync(Token)).IsCancellationRequested.ShouldBeFalse();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private async Task<OperatorLeadership> StartAsync(FakeLease lease, string name)
    {
        var leadership = new OperatorLeadership(lease, _clock, NullLogger<OperatorLeadership>.Instance);
        await leadership.StartAsync(Token);
        (await lease.Asked.Task.WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Token)).ShouldNotBeNull(name);
        lease.Asked = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        return leadership;
    }

    /// <summary>Half a second at a time, and never on before whoever was woken has asked.</summary>
    private async Task<DateTimeOffset> AdvanceUntilAsync(Func<bool> isSo)
    {
        for (var step = 0; step < 200; step++)
        {
            if (isSo())
            {
                return _clock.GetUtcNow();
            }

            _clock.Advance(TimeSpan.FromSeconds(0.5));
            for (var look = 0; look < 20 && !isSo(); look++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, Token);
            }
        }

        throw new ShouldAssertException("It did not come about within 100 s.");
    }

    private sealed class FakeLease(TimeProvider clock) : IOperatorLease
    {
        private DateTimeOffset _expiresAt;
        private string? _first;

        public string? Holder { get; private set; }

        public string? Unreachable { get; set; }

        public DateTimeOffset RenewedByFirst { get; private set; }

        public TaskCompletionSource<string> Asked { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<LeaseOutcome> AcquireAsync(string holder, TimeSpan duration, CancellationToken cancellationToken)
        {
            Asked.TrySetResult(holder);
            if (holder == Unreachable)
            {
                return Task.FromException<LeaseOutcome>(new ClusterException(ClusterErrorKind.Unreachable, "update", "leases", "The network is broken."));
            }

            var now = clock.GetUtcNow();
            if (Holder is null || Holder == holder || _expiresAt < now)
            {
                _first ??= holder;
                (Holder, _expiresAt) = (holder, now + duration);
                RenewedByFirst = holder == _first ? now : RenewedByFirst;
            }

            return Task.FromResult(new LeaseOutcome(Holder == holder, Holder, _expiresAt, IsCancelled: false));
        }

        public Task ReleaseAsync(string holder, CancellationToken cancellationToken)
        {
            Holder = Holder == holder ? null : Holder;
            return Task.CompletedTask;
        }
    }
}

using Drydock.DurableTask;
using Drydock.Kubernetes;
using Drydock.Server;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary><c>/readyz</c> tells which of what the work needs does not work: the hub, or one watch among many.</summary>
public sealed class ReadyTests
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 3, 1, 2, 0, 0, TimeSpan.Zero));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_is_ready_while_the_hub_can_be_written_and_every_watch_was_heard_of()
    {
        var (code, text) = await AskAsync(new StubHub(), Watch("pods", 149), Watch("nodes", 10, "connection reset"));

        (code, text).ShouldBe((200, "ready"));
    }

    [Fact]
    public async Task A_hub_that_cannot_be_written_is_named_with_its_reason()
    {
        var (code, text) = await AskAsync(new StubHub { Failure = new TaskHubException(StatusCode.Unavailable, "attempt to write a readonly database") });

        code.ShouldBe(503);
        text.ShouldContain("The task hub does not work: attempt to write a readonly database");
    }

    [Fact]
    public async Task A_hub_that_does_not_answer_is_not_waited_for_longer_than_a_probe_waits()
    {
        var hub = new StubHub { Hangs = true };
        var asking = AskAsync(hub);
        await hub.Asked;
        _clock.Advance(TimeSpan.FromSeconds(5));

        var (code, text) = await asking;

        code.ShouldBe(503);
        text.ShouldContain("The task hub did not answer within 5 s.");
    }

    [Theory]
    [InlineData(201, null, "The watch of pods heard nothing for 201 s.")]
    [InlineData(31, "connection reset.", "The watch of pods heard nothing for 31 s: connection reset.")]
    public async Task One_dead_watch_among_live_ones_is_enough(int silent, string? broken, string sentence)
    {
        var (code, text) = await AskAsync(new StubHub(), Watch("nodes", 1), Watch("pods", silent, broken), Watch("leases", 2));

        code.ShouldBe(503);
        text.ShouldContain(sentence);
        text.ShouldNotContain("nodes");
    }

    [Fact]
    public async Task However_many_ask_it_is_looked_at_once_a_second()
    {
        var hub = new StubHub();
        await using var host = await HostAsync(hub);
        for (var i = 0; i < 5; i++)
        {
            (await host.Http.GetAsync("readyz", Token)).StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);
        }

        var first = hub.Proofs;
        _clock.Advance(TimeSpan.FromSeconds(1));
        hub.Failure = new TaskHubException(StatusCode.Unavailable, "attempt to write a readonly database");
        (await host.Http.GetAsync("readyz", Token)).StatusCode.ShouldBe(System.Net.HttpStatusCode.ServiceUnavailable);

        (first, hub.Proofs).ShouldBe((1, 2));
    }

    private WatchState Watch(string resource, int silent, string? broken = null) => new(resource, _clock.GetUtcNow().AddSeconds(-silent), broken);

    private async Task<(int Code, string Text)> AskAsync(StubHub hub, params WatchState[] watches)
    {
        await using var host = await HostAsync(hub, watches);
        using var answer = await host.Http.GetAsync("readyz", Token);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    private Task<RestHost> HostAsync(StubHub hub, params WatchState[] watches) => RestHost.StartAsync([], services =>
    {
        services.Replace(ServiceDescriptor.Singleton<IServerHub>(hub));
        services.Replace(ServiceDescriptor.Singleton<ICluster>(new StubCluster { Counts = new ClusterCounts(0, 0) { Watches = watches } }));
        services.Replace(ServiceDescriptor.Singleton<TimeProvider>(_clock));
    });

    private sealed class StubHub : IServerHub
    {
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Exception? Failure { get; set; }

        public int Proofs { get; private set; }

        public bool Hangs { get; init; }

        public Task Asked => _asked.Task;

        public Guid Id => Guid.Empty;

        public int Servers => 1;

        public Action<string>? Woken { get; set; }

        public Task BelongToAsync(string cluster, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task ProveAsync(CancellationToken cancellationToken)
        {
            Proofs++;
            _asked.TrySetResult();
            return Failure is not null ? Task.FromException(Failure) : Hangs ? Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken) : Task.CompletedTask;
        }

        public Task<CancellationToken> LeadAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task WakeAsync(string node, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}

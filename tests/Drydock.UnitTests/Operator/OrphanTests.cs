using Drydock.DurableTask;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Operator.Resources;
using Drydock.UnitTests.Kubernetes;
using Drydock.UnitTests.Server;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

/// <summary>What was started for an object is ended when the object is gone, and only then.</summary>
public sealed class OrphanTests : IAsyncDisposable
{
    private const string Path = "GET /apis/drydock.dev/v1alpha1/maintenancerollouts";
    private const string Instance = "mro-uid-1";

    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 2, 3, 0, 0, TimeSpan.Zero));
    private readonly PlayedServer _server = new();
    private readonly KubernetesCluster _cluster;
    private readonly InMemoryClient _client;
    private readonly RolloutReconciler _reconciler;

    public OrphanTests()
    {
        _cluster = _server.Connect(_clock);
        _client = new InMemoryClient(_clock);
        _reconciler = new RolloutReconciler(_cluster.Resources, new FakeResourceRequests(), _client, _clock);
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task While_the_kind_is_not_served_nothing_is_ended_and_it_is_tried_again()
    {
        await StartAsync();
        _server.On(Path, 404, "404 page not found", "text/plain");

        await Should.ThrowAsync<ClusterException>(() => _reconciler.EndOrphansAsync(Token));

        _client.Raised.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("uid-1", false)]
    [InlineData("uid-2", true)]
    public async Task An_object_that_no_list_shows_is_asked_for_and_another_life_of_its_name_is_not_it(string uid, bool isEnded)
    {
        await StartAsync();
        _server.On(Path + "?limit", 200, """{"metadata":{"resourceVersion":"1"},"items":[]}""");
        _server.On(Path + "/autumn", 200, $$$"""{"metadata":{"name":"autumn","uid":"{{{uid}}}","resourceVersion":"1"},"spec":{}}""");

        await _reconciler.EndOrphansAsync(Token);

        _client.Raised.Count.ShouldBe(isEnded ? 1 : 0);
    }

    [Fact]
    public async Task What_was_started_for_an_object_that_is_gone_is_ended()
    {
        await StartAsync();
        _server.On(Path + "?limit", 200, """{"metadata":{"resourceVersion":"1"},"items":[]}""");
        _server.On(Path + "/autumn", static _ => PlayedServer.NotFound("autumn"));

        await _reconciler.EndOrphansAsync(Token);

        _client.Raised.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            static raised => raised.Instance.ShouldBe(Instance), static raised => raised.Name.ShouldBe(RolloutEvents.Cancel));
    }

    private Task StartAsync() => _client.ScheduleNewOrchestrationInstanceAsync(
        Orchestrations.Rollout,
        new RolloutRequest(["node-1"]) { Template = new MaintenanceRequest("") { RequestedBy = "maintenancerollout/autumn/uid-1" } },
        new StartOrchestrationOptions(Instance),
        Token);
}

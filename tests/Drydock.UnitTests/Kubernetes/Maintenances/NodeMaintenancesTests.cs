using Drydock.Kubernetes;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Maintenances;

/// <summary>NodeMaintenance resources read and write as the Node Maintenance Operator's.</summary>
public sealed class NodeMaintenancesTests
{
    private const string Path = "/apis/nodemaintenance.medik8s.io/v1beta1/nodemaintenances";
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task The_status_is_written_to_its_subresource_and_only_if_it_says_something_else()
    {
        var server = new PlayedServer().On("PATCH " + Path, 200);
        var resources = server.Connect(_clock).NodeMaintenances;
        var resource = new NodeMaintenanceSnapshot("nm", "u", "1", "n1");
        var status = new NodeMaintenanceStatus
        {
            Phase = "Running", DrainProgress = 50, PendingPods = [new ObjectRef("ns", "web")], TotalPods = 3, EvictionPods = 2,
        };

        await resources.WriteStatusAsync(resource, status, CancellationToken.None);
        await resources.WriteStatusAsync(resource with { Status = status with { PendingPods = [new ObjectRef("ns", "web")] } }, status, CancellationToken.None);

        server.Requests.ShouldHaveSingleItem().ShouldBe(new PlayedRequest(
            $"PATCH {Path}/nm/status",
            """{"status":{"phase":"Running","drainProgress":50,"lastUpdate":"2026-01-01T00:00:00Z","lastError":null,"pendingPods":["web"],"pendingPodsRefs":[{"namespace":"ns","name":"web"}],"totalpods":3,"evictionPods":2,"errorOnLeaseCount":0}}""",
            "application/merge-patch+json") { Accept = "application/json, */*" });
    }

    [Fact]
    public async Task The_finalizer_comes_and_goes_beside_those_of_others()
    {
        var server = new PlayedServer()
            .On($"GET {Path}/nm", 200, Json("nm", """, "finalizers":["other","foregroundDeleteNodeMaintenance"]"""))
            .On("PATCH " + Path, 200);
        var resources = server.Connect(_clock).NodeMaintenances;
        var read = (await resources.GetAsync("nm", CancellationToken.None))!;
        (read.HasFinalizer, read.NodeName, read.IsBeingDeleted).ShouldBe((true, "n1", false));

        (await resources.SetFinalizerAsync(read, present: false, CancellationToken.None)).ShouldBeTrue();
        (await resources.SetFinalizerAsync(read with { ResourceVersion = "4" }, present: false, CancellationToken.None)).ShouldBeFalse();

        server.Requests.Where(request => request.Body.Length > 0).ShouldHaveSingleItem().Body
            .ShouldBe("""{"metadata":{"resourceVersion":"5","finalizers":["other"]}}""");
    }

    [Fact]
    public async Task The_watch_tells_all_at_the_start_then_what_changed_then_all_again_after_ten_minutes()
    {
        var watch = new PlayedWatch();
        var server = new PlayedServer()
            .On($"GET {Path}?limit", 200, $$"""{"metadata":{"resourceVersion":"5"},"items":[{{Json("a")}},{{Json("b")}}]}""")
            .On($"GET {Path}?watch", _ => watch.Open());
        await using var names = server.Connect(_clock).NodeMaintenances.WatchAsync(CancellationToken.None).GetAsyncEnumerator();

        (await NextAsync(names)).ShouldBe("a");
        (await NextAsync(names)).ShouldBe("b");
        watch.Send("DELETED", Json("a"));
        (await NextAsync(names)).ShouldBe("a");
        var resync = NextAsync(names);
        _clock.Advance(TimeSpan.FromMinutes(10));

        (await resync).ShouldBe("b");
    }

    private static async Task<string> NextAsync(IAsyncEnumerator<string> names)
    {
        (await names.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10))).ShouldBeTrue();
        return names.Current;
    }

    private static string Json(string name, string extra = "") =>
        $$$"""{"metadata":{"name":"{{{name}}}","uid":"u","resourceVersion":"5"{{{extra}}}},"spec":{"nodeName":"n1"}}""";
}

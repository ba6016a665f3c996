using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Leases;

/// <summary>One holder at a time; what the medik8s library would do with the same lease, we do.</summary>
public sealed class NodeLeasesTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly LeaseServer _server = new();
    private readonly KubernetesCluster _cluster;

    public NodeLeasesTests() => _cluster = _server.Played.Connect(_clock);

    [Fact]
    public async Task A_new_lease_has_the_fields_that_medik8s_writes_and_its_namespace_is_made()
    {
        _server.HasNamespace = false;

        var outcome = await AcquireAsync("a");

        outcome.ShouldBe(new LeaseOutcome(true, "a", _clock.GetUtcNow() + Hour, false));
        _server.HasNamespace.ShouldBeTrue();
        _server.Lease!["spec"]!.ToJsonString().ShouldBe(
            """{"holderIdentity":"a","leaseDurationSeconds":3600,"acquireTime":"2026-01-01T00:00:00.000000Z","renewTime":"2026-01-01T00:00:00.000000Z","leaseTransitions":0}""");
        _server.Lease["metadata"]!["ownerReferences"]!.ToJsonString().ShouldBe("""[{"apiVersion":"v1","kind":"Node","name":"n1","uid":"node-uid"}]""");
    }

    [Fact]
    public async Task The_second_holder_is_told_the_first()
    {
        await AcquireAsync("a");

        (await AcquireAsync("b")).ShouldBe(new LeaseOutcome(false, "a", _clock.GetUtcNow() + Hour, false));
    }

    [Fact]
    public async Task Taking_it_again_renews_it_and_keeps_the_cancel_mark()
    {
        await AcquireAsync("a");
        (await _cluster.MarkLeaseCancelledAsync("n1", "a", CancellationToken.None)).ShouldBeTrue();
        _clock.Advance(TimeSpan.FromMinutes(10));

        (await AcquireAsync("a")).ShouldBe(new LeaseOutcome(true, "a", _clock.GetUtcNow() + Hour, true));

        var spec = _server.Lease!["spec"]!;
        (spec["acquireTime"]!.GetValue<string>(), spec["leaseTransitions"]!.GetValue<int>()).ShouldBe(("2026-01-01T00:00:00.000000Z", 0));
    }

    [Fact]
    public async Task An_expired_lease_changes_hands_without_the_old_cancel_mark()
    {
        await AcquireAsync("a");
        await _cluster.MarkLeaseCancelledAsync("n1", "a", CancellationToken.None);
        _clock.Advance(Hour + TimeSpan.FromSeconds(1));

        (await AcquireAsync("b")).ShouldBe(new LeaseOutcome(true, "b", _clock.GetUtcNow() + Hour, false));

        _server.Lease!["spec"]!["leaseTransitions"]!.GetValue<int>().ShouldBe(1);
        (await RenewAsync("a")).IsOurs.ShouldBeFalse();
        (await _cluster.MarkLeaseCancelledAsync("n1", "a", CancellationToken.None)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_renewal_far_in_the_future_is_a_wrong_clock_and_no_claim()
    {
        await AcquireAsync("a");
        _clock.SetUtcNow(_clock.GetUtcNow().AddTicks(1));
        _server.Lease!["spec"]!["renewTime"] = "2026-01-01T02:00:00.000000Z";

        (await AcquireAsync("b")).IsOurs.ShouldBeTrue();
    }

    [Fact]
    public async Task Renewing_never_takes_a_lease()
    {
        (await RenewAsync("a")).ShouldBe(new LeaseOutcome(false, null, null, false));
        _server.Lease.ShouldBeNull();

        await AcquireAsync("b");

        (await RenewAsync("a")).ShouldBe(new LeaseOutcome(false, "b", _clock.GetUtcNow() + Hour, false));
    }

    [Fact]
    public async Task Of_two_that_write_at_once_one_wins_and_the_other_reads_again()
    {
        await AcquireAsync("a");
        _clock.Advance(Hour + TimeSpan.FromSeconds(1));
        var rival = _server.Played.Connect(_clock);

        // The rival gets in between our read and our write.
        _server.BeforeNextWrite = () => rival.AcquireLeaseAsync("n1", "node-uid", "c", Hour, CancellationToken.None);

        (await AcquireAsync("b")).ShouldBe(new LeaseOutcome(false, "c", _clock.GetUtcNow() + Hour, false));
    }

    [Fact]
    public async Task Only_the_holder_releases_and_a_release_may_be_repeated()
    {
        await AcquireAsync("a");

        await _cluster.ReleaseLeaseAsync("n1", "b", CancellationToken.None);
        _server.Lease.ShouldNotBeNull();
        await _cluster.ReleaseLeaseAsync("n1", "a", CancellationToken.None);
        await _cluster.ReleaseLeaseAsync("n1", "a", CancellationToken.None);

        _server.Lease.ShouldBeNull();
        (await _cluster.GetLeaseAsync("n1", CancellationToken.None)).ShouldBeNull();
    }

    private Task<LeaseOutcome> AcquireAsync(string holder) => _cluster.AcquireLeaseAsync("n1", "node-uid", holder, Hour, CancellationToken.None);

    private Task<LeaseOutcome> RenewAsync(string holder) => _cluster.RenewLeaseAsync("n1", holder, Hour, CancellationToken.None);

    /// <summary>Just enough of an API server for one lease: resource versions, conflicts, preconditions.</summary>
    private sealed class LeaseServer
    {
        private const string Namespaces = "/api/v1/namespaces";
        private const string Leases = "/apis/coordination.k8s.io/v1/namespaces/medik8s-leases/leases";
        private int _version = 100;

        public LeaseServer() => Played = new PlayedServer()
            .On("GET " + Leases + "/node-n1", _ => Lease is null ? PlayedServer.NotFound("node-n1") : PlayedServer.Answer(200, Lease.ToJsonString()))
            .On("POST " + Namespaces, _ =>
            {
                HasNamespace = true;
                return PlayedServer.Answer(201);
            })
            .On("POST " + Leases, (request, _) => WriteAsync(() =>
                !HasNamespace ? PlayedServer.Answer(404) : Lease is not null ? PlayedServer.Answer(409) : Store(JsonNode.Parse(request.Body)!.AsObject(), 201)))
            .On("PUT " + Leases, (request, _) => WriteAsync(() =>
            {
                var put = JsonNode.Parse(request.Body)!.AsObject();
                return IsStale(put["metadata"]) ? PlayedServer.Answer(409) : Store(put, 200);
            }))
            .On("PATCH " + Leases, (request, _) => WriteAsync(() =>
            {
                var patch = JsonNode.Parse(request.Body)!;
                var patched = JsonNode.Parse(Lease!.ToJsonString())!.AsObject();
                patched["metadata"]!["annotations"] = patch["metadata"]!["annotations"]!.DeepClone();
                return IsStale(patch["metadata"]) ? PlayedServer.Answer(409) : Store(patched, 200);
            }))
            .On("DELETE " + Leases, (request, _) => WriteAsync(() =>
            {
                var stale = IsStale(JsonNode.Parse(request.Body)!["preconditions"]);
                Lease = stale ? Lease : null;
                return PlayedServer.Answer(stale ? 409 : 200);
            }));

        public PlayedServer Played { get; }

        public JsonObject? Lease { get; private set; }

        public bool HasNamespace { get; set; } = true;

        public Func<Task>? BeforeNextWrite { get; set; }

        private async Task<HttpResponseMessage> WriteAsync(Func<HttpResponseMessage> write)
        {
            var before = BeforeNextWrite;
            BeforeNextWrite = null;
            await (before?.Invoke() ?? Task.CompletedTask);
            return write();
        }

        private bool IsStale(JsonNode? metadata) =>
            Lease is null || metadata!["resourceVersion"]?.GetValue<string>() != Lease["metadata"]!["resourceVersion"]!.GetValue<string>();

        private HttpResponseMessage Store(JsonObject lease, int code)
        {
            lease["metadata"]!["resourceVersion"] = $"{++_version}";
            lease["metadata"]!["uid"] = "lease-uid";
            Lease = lease;
            return PlayedServer.Answer(code, lease.ToJsonString());
        }
    }
}

using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Lease;
using Drydock.Maintenance.Rollouts;
using Drydock.UnitTests.Server;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>The lease of a node is a matter of the cluster: that the hub does not answer lets none lapse.</summary>
public sealed class LeaseActivityTests
{
    [Fact]
    public async Task A_lease_is_renewed_although_the_hub_does_not_say_whether_its_maintenance_goes_on()
    {
        var clock = new FakeTimeProvider();
        var ours = new LeaseOutcome(true, "drydock/h/m1", clock.GetUtcNow().AddMinutes(1), false);
        var cluster = new StubCluster("node-1") { Renewed = ours };
        await using var client = new InMemoryClient(clock) { Away = new InvalidOperationException("database is locked") };
        var renew = new RenewLeaseActivity(cluster, new LeftRunning(cluster, client, new Wakeups(clock, CancellationToken.None)));

        var outcome = await renew.RunAsync(
            null!, new LeaseInput("node-1", "u", "drydock/h/m1", TimeSpan.FromMinutes(1)) { Maintenance = "m1" });

        outcome.ShouldBe(ours);
    }
}

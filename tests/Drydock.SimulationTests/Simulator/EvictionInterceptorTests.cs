using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class EvictionInterceptorTests
{
    private const string Denied = "admission webhook \"virt-launcher-eviction-interceptor.kubevirt.io\" denied the request: ";
    private const string Triggered = Denied + "Eviction triggered evacuation of VMI \"default/vm\"";
    private const string InProgress = Denied + "Evacuation in progress: Eviction triggered evacuation of VMI \"default/vm\"";
    private const string Stuck = Denied + "VMI vm is configured with an eviction strategy but is not live-migratable";

    [Theory]
    [InlineData("LiveMigrate", true, Triggered, true)]
    [InlineData("LiveMigrate", false, Stuck, false)]
    [InlineData("LiveMigrateIfPossible", true, Triggered, true)]
    [InlineData("LiveMigrateIfPossible", false, null, false)]
    [InlineData("None", true, null, false)]
    [InlineData("None", false, null, false)]
    [InlineData("External", true, Triggered, true)]
    [InlineData("External", false, Triggered, true)]
    public void What_an_eviction_is_answered_follows_strategy_and_migratability(string strategy, bool migratable, string? message, bool marked)
    {
        var cluster = new TestCluster(Scenario(strategy, migratable));

        Evict(cluster, cluster.Launcher("vm"), dryRun: false).ShouldBe(message);

        (cluster.Vmi("vm").Text("status", "evacuationNodeName") is not null).ShouldBe(marked);
    }

    [Fact]
    public void A_dry_run_answers_the_same_and_does_not_mark()
    {
        var cluster = new TestCluster(Scenario("LiveMigrate", true));

        Evict(cluster, cluster.Launcher("vm"), dryRun: true).ShouldBe(Triggered);

        cluster.Vmi("vm").Text("status", "evacuationNodeName").ShouldBeNull();
    }

    [Fact]
    public void While_it_migrates_both_launchers_are_refused_and_afterwards_the_source_may_go()
    {
        var cluster = new TestCluster(Scenario("LiveMigrate", true));
        var source = cluster.Launcher("vm");
        Evict(cluster, source, dryRun: false);
        cluster.PassUntil(() => cluster.Migrations("vm") is [var migration] && migration.InstancePhase() == "Running");
        var target = cluster.Store.List(ResourceTypes.Pods).Single(pod => pod.Label("kubevirt.io/migrationJobUID") is not null);

        Evict(cluster, source, dryRun: false).ShouldBe(InProgress);
        Evict(cluster, target, dryRun: false).ShouldBe(InProgress);
        cluster.Pass(10);
        Evict(cluster, cluster.Store.Get(ResourceTypes.Pods, "default", source.NameOf())!, dryRun: false).ShouldBeNull();
    }

    [Fact]
    public void An_external_evacuation_is_only_marked()
    {
        var cluster = new TestCluster(Scenario("External", true));
        Evict(cluster, cluster.Launcher("vm"), dryRun: false);
        cluster.Pass(30);

        cluster.Migrations("vm").ShouldBeEmpty();
        cluster.Vmi("vm").IsTrue("EvictionRequested").ShouldBeTrue();
        Evict(cluster, cluster.Launcher("vm"), dryRun: false).ShouldBe(InProgress);
    }

    [Fact]
    public void An_allowed_eviction_shuts_the_guest_down_and_its_machine_starts_elsewhere()
    {
        var cluster = new TestCluster(Scenario("None", true));
        cluster.Cordon("node-1");
        var uid = cluster.Vmi("vm")!.UidOf();

        cluster.Delete(ResourceTypes.Pods, cluster.Launcher("vm"));
        cluster.PassUntil(() => cluster.Vmi("vm") is { } vmi && vmi.UidOf() != uid && vmi.InstancePhase() == "Running");

        cluster.Vmi("vm").InstanceNode().ShouldNotBe("node-1");
    }

    private static string Scenario(string strategy, bool migratable) =>
        $"{TestCluster.ThreeNodes}virtualMachines: [{{name: vm, on: node-1, evictionStrategy: {strategy}{(migratable ? "" : ", notMigratable: DisksNotLiveMigratable")}}}]\n";

    private static string? Evict(TestCluster cluster, System.Text.Json.Nodes.JsonObject pod, bool dryRun)
    {
        try
        {
            new EvictionInterceptor(cluster.Store).Review(new(pod, dryRun));
            return null;
        }
        catch (ApiException refusal)
        {
            refusal.Code.ShouldBe(429);
            refusal.Reason.ShouldBeNull();
            refusal.Details.ShouldBeNull();
            refusal.RetryAfterSeconds.ShouldBeNull();
            return refusal.Message;
        }
    }
}

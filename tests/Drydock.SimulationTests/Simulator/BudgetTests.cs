using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class BudgetTests
{
    [Theory]
    [InlineData("minAvailable: 2", 3, 3, 2, 1, 3)]
    [InlineData("minAvailable: 3", 3, 3, 3, 0, 3)]
    [InlineData("maxUnavailable: 1", 3, 3, 2, 1, 3)]
    [InlineData("maxUnavailable: 0", 3, 3, 3, 0, 3)]
    [InlineData("minAvailable: 50%", 3, 3, 2, 1, 3)]
    [InlineData("maxUnavailable: 50%", 3, 3, 1, 2, 3)]
    public void What_a_budget_allows_follows_from_healthy_and_wanted_pods(string rule, int replicas, int healthy, int desired, int allowed, int expected)
    {
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}workloads: [{{deployment: web, replicas: {replicas}}}]\nbudgets: [{{name: web, {rule}}}]\n");

        var status = cluster.Store.List(ResourceTypes.PodDisruptionBudgets).Single().Object("status")!;
        (status.Number("currentHealthy"), status.Number("desiredHealthy"), status.Number("disruptionsAllowed"), status.Number("expectedPods"), status.Number("observedGeneration"))
            .ShouldBe((healthy, desired, allowed, expected, 1));
    }

    [Fact]
    public void Of_bare_pods_only_a_whole_minAvailable_can_be_counted()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{pod: one}]\nbudgets: [{name: whole, for: one, minAvailable: 1}, {name: part, for: one, minAvailable: 50%}]\n");

        Status(cluster, "whole").ShouldBe((1, 1, 0, 1));
        Status(cluster, "part").ShouldBe((1, 0, 0, 0));
    }

    [Fact]
    public void A_terminating_pod_is_not_healthy_and_the_budget_recovers_with_its_replacement()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: web, replicas: 3}]\nbudgets: [{name: web, minAvailable: 2}]\n");

        cluster.Delete(ResourceTypes.Pods, cluster.PodsOf("web")[0]);
        cluster.Pass(0);
        Status(cluster, "web").ShouldBe((2, 2, 0, 4));
        cluster.PassUntil(() => Status(cluster, "web").Allowed == 1);

        cluster.Store.List(ResourceTypes.PodDisruptionBudgets).Single().Condition("DisruptionAllowed").Text("reason").ShouldBe("SufficientPods");
    }

    [Fact]
    public void A_granted_eviction_that_never_happens_counts_for_two_minutes()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: web, replicas: 3}]\nbudgets: [{name: web, minAvailable: 2}]\n");
        var pod = cluster.PodsOf("web")[0].NameOf();
        cluster.Store.Update(ResourceTypes.PodDisruptionBudgets, "default", "web", budget =>
        {
            budget.Ensure("status", "disruptedPods")[pod] = cluster.Now.Timestamp();
            return true;
        });

        cluster.Pass(119);
        Status(cluster, "web").Allowed.ShouldBe(0);
        cluster.Pass(2);

        Status(cluster, "web").Allowed.ShouldBe(1);
        cluster.Store.List(ResourceTypes.PodDisruptionBudgets).Single().At("status", "disruptedPods").ShouldBeNull();
    }

    private static (long? Healthy, long? Desired, long? Allowed, long? Expected) Status(TestCluster cluster, string name)
    {
        var status = cluster.Store.Get(ResourceTypes.PodDisruptionBudgets, "default", name).Object("status");
        return (status.Number("currentHealthy"), status.Number("desiredHealthy"), status.Number("disruptionsAllowed"), status.Number("expectedPods"));
    }
}

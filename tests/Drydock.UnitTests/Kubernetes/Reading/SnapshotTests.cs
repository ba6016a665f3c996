using System.Text.Json;
using Drydock.Kubernetes;
using Drydock.Kubernetes.Reading;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Reading;

/// <summary>What is read from recorded objects.</summary>
public sealed class SnapshotTests
{
    [Fact]
    public void A_node()
    {
        var node = NodeSnapshots.From(Recording.Json("node"));

        (node.Name, node.IsReady, node.Unschedulable, node.AllocatableMilliCpu, node.AllocatableMemory, node.Mark)
            .ShouldBe(("node-1", true, false, 64_000, 256L << 30, null));
        node.BootId.ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public void What_a_node_has_and_a_pod_asks_for_besides_cpu_and_memory()
    {
        var node = NodeSnapshots.From(JsonReading.Parse("""{"status":{"allocatable":{"cpu":"4","pods":"110","ephemeral-storage":"1Gi","example.com/gpu":"2"}}}"""u8));
        var pod = PodSnapshots.From(JsonReading.Parse("""
            {"spec":{"nodeSelector":{"disk":"fast"},"tolerations":[{"key":"gpu","value":"yes","effect":"NoSchedule"},{"operator":"Exists"}],
             "affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
               {"matchExpressions":[{"key":"zone","operator":"In","values":["a","b"]}],"matchFields":[{"key":"metadata.name","operator":"NotIn","values":["c"]}]}]}}},
             "initContainers":[{"resources":{"requests":{"example.com/gpu":"2"}}}],
             "containers":[{"resources":{"requests":{"cpu":"1","example.com/gpu":"1"}}},{"resources":{"requests":{"ephemeral-storage":"1Gi"}}}]}}
            """u8));

        node.AllocatablePods.ShouldBe(110);
        node.OtherAllocatable.ShouldBe(new Dictionary<string, long> { ["ephemeral-storage"] = 1L << 30, ["example.com/gpu"] = 2 }, ignoreOrder: true);
        pod.OtherRequests.ShouldBe(new Dictionary<string, long> { ["example.com/gpu"] = 2, ["ephemeral-storage"] = 1L << 30 }, ignoreOrder: true);
        pod.Placement.NodeSelector.ShouldHaveSingleItem().ShouldBe(new("disk", "fast"));
        pod.Placement.Tolerations.ShouldBe([new Toleration("gpu", "Equal", "yes", "NoSchedule"), new Toleration(null, "Exists", null, null)]);
        var term = pod.Placement.RequiredAffinity.ShouldNotBeNull().ShouldHaveSingleItem();
        var (label, field) = (term.Labels.ShouldHaveSingleItem(), term.Fields.ShouldHaveSingleItem());
        (label.Key, label.Operator, string.Join(',', label.Values)).ShouldBe(("zone", "In", "a,b"));
        (field.Key, field.Operator, string.Join(',', field.Values)).ShouldBe(("metadata.name", "NotIn", "c"));
    }

    [Fact]
    public void What_a_pod_asks_of_the_pods_beside_it()
    {
        var asks = PodSnapshots.From(JsonReading.Parse("""
            {"metadata":{"labels":{"app":"web","rev":"7"}},"spec":{
             "affinity":{
              "podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"zone","labelSelector":{"matchLabels":{"app":"cache"}},"namespaces":["bank"]}]},
              "podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"host","namespaceSelector":{}}],
               "preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"podAffinityTerm":{"topologyKey":"zone"}}]}},
             "topologySpreadConstraints":[
              {"topologyKey":"zone","maxSkew":2,"whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"web"}},"matchLabelKeys":["rev"],"minDomains":3,"nodeAffinityPolicy":"Ignore","nodeTaintsPolicy":"Honor"},
              {"topologyKey":"host","maxSkew":1,"whenUnsatisfiable":"ScheduleAnyway"}],
             "initContainers":[{"ports":[{"containerPort":1,"hostPort":1}]},{"restartPolicy":"Always","ports":[{"containerPort":2,"hostPort":2,"protocol":"UDP","hostIP":"10.0.0.1"}]}],
             "containers":[{"ports":[{"containerPort":80,"hostPort":8080},{"containerPort":81}]}]}}
            """u8)).Placement;

        asks.HostPorts.ShouldBe([new HostPort("0.0.0.0", "TCP", 8080), new HostPort("10.0.0.1", "UDP", 2)]);
        var with = asks.Affinity.ShouldHaveSingleItem();
        (with.TopologyKey, with.Selector!.MatchLabels["app"], with.Namespaces.Single(), with.NamespaceSelector).ShouldBe(("zone", "cache", "bank", null));
        var apart = asks.AntiAffinity.ShouldHaveSingleItem();
        (apart.TopologyKey, apart.Selector, apart.NamespaceSelector is { MatchLabels.Count: 0 }, apart.IsDecidable).ShouldBe(("host", null, true, true));
        var spread = asks.Spread.ShouldHaveSingleItem();
        (spread.TopologyKey, spread.MaxSkew, spread.MinDomains, spread.HonorsAffinity, spread.HonorsTaints).ShouldBe(("zone", 2, 3, false, true));
        spread.Selector!.Matches(new Dictionary<string, string> { ["app"] = "web", ["rev"] = "6" }).ShouldBeFalse();
        spread.Selector.Matches(new Dictionary<string, string> { ["app"] = "web", ["rev"] = "7" }).ShouldBeTrue();
    }

    [Fact]
    public void A_volume_that_can_be_used_on_some_nodes_only_names_its_claim_and_one_for_all_nodes_is_left_out()
    {
        var place = VolumePlaces.From(JsonReading.Parse("""
            {"spec":{"claimRef":{"namespace":"shop","name":"data"},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"zone","operator":"In","values":["a"]}]}]}}}}
            """u8)).ShouldNotBeNull();

        (place.Claim, place.Terms.ShouldHaveSingleItem().Labels.ShouldHaveSingleItem().Key).ShouldBe((new ObjectRef("shop", "data"), "zone"));
        VolumePlaces.From(JsonReading.Parse("""{"spec":{"claimRef":{"namespace":"shop","name":"data"}}}"""u8)).ShouldBeNull();
        VolumePlaces.From(JsonReading.Parse("""{"spec":{"nodeAffinity":{"required":{"nodeSelectorTerms":[]}}}}"""u8)).ShouldBeNull();
    }

    [Fact]
    public void A_running_and_an_unschedulable_pod()
    {
        var running = PodSnapshots.From(Recording.Json("pod"));
        var waiting = PodSnapshots.From(Recording.Json("pod-unschedulable"));

        (running.Phase, running.IsReady, running.UnschedulableMessage, running.Node is null).ShouldBe(("Running", true, null, false));
        (waiting.Phase, waiting.Node).ShouldBe(("Pending", null));
        waiting.UnschedulableMessage.ShouldNotBeNull().ShouldContain("nodes are available");
    }

    [Theory]
    [InlineData("True", true, false)]
    [InlineData("False", false, false)]
    [InlineData("Unknown", false, true)]
    public void A_pod_is_ready_or_is_not_or_nobody_knows(string ready, bool isReady, bool isUnknown)
    {
        var pod = PodSnapshots.From(JsonElement.Parse($$$"""{"metadata":{"name":"p"},"status":{"conditions":[{"type":"Ready","status":"{{{ready}}}"}]}}"""));

        (pod.IsReady, pod.IsReadinessUnknown).ShouldBe((isReady, isUnknown));
    }

    [Fact]
    public void A_launcher_pod_leads_to_its_instance()
    {
        var pod = PodSnapshots.From(Recording.Json("a-launcher-pod"));

        pod.IsVirtLauncher.ShouldBeTrue();
        pod.Vmi.ShouldBe(new ObjectRef("default", "vm-a1"));
        pod.RequestedMemory.ShouldBeGreaterThan(1L << 30);
    }

    [Theory]
    [InlineData("500m", 500)]
    [InlineData("2", 2000)]
    [InlineData("1.5", 1500)]
    [InlineData("100u", 1)]
    [InlineData(null, 0)]
    public void Quantities_are_rounded_up(string? text, long milli) => Quantities.Milli(text).ShouldBe(milli);

    [Fact]
    public void The_largest_init_container_counts_if_it_wants_more_than_all_that_run()
    {
        var pod = JsonReading.Parse("""
            {"metadata":{"name":"p","namespace":"ns"},"spec":{"overhead":{"cpu":"10m"},
             "initContainers":[{"resources":{"requests":{"cpu":"700m"}}},{"restartPolicy":"Always","resources":{"requests":{"cpu":"100m"}}}],
             "containers":[{"resources":{"requests":{"cpu":"200m"}}},{"resources":{"requests":{"cpu":"300m"}}}]}}
            """u8);

        PodSnapshots.From(pod).RequestedMilliCpu.ShouldBe(710);
    }

    [Fact]
    public void The_time_a_deletion_was_asked_for_is_before_the_time_it_takes_effect()
    {
        var pod = JsonReading.Parse("""{"metadata":{"deletionTimestamp":"2026-01-01T00:00:30Z","deletionGracePeriodSeconds":30}}"""u8);

        PodSnapshots.From(pod).DeletionRequestedAt.ShouldBe(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    }

    [Fact]
    public void A_machine_its_instance_and_its_migration()
    {
        var vmi = KubeVirtSnapshots.Vmi(Recording.Json("a-vmi-running"));
        var migration = KubeVirtSnapshots.Migration(Recording.Json("a-vmim-succeeded"));
        var running = KubeVirtSnapshots.Migration(Recording.Json("a-vmim-running"));
        var vm = KubeVirtSnapshots.Vm(Recording.Json("a-vm-created"));

        (vmi.Ref, vmi.Node, vmi.Phase, vmi.IsLiveMigratable, vmi.Vm).ShouldBe((new ObjectRef("default", "vm-a1"), "node-1", "Running", true, vmi.Ref));
        (migration.Phase, migration.IsFinished, migration.SourceNode, migration.IsEvacuation).ShouldBe(("Succeeded", true, "node-1", true));
        migration.TargetNode.ShouldNotBeNull();
        (running.Phase, running.IsActive, running.Vmi).ShouldBe(("PreparingTarget", true, vmi.Ref));
        running.PhaseSince.ShouldBe(new DateTimeOffset(2026, 11, 22, 17, 29, 4, TimeSpan.Zero));
        vm.RunStrategy.ShouldBe("Always");
    }

    [Theory]
    [InlineData("""{"spec":{"maxUnavailable":0},"status":{"expectedPods":2,"desiredHealthy":2,"currentHealthy":2}}""", true, true)]
    [InlineData("""{"spec":{"maxUnavailable":"0%"}}""", true, false)]
    [InlineData("""{"spec":{"minAvailable":"100%"}}""", true, false)]
    [InlineData("""{"spec":{"minAvailable":3},"status":{"expectedPods":3,"desiredHealthy":3,"currentHealthy":2}}""", false, true)]
    [InlineData("""{"spec":{"minAvailable":2},"status":{"expectedPods":3,"desiredHealthy":2,"currentHealthy":2}}""", false, false)]
    [InlineData("""{"spec":{"maxUnavailable":1},"status":{"expectedPods":3,"desiredHealthy":2,"currentHealthy":2}}""", false, false)]
    [InlineData("""{"spec":{"maxUnavailable":"50%"},"status":{"expectedPods":0,"desiredHealthy":0,"currentHealthy":1}}""", true, false)]
    [InlineData("""{"spec":{"minAvailable":1},"status":{"expectedPods":0,"desiredHealthy":1,"currentHealthy":0}}""", false, false)]
    public void A_budget_that_never_allows_a_disruption_is_told_from_one_that_wants_all_the_pods_it_has(string json, bool never, bool all)
    {
        var budget = BudgetSnapshots.From(JsonReading.Parse(System.Text.Encoding.UTF8.GetBytes(json)));

        (budget.CanNeverAllow, budget.WantsAll).ShouldBe((never, all));
    }
}

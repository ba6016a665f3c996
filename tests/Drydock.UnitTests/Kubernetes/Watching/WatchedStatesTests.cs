using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Reading;
using Drydock.Kubernetes.Watching;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Watching;

/// <summary>Which change of which object can matter, and to whom.</summary>
public sealed class WatchedStatesTests
{
    [Theory]
    [InlineData("status.conditions.0.lastHeartbeatTime", "\"2030-01-01T00:00:00Z\"", "")]
    [InlineData("metadata.resourceVersion", "\"99\"", "")]
    [InlineData("status.images", "[]", "")]
    [InlineData("status.volumesInUse", "[\"v\"]", "")]
    [InlineData("spec.unschedulable", "true", "node-1")]
    [InlineData("spec.taints", """[{"key":"a","effect":"NoSchedule"}]""", "node-1")]
    [InlineData("metadata.labels.kubevirt~io/schedulable", "\"false\"", "node-1")]
    [InlineData("metadata.annotations.kubevirt~io/heartbeat", "\"2030-01-01T00:00:00Z\"", "node-1")]
    [InlineData("status.nodeInfo.bootID", "\"another\"", "node-1")]
    [InlineData("status.conditions.0.status", "\"Unknown\"", "node-1")]
    [InlineData("metadata.deletionTimestamp", "\"2030-01-01T00:00:00Z\"", "node-1")]
    public void What_of_a_node_concerns_its_own_maintenance(string path, string value, string nodes) =>
        Of(NodeState.Concerns(NodeState.From(Recorded("node")), NodeState.From(Changed("node", path, value)))).ShouldBe(nodes);

    [Theory]
    [InlineData("spec.unschedulable", "true")]
    [InlineData("spec.taints", """[{"key":"node.kubernetes.io/unschedulable","effect":"NoSchedule"}]""")]
    [InlineData("metadata.labels.kubevirt~io/schedulable", "\"false\"")]
    public void A_node_that_takes_pods_again_concerns_everyone(string path, string value) =>
        Of(NodeState.Concerns(NodeState.From(Changed("node", path, value)), NodeState.From(Recorded("node")))).ShouldBe("*");

    [Theory]
    [InlineData("status.disruptionsAllowed", "5", "*")]
    [InlineData("status.disruptionsAllowed", "-1", "")]
    [InlineData("status.currentHealthy", "7", "")]
    [InlineData("spec.minAvailable", "\"10%\"", "*")]
    [InlineData("metadata.generation", "9", "")]
    public void A_budget_concerns_everyone_when_it_may_allow_more(string path, string value, string concerns) =>
        Of(BudgetState.Concerns(BudgetState.From(Recorded("budget")), BudgetState.From(Changed("budget", path, value)), [])).ShouldBe(concerns);

    [Fact]
    public void A_budget_that_comes_goes_or_is_caught_up_with_concerns_everyone()
    {
        var budget = BudgetState.From(Recorded("budget"));

        Of(BudgetState.Concerns(null, budget, [])).ShouldBe("*");
        Of(BudgetState.Concerns(budget, null, [])).ShouldBe("*");
        Of(BudgetState.Concerns(BudgetState.From(Changed("budget", "metadata.generation", "9")), budget, [])).ShouldBe("*");
    }

    [Theory]
    [InlineData("status.interfaces", "[]", "")]
    [InlineData("status.guestOSInfo", "{}", "")]
    [InlineData("status.evacuationNodeName", "\"node-1\"", "node-1,node-0")]
    [InlineData("status.nodeName", "\"node-2\"", "node-1,node-2,node-0")]
    [InlineData("status.nodeName", "\"\"", "*")]
    [InlineData("status.phase", "\"Failed\"", "node-1,node-0")]
    [InlineData("status.migrationState", """{"failed":true}""", "node-1,node-0")]
    public void A_machine_concerns_the_nodes_it_was_seen_on(string path, string value, string concerns) =>
        Of(VmiState.Concerns(VmiState.From(Recorded("a-vmi-running")), VmiState.From(Changed("a-vmi-running", path, value)), ["node-0"]))
            .ShouldBe(concerns);

    [Fact]
    public void A_machine_that_came_up_concerns_everyone() =>
        Of(VmiState.Concerns(
            VmiState.From(Changed("a-vmi-running", "status.phase", "\"Scheduled\"")), VmiState.From(Recorded("a-vmi-running")), [])).ShouldBe("*");

    [Theory]
    [InlineData("status.phase", "\"Running\"", "node-1,node-0")]
    [InlineData("metadata.deletionTimestamp", "\"2030-01-01T00:00:00Z\"", "node-1,node-0")]
    [InlineData("status.conditions", """[{"type":"migrationAbortRequested","status":"True"}]""", "node-1,node-0")]
    [InlineData("metadata.resourceVersion", "\"1\"", "")]
    public void A_migration_concerns_its_nodes(string path, string value, string concerns) =>
        Of(MigrationState.Concerns(
            MigrationState.From(Recorded("a-vmim-running")), MigrationState.From(Changed("a-vmim-running", path, value)), ["node-0"])).ShouldBe(concerns);

    [Theory]
    [InlineData("status.phase", "\"Succeeded\"", true)]
    [InlineData("metadata.deletionTimestamp", "\"2030-01-01T00:00:00Z\"", true)]
    [InlineData("metadata.finalizers", "[\"a\"]", true)]
    [InlineData("metadata.resourceVersion", "\"1\"", false)]
    [InlineData("status.containerStatuses", "[]", false)]
    public void A_pod_matters_when_it_ends_or_goes(string path, string value, bool matters) =>
        (PodState.From(Recorded("pod")) != PodState.From(Changed("pod", path, value))).ShouldBe(matters);

    [Theory]
    [InlineData("metadata.deletionTimestamp", "\"2026-01-01T00:00:00Z\"", "")]
    [InlineData("status.phase", "\"Succeeded\"", "node-1")]
    public void That_a_pod_begins_to_go_is_no_news(string path, string value, string concerns) =>
        Of(PodState.Concerns("node-1", PodState.From(Recorded("pod")), PodState.From(Changed("pod", path, value)))).ShouldBe(concerns);

    private static string Of(Concern concern) => concern.Everyone ? "*" : string.Join(',', concern.Nodes);

    /// <summary>Written as the changed one is: a server does not change its spacing.</summary>
    private static JsonElement Recorded(string recording) =>
        JsonReading.Parse(Encoding.UTF8.GetBytes(JsonNode.Parse(Recording.Text(recording))!.ToJsonString()));

    /// <summary>The recorded object with one field set; <c>~</c> in a path stands for a dot in a key.</summary>
    private static JsonElement Changed(string recording, string path, string value)
    {
        var root = JsonNode.Parse(Recording.Text(recording))!;
        var names = path.Split('.').Select(name => name.Replace('~', '.')).ToArray();
        var at = root;
        foreach (var name in names[..^1])
        {
            at = at is JsonArray array ? array[int.Parse(name)]! : at[name] ??= new JsonObject();
        }

        at[names[^1]] = JsonNode.Parse(value);
        return JsonReading.Parse(Encoding.UTF8.GetBytes(root.ToJsonString()));
    }
}

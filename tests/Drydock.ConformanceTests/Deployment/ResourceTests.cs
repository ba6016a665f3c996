using System.Text.Json.Nodes;
using Drydock.ConformanceTests.Kubectl;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shouldly;

namespace Drydock.ConformanceTests.Deployment;

/// <summary>Our own kinds as they are deployed, by kubectl: their rules, their columns, and what they bring about.</summary>
public sealed class ResourceTests : IAsyncLifetime
{
    private readonly KubectlCluster _kubectl = new() { Program = "kubectl" };
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-resources-");
    private WebApplication? _server;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _kubectl.InitializeAsync();
        await _kubectl.RunAsync("apply", "-k", AdmissionTests.Manifest("../crds"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.StopAsync(CancellationToken.None);
            await _server.DisposeAsync();
        }

        RecordedCalls.Keep(_kubectl.Simulation.Api);
        await _kubectl.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("MaintenanceRollout", "rollout: {}", "give nodes, selector or kubeletBelow")]
    [InlineData("MaintenanceRollout", "rollout: {nodes: [node-1], selector: a=b}", "give nodes or selector, not both")]
    [InlineData("MaintenanceRollout", "rollout: {nodes: [node-1], soak: 5m}", "soak is for canary nodes; give canary too")]
    [InlineData("MaintenanceRollout", "rollout: {nodes: [node-1], maxUnavailable: 200%}", "maxUnavailable is 1 to 100, or 1% to 100%")]
    [InlineData("MaintenanceRollout", "rollout: {nodes: [node-1], order: Random}", "Unsupported value: \"Random\"")]
    [InlineData("MaintenanceRollout", "rollout: {nodes: [node-1], nodez: 1}", "unknown field \"spec.rollout.nodez\"")]
    [InlineData("MaintenanceWindow", "cron: 0 2 * * *, rollout: {nodes: [node-1]}", "cron and duration go together")]
    [InlineData("MaintenanceWindow", "rollout: {nodes: [node-1]}", "give cron and duration, or times")]
    [InlineData("MaintenanceWindow", "times: [{cron: 0 2 * * *, from: '2026-01-02T03:00:00Z'}], rollout: {nodes: [node-1]}", "give cron and duration, or from and to")]
    public async Task What_is_wrong_by_its_form_is_refused_by_the_definition(string kind, string spec, string sentence) =>
        (await ApplyAsync(kind, "bad", spec)).Error.ShouldContain(sentence);

    [Fact]
    public async Task A_rollout_runs_tells_where_it_stands_and_cannot_be_changed()
    {
        await ServeAsync();
        (await ApplyAsync("MaintenanceRollout", "autumn", "paused: true, rollout: {nodes: [node-2, node-3], maxUnavailable: 50%, maintenance: {health: {stableFor: 1s}}}"))
            .Code.ShouldBe(0);
        await UntilAsync("autumn", static status => status["phase"]?.ToString() == "Paused");
        var changed = await ApplyAsync("MaintenanceRollout", "autumn", "paused: true, rollout: {nodes: [node-2]}");
        await _kubectl.RunAsync("wait", "mro", "autumn", "--for=condition=Complete=False", "--timeout=60s");
        await _kubectl.RunAsync("patch", "mro", "autumn", "--type=merge", "-p", """{"spec":{"paused":false}}""");

        await _kubectl.RunAsync("wait", "mro", "autumn", "--for=condition=Complete", "--timeout=120s");
        var status = await UntilAsync("autumn", static status => status["phase"]?.ToString() is "Completed" or "Ended" or "Failed");

        changed.Error.ShouldContain("a rollout cannot be changed; delete it and create another");
        (status["phase"]!.ToString(), status["done"]!.GetValue<int>(), status["failed"]!.GetValue<int>()).ShouldBe(("Completed", 2, 0), status.ToJsonString());
        status["observedGeneration"]!.GetValue<int>().ShouldBe(2);
        status["conditions"]!.AsArray().Select(static condition => $"{condition!["type"]}={condition["status"]}")
            .ShouldBe(["Accepted=True", "Complete=True", "Degraded=False"]);
        (await _kubectl.RunAsync("get", "maintenancerollouts")).Rows[1][..4].ShouldBe(["autumn", "Completed", "2", "2"]);
        await _kubectl.RunAsync("delete", "mro", "autumn", "--timeout=60s");
    }

    [Fact]
    public async Task Deleting_a_rollout_puts_its_nodes_back_before_it_goes()
    {
        await ServeAsync();
        await ApplyAsync("MaintenanceRollout", "autumn", "rollout: {nodes: [node-1], maintenance: {action: Hold}}");
        await UntilAsync("autumn", static status => status["underMaintenance"] is not null);

        await _kubectl.RunAsync("delete", "mro", "autumn", "--timeout=60s");

        (await _kubectl.RunAsync("get", "node", "node-1", "-o", "jsonpath={.spec.unschedulable}")).Output.ShouldBeEmpty();
    }

    [Fact]
    public async Task Deleting_a_rollout_that_was_stopped_puts_the_node_back_that_it_still_holds()
    {
        await ServeAsync();
        await ApplyAsync("MaintenanceRollout", "autumn", "rollout: {nodes: [node-1, node-2], maintenance: {action: Hold}}");
        var begun = await UntilAsync("autumn", static status => status["underMaintenance"] is not null);
        await _server!.Services.GetRequiredService<Rollouts>().StopAsync(begun["rolloutId"]!.ToString(), "ada", null, Token);
        await UntilAsync("autumn", static status => status["phase"]?.ToString() == "Stopping");

        await _kubectl.RunAsync("delete", "mro", "autumn", "--timeout=60s");

        (await _kubectl.RunAsync("get", "node", "node-1", "-o", "jsonpath={.spec.unschedulable}")).Output.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("{nodes: [node-9]}", "spec.rollout.nodes[0]: 'node-9' is not allowed; allowed: the name of a node of the cluster.")]
    [InlineData("{nodes: [node-1], maintenance: {drain: {timeout: soon}}}", "spec.rollout.maintenance.drain.timeout: 'soon' is not allowed; allowed: a duration")]
    [InlineData("{nodes: [node-1], maintenance: {action: Reboot}}", "spec.rollout.maintenance: allowed: no forced deletion and no action but None and Hold")]
    [InlineData("{nodes: [node-1], maintenance: {actionOptions: {manifest: {metadata: {namespace: ops}}}}}", "spec.rollout.maintenance: allowed: no forced deletion and no action but None and Hold")]
    [InlineData("{nodes: [node-1], maintenance: {hooks: {beforeDrain: [{kind: Job, manifest: {metadata: {namespace: ops}}}]}}}", "spec.rollout.maintenance: allowed: no forced deletion and no action but None and Hold")]
    public async Task What_the_definition_cannot_know_is_told_in_a_condition(string rollout, string sentence)
    {
        await ServeAsync();
        await ApplyAsync("MaintenanceRollout", "lost", $"rollout: {rollout}");

        var status = await UntilAsync("lost", static status => status["phase"]?.ToString() == "Invalid");

        var accepted = status["conditions"]![0]!;
        (accepted["status"]!.ToString(), accepted["reason"]!.ToString()).ShouldBe(("False", "Invalid"));
        accepted["message"]!.ToString().ShouldStartWith(sentence);
        await _kubectl.RunAsync("delete", "mro", "lost", "--timeout=60s");
    }

    [Fact]
    public async Task A_window_brings_no_job_of_its_own_either()
    {
        await ServeAsync();
        await ApplyAsync(
            "MaintenanceWindow", "nightly", $"cron: {FarDate.Cron}, duration: 3h, " + "rollout: {nodes: [node-1], maintenance: {hooks: {afterDrain: [{kind: Job, manifest: {metadata: {namespace: ops}}}]}}}");

        var status = await UntilAsync("nightly", static status => status["phase"]?.ToString() == "Invalid", "mwi");

        status["conditions"]![0]!["message"]!.ToString().ShouldStartWith("spec.rollout.maintenance: allowed: no forced deletion and no action but None and Hold");
        await _kubectl.RunAsync("delete", "mwi", "nightly", "--timeout=60s");
    }

    [Fact]
    public async Task A_policy_says_whether_it_can_be_read_and_is_there_for_maintenances_that_name_it()
    {
        await ServeAsync();
        await ApplyAsync("MaintenancePolicy", "quiet", "jobs: {firmware: {namespace: drydock, timeout: 20m, manifest: {apiVersion: batch/v1, kind: Job}}}, rebootJob: firmware, healthOnDelete: true");
        await ApplyAsync("MaintenancePolicy", "broken", "jobs: {firmware: {namespace: drydock, timeout: soon, manifest: {}}}");

        var quiet = await UntilAsync("quiet", static _ => true, "mpo");
        var broken = await UntilAsync("broken", static _ => true, "mpo");

        (quiet["phase"]!.ToString(), quiet["conditions"]![0]!["status"]!.ToString()).ShouldBe(("Ready", "True"));
        (broken["phase"]!.ToString(), broken["conditions"]![0]!["status"]!.ToString()).ShouldBe(("Invalid", "False"));
        var policies = _server!.Services.GetRequiredService<IMaintenancePolicies>();
        var found = (await policies.FindAsync("quiet", Token))!;
        (found.Jobs["firmware"].Timeout, found.HealthOnDelete).ShouldBe((TimeSpan.FromMinutes(20), true));
        (await policies.FindAsync("broken", Token)).ShouldBeNull();
        (await policies.ListNamesAsync(Token)).ShouldBe(["broken", "quiet"]);
        (await ApplyAsync("MaintenancePolicy", "worse", "rebootJob: none")).Error.ShouldContain("rebootJob is the name of one of the jobs");
    }

    [Fact]
    public async Task A_window_says_when_it_opens_next_follows_its_spec_and_ends_with_its_object()
    {
        await ServeAsync();
        await ApplyAsync("MaintenanceWindow", "nightly", $"cron: {FarDate.Cron}, duration: 3h, rollout: {{selector: kubernetes.io/os=linux}}");
        var first = await UntilAsync("nightly", static status => status["nextOpenings"] is not null, "mwi");
        await ApplyAsync("MaintenanceWindow", "nightly", $"cron: 0 4 1 {FarDate.Month} *, duration: 3h, timeZone: Africa/Lagos, rollout: {{selector: kubernetes.io/os=linux}}");
        var second = await UntilAsync(
            "nightly", static status => status["nextOpenings"]?[0]?["from"]?.ToString().EndsWith($"-{FarDate.Month:00}-01T03:00:00Z", StringComparison.Ordinal) == true, "mwi");

        first["nextOpenings"]![0]!["from"]!.ToString().ShouldEndWith($"-{FarDate.Month:00}-01T02:00:00Z");
        second["observedGeneration"]!.GetValue<int>().ShouldBe(2);
        await _kubectl.RunAsync("delete", "mwi", "nightly", "--timeout=60s");
    }

    private Task<KubectlRun> ApplyAsync(string kind, string name, string spec) => _kubectl.TryAsync(
        $$"""
        apiVersion: drydock.dev/v1alpha1
        kind: {{kind}}
        metadata: {name: {{name}} }
        spec: { {{spec}} }
        """,
        "apply", "-f", "-");

    private async Task<JsonNode> UntilAsync(string name, Func<JsonNode, bool> holds, string kind = "mro")
    {
        while (true)
        {
            var found = JsonNode.Parse((await _kubectl.RunAsync("get", kind, name, "-o", "json")).Output)!;
            if (found["status"] is { } status && holds(status))
            {
                return status;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
        }
    }

    private async Task ServeAsync()
    {
        _server = DrydockHost.Build(new DrydockOptions
        {
            Hub = $"Data Source={Path.Combine(_folder.FullName, "hub.db")}",
            Cluster = ClusterConnection.InMemory(RecordedCalls.HandlerOf(_kubectl.Simulation.Api), new Uri("http://simulated")),
            Urls = ["http://127.0.0.1:0"],
            LogLevel = LogLevel.Warning,
        });
        await _server.StartAsync(Token);
    }
}

using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Drydock.ConformanceTests.Deployment;

/// <summary>
/// What the account may not read is not "none there": the plan names the permission, and refuses where a maintenance without it would not be
/// safe.
/// </summary>
public sealed class UnreadableTests : IAsyncLifetime
{
    private readonly SimulatedCluster _simulation = SimulatedCluster.Create(
        Scenario.Named("healthy") with
        {
            MachineApi = MachineApis.OpenShift,
            Nodes = [.. Scenario.Named("healthy").Nodes.Select(node => node with { Machine = $"metal/m-{node.Name}" })],
            NodeHealthChecks = [new NodeHealthCheckSpec("workers")],
            MachineHealthChecks = [new MachineHealthCheckSpec("metal", "workers")],
        },
        TimeProvider.System,
        NullLoggerFactory.Instance,
        seed: 1,
        speed: 5);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _simulation.StartAsync(Token);
        foreach (var file in (string[])["base/clusterrole.yaml", "base/clusterrolebinding.yaml", "components/operator/clusterrole.yaml"])
        {
            foreach (var text in (await File.ReadAllTextAsync(Path.Combine(AdmissionTests.Root(), "infra", "kubernetes", file), Token)).Split("\n---\n"))
            {
                var manifest = Yaml.Read(text)!.AsObject();
                _simulation.Store.Create(TypeOf(manifest["kind"]!.ToString()), manifest);
            }
        }

        _simulation.Api.Access.AddToken("drydock", "system:serviceaccount:drydock:drydock");
    }

    public ValueTask DisposeAsync() => _simulation.DisposeAsync();

    [Theory]
    [InlineData("list", "", "nodes")]
    [InlineData("list", "", "pods")]
    [InlineData("list", "policy", "poddisruptionbudgets")]
    [InlineData("get", "coordination.k8s.io", "leases")]
    [InlineData("list", "kubevirt.io", "kubevirts")]
    [InlineData("list", "kubevirt.io", "virtualmachineinstances")]
    [InlineData("list", "kubevirt.io", "virtualmachines")]
    [InlineData("list", "kubevirt.io", "virtualmachineinstancemigrations")]
    public async Task Without_what_makes_it_safe_no_maintenance_begins(string verb, string group, string resource)
    {
        Withdraw(verb, group, resource);

        var plan = await PlanAsync(new MaintenanceRequest("node-1"));

        plan.CanStart.ShouldBeFalse();
        var missing = plan.Findings.Single(finding => finding.Kind == "missing-permission");
        missing.Severity.ShouldBe(FindingSeverity.Refuses);
        missing.Message.ShouldBe($"The account may not {new AccessRule(verb, group, resource)}{(resource == "leases" ? " in namespace medik8s-leases" : "")}.");
        missing.NextStep.ShouldBe($"Grant it the verb {verb} on {resource}.");
    }

    [Theory]
    [InlineData("remediation.medik8s.io", "nodehealthchecks")]
    [InlineData("machine.openshift.io", "machines")]
    [InlineData("machine.openshift.io", "machinehealthchecks")]
    public async Task What_may_remediate_the_node_and_cannot_be_read_is_named_in_the_plan(string group, string resource)
    {
        var before = await PlanAsync(new MaintenanceRequest("node-1"));
        Withdraw("list", group, resource);

        var plan = await PlanAsync(new MaintenanceRequest("node-1"));
        var without = await PlanAsync(new MaintenanceRequest("node-1") { Remediation = RemediationPolicy.LabelOnly });

        before.Findings.ShouldNotContain(finding => finding.Kind == "remediation-not-read");
        plan.CanStart.ShouldBeTrue();
        plan.Findings.Single(finding => finding.Kind == "remediation-not-read").Message.ShouldBe(
            $"The account may not list {resource}.{group}: whether one of them remediates node node-1 while it is away is not known, and none is paused.");
        without.Findings.ShouldNotContain(finding => finding.Kind == "remediation-not-read");
    }

    [Theory]
    [InlineData("remediation.medik8s.io", "nodehealthchecks", "")]
    [InlineData("machine.openshift.io", "machinehealthchecks", " in namespace metal")]
    public async Task What_remediates_the_node_and_cannot_be_paused_refuses_it_before_it_is_cordoned(string group, string resource, string where)
    {
        Withdraw("patch", group, resource);

        var plan = await PlanAsync(new MaintenanceRequest("node-1"));
        var without = await PlanAsync(new MaintenanceRequest("node-1") { Remediation = RemediationPolicy.LabelOnly });

        plan.CanStart.ShouldBeFalse();
        var missing = plan.Findings.Single(static finding => finding.Kind == "missing-permission");
        missing.Message.ShouldBe($"The account may not patch {resource}.{group}{where}: what remediates node node-1 while it is away could not be paused.");
        missing.NextStep.ShouldBe($"Grant it the verb patch on {resource}, or pause them yourself and ask for remediation LabelOnly.");
        without.Findings.ShouldNotContain(static finding => finding.Kind == "missing-permission");
    }

    [Theory]
    [InlineData("metal", true)]
    [InlineData("elsewhere", false)]
    public async Task What_may_be_paused_in_its_own_namespace_alone_is_missed_nowhere_else(string @namespace, bool canStart)
    {
        Withdraw("patch", "machine.openshift.io", "machinehealthchecks");
        Grant(@namespace, """{"apiGroups":["machine.openshift.io"],"resources":["machinehealthchecks"],"verbs":["patch"]}""");

        var plan = await PlanAsync(new MaintenanceRequest("node-1"));

        plan.CanStart.ShouldBe(canStart);
        plan.Findings.Any(static finding => finding.Kind == "missing-permission").ShouldBe(!canStart);
    }

    [Fact]
    public async Task A_kind_that_is_not_served_is_not_missed_and_one_that_is_served_is()
    {
        Withdraw("list", "cluster.x-k8s.io", "machines");
        Withdraw("list", "machine.openshift.io", "machinehealthchecks");
        await using var cluster = Open();

        (await cluster.ListNeighboursAsync(NeighbourKind.ClusterMachine, Token)).ShouldBeEmpty();
        var refusal = await Should.ThrowAsync<ClusterException>(() => cluster.ListNeighboursAsync(NeighbourKind.OpenShiftHealthCheck, Token));

        refusal.Kind.ShouldBe(ClusterErrorKind.Forbidden);
        (await cluster.FindUnreadableAsync([NeighbourKind.ClusterMachine, NeighbourKind.OpenShiftHealthCheck], Token))
            .ShouldBe([new AccessRule("list", "machine.openshift.io", "machinehealthchecks")]);
    }

    [Fact]
    public async Task A_restore_by_hand_that_may_not_look_says_what_may_still_be_held()
    {
        Withdraw("list", "machine.openshift.io", "machinehealthchecks");
        await using var cluster = Open();

        var restored = await new NodeRestore(cluster, cluster, TimeProvider.System).RestoreAsync("node-1", evenIfRunning: false, Token);

        var left = restored.LeftBehind.ShouldHaveSingleItem();
        left.ShouldContain("is not allowed to list machinehealthchecks.machine.openshift.io (403).");
        left.ShouldEndWith("Whether any of them is still held for node node-1 is not known: grant that, then drydock restore node-1");
    }

    private async Task<MaintenancePlan> PlanAsync(MaintenanceRequest request)
    {
        await using var cluster = Open();
        await using var services = new ServiceCollection().AddSingleton<ICluster>(cluster).AddSingleton<INeighbours>(cluster).BuildServiceProvider();
        return await new PlanReader(cluster, TimeProvider.System, services.GetActionPlanner()).ReadAsync(request, Token);
    }

    private KubernetesCluster Open() => KubernetesCluster.Open(
        ClusterConnection.InMemory(new Bearer { InnerHandler = _simulation.Api.CreateHandler() }, new Uri("http://simulated")), TimeProvider.System);

    private ResourceType TypeOf(string kind) => _simulation.Store.Types.Single(type => type.Kind == kind);

    /// <summary>Takes one verb for one resource out of every role.</summary>
    private void Withdraw(string verb, string group, string resource)
    {
        var roles = TypeOf("ClusterRole");
        foreach (var role in _simulation.Store.List(roles))
        {
            _simulation.Store.Update(roles, null, role["metadata"]!["name"]!.ToString(), found =>
            {
                found["rules"] = new JsonArray([.. found["rules"]!.AsArray().SelectMany(rule => Without(rule!.AsObject(), verb, group, resource))]);
                return true;
            });
        }
    }

    /// <summary>Gives the account that rule in one namespace.</summary>
    private void Grant(string @namespace, string rule)
    {
        _simulation.Store.Create(TypeOf("Role"), JsonNode.Parse($$"""
            {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"pauses","namespace":"{{@namespace}}"},"rules":[{{rule}}]}
            """)!.AsObject());
        _simulation.Store.Create(TypeOf("RoleBinding"), JsonNode.Parse($$"""
            {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"pauses","namespace":"{{@namespace}}"},
             "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"pauses"},
             "subjects":[{"kind":"ServiceAccount","name":"drydock","namespace":"drydock"}]}
            """)!.AsObject());
    }

    private static IEnumerable<JsonNode?> Without(JsonObject rule, string verb, string group, string resource)
    {
        if (!Has(rule, "apiGroups", group) || !Has(rule, "resources", resource) || !Has(rule, "verbs", verb))
        {
            yield return rule.DeepClone();
            yield break;
        }

        var others = rule.DeepClone().AsObject();
        others["resources"] = new JsonArray([.. rule["resources"]!.AsArray().Where(one => one!.ToString() != resource).Select(one => one!.DeepClone())]);
        yield return others;
        var same = rule.DeepClone().AsObject();
        same["resources"] = new JsonArray(resource);
        same["verbs"] = new JsonArray([.. rule["verbs"]!.AsArray().Where(one => one!.ToString() != verb).Select(one => one!.DeepClone())]);
        yield return same;
    }

    private static bool Has(JsonObject rule, string list, string value) => rule[list] is JsonArray values && values.Any(one => one!.ToString() == value);

    private sealed class Bearer : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "drydock");
            return base.SendAsync(request, cancellationToken);
        }
    }
}

using System.Net.Http.Headers;
using System.Net.Http.Json;
using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Server;
using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Drydock.ConformanceTests.Deployment;

/// <summary>The ClusterRole that is deployed, enforced: with it and nothing else everything can be done that Drydock does.</summary>
public sealed class ClusterRoleTests : IAsyncLifetime
{
    private const string ServiceAccount = "system:serviceaccount:drydock:drydock";
    private const string Resources = "/apis/nodemaintenance.medik8s.io/v1beta1/nodemaintenances";
    private const string Rollouts = "/apis/drydock.dev/v1alpha1/maintenancerollouts";
    private static readonly Uri _address = new("http://simulated");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-role-");
    private readonly CancellationTokenSource _deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly SimulatedCluster _simulation =
        SimulatedCluster.Create(Scenario.Named("healthy"), TimeProvider.System, NullLoggerFactory.Instance, seed: 1, speed: 5);

    private CancellationToken Token => _deadline.Token;

    private ClusterConnection AsServiceAccount =>
        ClusterConnection.InMemory(new Bearer("drydock") { InnerHandler = _simulation.Api.CreateHandler() }, _address);

    public async ValueTask InitializeAsync()
    {
        _deadline.CancelAfter(TimeSpan.FromMinutes(2));
        await _simulation.StartAsync(Token);
        foreach (var file in (string[])["base/clusterrole.yaml", "base/clusterrolebinding.yaml", "components/operator/clusterrole.yaml"])
        {
            Install(file);
        }

        _simulation.Api.Access.AddToken("drydock", ServiceAccount);
    }

    public async ValueTask DisposeAsync()
    {
        RecordedCalls.Keep(_simulation.Api);
        await _simulation.DisposeAsync();
        _folder.Delete(recursive: true);
        _deadline.Dispose();
    }

    [Fact]
    public async Task A_maintenance_by_REST_is_refused_nothing()
    {
        await using var server = DrydockHost.Build(Options);
        await server.StartAsync(Token);
        using var http = new HttpClient { BaseAddress = new Uri(server.Urls.Single()), Timeout = Timeout.InfiniteTimeSpan };
        var api = new DrydockApiClient(http);

        var started = await api.CreateMaintenanceAsync(
            new MaintenanceCreate { Node = "node-1", Health = new HealthSettings { StableFor = "1s" } }, null, Token);
        MaintenanceView? ended = null;
        await foreach (var view in api.WatchMaintenanceAsync(started.Id, Token))
        {
            ended = view;
            if (view.IsOver)
            {
                break;
            }
        }

        ended!.State.ShouldBe(MaintenanceState.Completed, ended.Message);
        Refused().ShouldBeEmpty();
        Asked().ShouldContain("create pods/eviction");
        await server.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_NodeMaintenance_is_refused_nothing()
    {
        await using var server = DrydockHost.Build(Options);
        await server.StartAsync(Token);
        using var kubectl = new HttpClient(_simulation.Api.CreateHandler()) { BaseAddress = _address };

        (await kubectl.PostAsJsonAsync(Resources, new
        {
            apiVersion = "nodemaintenance.medik8s.io/v1beta1",
            kind = "NodeMaintenance",
            metadata = new { name = "fan" },
            spec = new { nodeName = "node-1" },
        }, Token)).EnsureSuccessStatusCode();
        await UntilAsync(() => Fan()?["status"]?["phase"]?.ToString() is "Succeeded" or "Failed");
        Fan()!["status"]!["phase"]!.ToString().ShouldBe("Succeeded", Fan()!.ToJsonString());
        (await kubectl.DeleteAsync(Resources + "/fan", Token)).EnsureSuccessStatusCode();
        await UntilAsync(() => Fan() is null);

        Refused().ShouldBeEmpty();
        Asked().ShouldContain("patch nodemaintenances.nodemaintenance.medik8s.io/status");
        await server.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_MaintenanceRollout_is_refused_nothing()
    {
        foreach (var definition in new[] { "maintenancerollouts.yaml", "maintenancewindows.yaml" })
        {
            _simulation.Store.Create(
                _simulation.Store.Types.Single(static type => type.Plural == "customresourcedefinitions"),
                Yaml.Read(await File.ReadAllTextAsync(AdmissionTests.Manifest("../crds/" + definition), Token))!.AsObject());
        }

        await using var server = DrydockHost.Build(Options);
        await server.StartAsync(Token);
        using var kubectl = new HttpClient(_simulation.Api.CreateHandler()) { BaseAddress = _address };

        (await kubectl.PostAsJsonAsync(Rollouts, new
        {
            apiVersion = "drydock.dev/v1alpha1",
            kind = "MaintenanceRollout",
            metadata = new { name = "autumn" },
            spec = new { rollout = new { nodes = new[] { "node-2" } } },
        }, Token)).EnsureSuccessStatusCode();
        await UntilAsync(() => Autumn()?["status"]?["phase"]?.ToString() is "Completed" or "Ended" or "Failed" or "Invalid");
        Autumn()!["status"]!["phase"]!.ToString().ShouldBe("Completed", Autumn()!.ToJsonString());
        (await kubectl.DeleteAsync(Rollouts + "/autumn", Token)).EnsureSuccessStatusCode();
        await UntilAsync(() => Autumn() is null);

        Refused().ShouldBeEmpty();
        Asked().ShouldContain("patch maintenancerollouts.drydock.dev/status");
        await server.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task All_that_a_maintenance_checks_beforehand_is_granted_but_what_forces()
    {
        var force = new MaintenanceRequest("node-1") { Drain = new DrainPolicy { OnTimeout = DeadlinePolicy.Force } };
        await using var cluster = KubernetesCluster.Open(AsServiceAccount, TimeProvider.System);

        (await cluster.GetMissingAccessAsync(Maintenance.Access.Needed(force, hasKubeVirt: true), Token))
            .ShouldBe([new AccessRule("delete", "", "pods"), new AccessRule("delete", "kubevirt.io", "virtualmachineinstances")]);
    }

    [Fact]
    public async Task An_event_is_recorded_and_counted()
    {
        await using var cluster = KubernetesCluster.Open(AsServiceAccount, TimeProvider.System);
        var begun = new NodeEvent("node-1", null, false, "BeginMaintenance", "Begin a node maintenance", "m-1");

        await cluster.RecordEventAsync(begun, Token);
        await cluster.RecordEventAsync(begun, Token);

        Refused().ShouldBeEmpty();
    }

    /// <summary>The calls of rare turns that no flow of the suite takes: each is answered by the cluster, not refused by the role.</summary>
    [Fact]
    public async Task What_is_called_in_rare_cases_only_is_granted_too()
    {
        Install("components/force/clusterrole.yaml");
        await using var cluster = KubernetesCluster.Open(AsServiceAccount, TimeProvider.System);
        using var kubectl = new HttpClient(_simulation.Api.CreateHandler()) { BaseAddress = _address };
        (await kubectl.DeleteAsync("/api/v1/namespaces/medik8s-leases", Token)).EnsureSuccessStatusCode();
        await UntilAsync(() => _simulation.Store.Get(_simulation.Store.Types.Single(static type => type.Plural == "namespaces"), null, "medik8s-leases") is null);
        Create("customresourcedefinitions", """
            apiVersion: apiextensions.k8s.io/v1
            kind: CustomResourceDefinition
            metadata: {name: machines.cluster.x-k8s.io}
            spec:
              group: cluster.x-k8s.io
              scope: Namespaced
              names: {plural: machines, singular: machine, kind: Machine, listKind: MachineList}
              versions: [{name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
            """);
        Create("volumeattachments", """
            apiVersion: storage.k8s.io/v1
            kind: VolumeAttachment
            metadata: {name: csi-1}
            spec: {attacher: csi.example.com, nodeName: node-1, source: {persistentVolumeName: pv-1}}
            """);

        (await cluster.AcquireLeaseAsync("node-1", null, "drydock/test/m-1", TimeSpan.FromMinutes(1), Token)).IsOurs.ShouldBeTrue();
        (await cluster.ListVolumeAttachmentsAsync("node-1", [new PodSnapshot(new ObjectRef("shop", "db-0"), "u", "node-1") { Claims = ["data"] }], Token)).ShouldHaveSingleItem();
        await cluster.DeleteVmiAsync(new ObjectRef("shop", "no-such-machine"), "uid", Token);
        var machine = new NeighbourSnapshot(NeighbourKind.ClusterMachine, new ObjectRef("capi", "no-such-machine"), "uid", "1");
        await UntilAsync(() => _simulation.Store.Types.Any(static type => type.Plural == "machines"));
        (await cluster.GetNeighbourAsync(machine.Kind, machine.Ref, Token)).ShouldBeNull();
        (await cluster.ChangeNeighbourAsync(machine, new Dictionary<string, string?>(StringComparer.Ordinal) { ["a"] = "b" }, null, Token)).ShouldBeNull();

        Refused().ShouldBeEmpty();
        string[] rare =
        [
            "create namespaces", "get persistentvolumeclaims", "delete virtualmachineinstances.kubevirt.io",
            "get machines.cluster.x-k8s.io", "patch machines.cluster.x-k8s.io",
        ];
        rare.Except(Asked()).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_was_marked_for_evacuation_may_be_let_go()
    {
        await using var cluster = KubernetesCluster.Open(AsServiceAccount, TimeProvider.System);
        VmiSnapshot machine;
        do
        {
            var machines = await cluster.ListVmisAsync(Token);
            machine = machines[0];
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        }
        while (machine.Node is null);
        _simulation.Store.Update(
            _simulation.Store.Types.Single(static type => type.Plural == "virtualmachineinstances"), machine.Ref.Namespace, machine.Ref.Name,
            vmi =>
            {
                vmi["status"]!["evacuationNodeName"] = machine.Node;
                return true;
            });

        (await cluster.CancelEvacuationAsync(machine, Token)).IsAccepted.ShouldBeTrue();

        Refused().ShouldBeEmpty();
        Asked().ShouldContain("update virtualmachineinstances.subresources.kubevirt.io/evacuate/cancel");
    }

    private DrydockOptions Options => new()
    {
        Hub = $"Data Source={Path.Combine(_folder.FullName, "hub.db")}",
        Cluster = AsServiceAccount,
        Urls = ["http://127.0.0.1:0"],
        LogLevel = LogLevel.Warning,
    };

    private System.Text.Json.Nodes.JsonObject? Autumn() =>
        _simulation.Store.Get(_simulation.Store.Types.Single(type => type.Plural == "maintenancerollouts"), null, "autumn");

    private System.Text.Json.Nodes.JsonObject? Fan() =>
        _simulation.Store.Get(_simulation.Store.Types.Single(type => type.Plural == "nodemaintenances"), null, "fan");

    private void Create(string plural, string yaml) =>
        _simulation.Store.Create(_simulation.Store.Types.Single(type => type.Plural == plural), Yaml.Read(yaml)!.AsObject());

    private void Install(string file)
    {
        foreach (var text in File.ReadAllText(Path.Combine(AdmissionTests.Root(), "infra", "kubernetes", file)).Split("\n---\n"))
        {
            var manifest = Yaml.Read(text)!.AsObject();
            _simulation.Store.Create(_simulation.Store.Types.Single(type => type.Kind == manifest["kind"]!.ToString()), manifest);
        }
    }

    private IEnumerable<RequestRecord> Mine() => _simulation.Api.RequestLog.All.Where(request => request.User == ServiceAccount);

    private List<string> Asked() => [.. Mine().Select(Describe).Distinct()];

    private List<string> Refused() => [.. Mine().Where(request => request.Code == 403).Select(Describe).Distinct()];

    private static string Describe(RequestRecord request) =>
        $"{request.Verb} {request.Resource ?? request.Path}{(request.Subresource is { } sub ? "/" + sub : "")}";

    private async Task UntilAsync(Func<bool> holds)
    {
        while (!holds())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }
    }

    private sealed class Bearer(string token) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            return base.SendAsync(request, cancellationToken);
        }
    }
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Api;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Remote;
using Drydock.EndToEndTests.Cli;
using Drydock.EndToEndTests.Server;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Kill;

/// <summary>A server on a task hub in another process, as on the Durable Task Scheduler.</summary>
public sealed class HubElsewhereTests
{
    private static readonly ResourceType Maintenances = new(
        "nodemaintenance.medik8s.io", "v1beta1", "nodemaintenances", "nodemaintenance", "NodeMaintenance", Namespaced: false);

    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task A_server_killed_in_the_drain_goes_on_from_the_hub_elsewhere_and_another_cluster_is_refused_there()
    {
        await using var cluster = await LiveCluster.StartAsync("healthy", copy: TimeSpan.FromSeconds(8));
        await using var hub = DrydockProcess.Start(cluster.Folder, "hub", "--listen", "127.0.0.1:0", "--db", Path.Combine(cluster.Folder, "elsewhere.db"), "-o", "json");
        var address = $"Endpoint={await ToldAsync(hub, "address")};TaskHub=maintenance;Authentication=None";
        MaintenanceView before;
        await using (var first = Serve(cluster, address))
        {
            using var http = new HttpClient { BaseAddress = new Uri(await ToldAsync(first, "url")) };
            var api = new DrydockApiClient(http);
            var started = await api.CreateMaintenanceAsync(new MaintenanceCreate { Node = cluster.Node, Health = new HealthSettings { StableFor = "1s" } }, null, Token);
            before = await WatchAsync(api, started.Id, view => view.Step == "Drain" && view.Vms.Any(vm => vm is { Phase: "Running", Deadline: not null }));
            await first.KillAsync();
        }

        before.IsOver.ShouldBeFalse(before.Message);
        List<MaintenanceView> seen = [];
        await using var second = Serve(cluster, address);
        using var again = new HttpClient { BaseAddress = new Uri(await ToldAsync(second, "url")) };
        var after = await WatchAsync(new DrydockApiClient(again), before.Id, view =>
        {
            seen.Add(view);
            return view.IsOver;
        });

        after.State.ShouldBe(MaintenanceState.Completed, after.Message);
        after.LeftBehind.ShouldBeEmpty();
        after.Vms.ShouldAllBe(vm => vm.Outcome == "Migrated");
        seen.Where(view => view.Step == "Drain").ShouldAllBe(view => view.Deadline == before.Deadline);
        cluster.Evictions().Values.ShouldAllBe(times => times == 1);
        cluster.Cluster.Store.List(KubeVirtTypes.Migrations).Count.ShouldBe(after.Vms.Count);
        cluster.Cluster.Check().Where(check => !check.Ok).ShouldBeEmpty();
        (await again.GetStringAsync(new Uri("readyz", UriKind.Relative), Token)).ShouldBe("ready");

        await using var other = await LiveCluster.StartAsync("healthy", seed: 2);
        var (code, _, error) = await other.RunAsync([.. Arguments(address)]);
        code.ShouldNotBe(0);
        error.ShouldContain("This task hub belongs to cluster");
    }

    [Fact]
    public async Task A_resource_is_acted_upon_by_the_server_that_is_left()
    {
        await using var cluster = await LiveCluster.StartAsync("healthy");
        await using var hub = DrydockProcess.Start(cluster.Folder, "hub", "--listen", "127.0.0.1:0", "--db", Path.Combine(cluster.Folder, "elsewhere.db"), "-o", "json");
        var address = $"Endpoint={await ToldAsync(hub, "address")};TaskHub=maintenance";
        await using var first = Serve(cluster, address);
        await ToldAsync(first, "url");
        var holder = await UntilAsync(() => Holder(cluster));
        await using var second = Serve(cluster, address);
        await ToldAsync(second, "url");

        await first.KillAsync();
        cluster.Cluster.Store.Create(Maintenances, new JsonObject
        {
            ["apiVersion"] = "nodemaintenance.medik8s.io/v1beta1", ["kind"] = "NodeMaintenance",
            ["metadata"] = new JsonObject { ["name"] = "fan" }, ["spec"] = new JsonObject { ["nodeName"] = cluster.Node },
        });

        await UntilAsync(() => (string?)cluster.Cluster.Store.Get(Maintenances, null, "fan")!["status"]?["phase"] is "Succeeded" and var phase ? phase : null);
        Holder(cluster).ShouldNotBe(holder);
        cluster.IsCordoned().ShouldBeTrue();
    }

    [Fact]
    public async Task Another_program_reaches_the_hubs_that_a_server_lends()
    {
        await using var cluster = await LiveCluster.StartAsync("healthy");
        var port = Ports.Free();
        await using var server = cluster.Start(
            [.. Arguments($"Data Source={Path.Combine(cluster.Folder, "lent.db")}"), "--hub-listen", $"127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}"]);
        using var http = new HttpClient { BaseAddress = new Uri(await ToldAsync(server, "url")) };
        var started = await new DrydockApiClient(http).CreateMaintenanceAsync(new MaintenanceCreate { Node = cluster.Node }, null, Token);

        // A hub of its own for who names none; the maintenances for who asks for them.
        using var own = Connect(port, null);
        await own.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "mine", Name = "Orchestrator" }, Token);
        await foreach (var item in own.GetWorkItemsAsync(new GetWorkItemsRequest(), keepsOrchestrators: false, Token))
        {
            if (item.OrchestratorRequest is not null)
            {
                item.OrchestratorRequest.InstanceId.ShouldBe("mine");
                var end = new CompleteOrchestrationAction { OrchestrationStatus = OrchestrationStatus.Completed, Result = "1" };
                await own.CompleteOrchestratorTaskAsync(
                    new OrchestratorResponse { CompletionToken = item.CompletionToken, Actions = { new OrchestratorAction { CompleteOrchestration = end } } }, Token);
                break;
            }
        }

        (await own.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = "mine", GetInputsAndOutputs = true }, Token))
            .OrchestrationState.Output.ShouldBe("1");
        (await own.GetInstanceAsync(new GetInstanceRequest { InstanceId = started.Id }, Token)).Exists.ShouldBeFalse();
        using var maintenances = Connect(port, "drydock");
        (await maintenances.GetInstanceAsync(new GetInstanceRequest { InstanceId = started.Id }, Token)).Exists.ShouldBeTrue();
    }

    private static RemoteTaskHub Connect(int port, string? taskHub) => new(
        new RemoteTaskHubOptions { Address = new TaskHubAddress(new Uri($"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}")) { TaskHub = taskHub } },
        TimeProvider.System,
        NullLogger<RemoteTaskHub>.Instance);

    [Fact]
    public async Task A_hub_that_is_not_there_is_told_in_a_sentence()
    {
        await using var cluster = await LiveCluster.StartAsync();

        var (code, _, error) = await cluster.RunAsync([.. Arguments("Endpoint=http://127.0.0.1:1;TaskHub=maintenance")]);

        code.ShouldNotBe(0);
        error.ShouldContain("The task hub at http://127.0.0.1:1/ cannot be used (Unavailable)");
        error.ShouldContain("Check Endpoint, TaskHub and Authentication");
        cluster.Changes().ShouldBeEmpty();
    }

    private static string? Holder(LiveCluster cluster) =>
        (string?)cluster.Cluster.Store.Get(ResourceTypes.Leases, "medik8s-leases", "drydock-operator")?["spec"]?["holderIdentity"];

    private async Task<string> UntilAsync(Func<string?> read)
    {
        string? found;
        while ((found = read()) is null)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }

        return found;
    }

    private static DrydockProcess Serve(LiveCluster cluster, string address) => cluster.Start([.. Arguments(address)]);

    private static IEnumerable<string> Arguments(string address) =>
        ["serve", "--db", address, "--urls", "http://127.0.0.1:0", "--access", "none", "--output", "json"];

    private static async Task<string> ToldAsync(DrydockProcess process, string what)
    {
        await process.WaitForAsync("\"kind\":\"listening\"");
        var line = process.Output.Split('\n').First(line => line.Contains("\"kind\":\"listening\"", StringComparison.Ordinal));
        return JsonDocument.Parse(line).RootElement.GetProperty("data").GetProperty(what).GetString()!;
    }

    private async Task<MaintenanceView> WatchAsync(DrydockApiClient api, string id, Func<MaintenanceView, bool> until)
    {
        while (true)
        {
            var view = await api.GetMaintenanceAsync(id, Token);
            if (view.IsOver || until(view))
            {
                return view;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
        }
    }
}

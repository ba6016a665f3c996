using System.Text;
using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>
/// Drydock drains the node it runs on: its own pod is evicted like any other, the process ends, and the one that starts elsewhere on the
/// same volume finishes the maintenance.
/// </summary>
public sealed class SelfDrainTests
{
    private const string Pods = "/api/v1/namespaces/default/pods?labelSelector=app%3Ddrydock";

    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task The_maintenance_of_its_own_node_is_finished_from_another()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var node = await DeployAsync(harbour);
        var started = await harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = node, Health = new HealthSettings { StableFor = "0s" } }, null, Token);

        // The kubelet ends the process when the eviction of its pod is accepted; the pod elsewhere gets the volume and starts again.
        while (!Evictions(harbour).Any(static pod => pod.StartsWith("drydock", StringComparison.Ordinal)))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
        }

        await harbour.StopServerAsync();
        await harbour.StartServerAsync(Token);
        var ended = await harbour.WatchAsync(started.Id, static _ => false, Token);

        ended.State.ShouldBe(MaintenanceState.Completed, ended.Message);
        ended.LeftBehind.ShouldBeEmpty();
        Evictions(harbour).GroupBy(static pod => pod).ShouldAllBe(static pod => pod.Count() == 1);
        var elsewhere = await harbour.UntilAsync(Pods, static pods => pods?["items"]?.AsArray().Any(static pod => pod!["spec"]?["nodeName"] is not null) == true, Token);
        elsewhere!["items"]!.AsArray().Select(static pod => pod!["spec"]!["nodeName"]?.ToString()).ShouldNotContain(node);
    }

    private static List<string> Evictions(Harbour harbour) =>
        [.. harbour.Cluster.Api.RequestLog.Of("create", "pods", "eviction").Where(static request => request.Code is 200 or 201).Select(static request => request.Name!)];

    private async Task<string> DeployAsync(Harbour harbour)
    {
        const string deployment = """
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"drydock","namespace":"default"},
             "spec":{"replicas":1,"selector":{"matchLabels":{"app":"drydock"}},
                     "template":{"metadata":{"labels":{"app":"drydock"}},"spec":{"containers":[{"name":"drydock","image":"drydock:0.1.0"}]}}}}
            """;
        var answer = await harbour.Kubernetes.PostAsync(
            "/apis/apps/v1/namespaces/default/deployments", new StringContent(deployment, Encoding.UTF8, "application/json"), Token);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync(Token));
        var running = await harbour.UntilAsync(
            Pods, static pods => pods?["items"]?.AsArray() is [{ } pod] && pod["status"]?["phase"]?.ToString() == "Running", Token);
        return running!["items"]![0]!["spec"]!["nodeName"]!.ToString();
    }
}

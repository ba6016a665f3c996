using System.Text.Json.Nodes;
using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>
/// Drydock, deployed from <c>infra/kubernetes</c>, drains the node it runs on: its own pod is evicted like any other, the process ends, its
/// volume moves, and the one that starts elsewhere on it finishes the maintenance.
/// </summary>
public sealed class SelfDrainTests
{
    private const string Pods = "/api/v1/namespaces/drydock/pods?labelSelector=app.kubernetes.io%2Fname%3Ddrydock";
    private const string Attachments = "/apis/storage.k8s.io/v1/volumeattachments";
    private const string Claim = "/api/v1/namespaces/drydock/persistentvolumeclaims/drydock-hub";

    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task The_maintenance_of_its_own_node_is_finished_from_another()
    {
        await using var harbour = await Harbour.OpenAsync(Token, scenario: "volumes");
        await ApplyAsync("overlays/sqlite", await harbour.Cluster.ListenAsync(0, Token));
        var first = await RunningAsync(harbour, not: null);
        var (volume, node) = ((await harbour.GetAsync(Claim, Token))!["spec"]!["volumeName"]!.ToString(), first.Node);
        var started = await harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = node, Health = new HealthSettings { StableFor = "0s" } }, null, Token);

        // The kubelet ends the process when the eviction of its pod is accepted.
        while (!Evictions(harbour).Contains(first.Name))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
        }

        await harbour.StopServerAsync();
        var second = await RunningAsync(harbour, not: first.Name);

        // The volume is on one node at a time: where the new pod is, and no more on the node in maintenance.
        second.Node.ShouldNotBe(node);
        var attached = (await harbour.GetAsync(Attachments, Token))!["items"]!.AsArray()
            .Where(each => each!["spec"]!["source"]!["persistentVolumeName"]!.ToString() == volume).Select(static each => each!["spec"]!["nodeName"]!.ToString());
        attached.ShouldBe([second.Node]);

        await harbour.StartServerAsync(Token);
        var ended = await harbour.WatchAsync(started.Id, static _ => false, Token);

        ended.State.ShouldBe(MaintenanceState.Completed, ended.Message);
        ended.LeftBehind.ShouldBeEmpty();
        Evictions(harbour).ShouldBeUnique();
    }

    private static List<string> Evictions(Harbour harbour) =>
        [.. harbour.Cluster.Api.RequestLog.Of("create", "pods", "eviction").Where(static request => request.Code is 200 or 201).Select(static request => request.Name!)];

    private async Task<(string Name, string Node)> RunningAsync(Harbour harbour, string? not)
    {
        var pods = await harbour.UntilAsync(Pods, each => Running(each, not).Any(), Token);
        var pod = Running(pods, not).Single();
        return (pod["metadata"]!["name"]!.ToString(), pod["spec"]!["nodeName"]!.ToString());
    }

    private static IEnumerable<JsonNode> Running(JsonNode? pods, string? not) =>
        pods!["items"]!.AsArray().Select(static pod => pod!).Where(pod => pod["status"]?["phase"]?.ToString() == "Running" && pod["metadata"]!["name"]!.ToString() != not);

    private async Task ApplyAsync(string overlay, Uri server)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Workflows.sln")))
        {
            folder = folder.Parent!;
        }

        await Kubectl.RunAsync(server, ["apply", "-k", Path.Combine(folder.FullName, "infra", "kubernetes", overlay)], "", Token);
    }
}

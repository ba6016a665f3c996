using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>The lifecycle conditions of nodes (KEP-5683), written by the real server.</summary>
public sealed class NodeConditionTests
{
    private static readonly string[] Lifecycle = ["MaintenancePlanned", "DrainInProgress", "Drained", "MaintenanceInProgress"];

    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task They_follow_the_maintenance_over_a_restart_and_are_false_at_its_end()
    {
        await using var harbour = await Harbour.OpenAsync(Token, wire: static handler => new Version137 { InnerHandler = handler });
        var held = await harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Action = "Hold" }, null, Token);

        var node = await harbour.UntilAsync("/api/v1/nodes/node-1", node => Status(node, "Drained") == "True", Token);
        Condition(node, "Drained")!["reason"]!.ToString().ShouldBe("DrainCompleted");
        Condition(node, "MaintenanceInProgress")!["message"]!.ToString().ShouldContain(held.Id);
        (Status(node, "MaintenanceInProgress"), Status(node, "DrainInProgress")).ShouldBe(("True", Status(node, "DrainInProgress") is null ? null : "False"));
        Status(node, "Ready").ShouldBe("True", "What the kubelet says is left alone.");

        await harbour.StopServerAsync();
        await harbour.StartServerAsync(Token);
        await harbour.Api.CancelMaintenanceAsync(held.Id, null, Token);
        node = await harbour.UntilAsync("/api/v1/nodes/node-1", node => Lifecycle.All(type => Status(node, type) is null or "False"), Token);
        Status(node, "Drained").ShouldBe("False");
        Status(node, "Ready").ShouldBe("True");
        Condition(await harbour.GetAsync("/api/v1/nodes/node-2", Token), "Drained").ShouldBeNull();
    }

    [Fact]
    public async Task An_end_that_was_not_seen_is_made_good_at_the_next_start()
    {
        await using var harbour = await Harbour.OpenAsync(Token, wire: static handler => new Version137 { InnerHandler = handler });
        var held = await harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Action = "Hold" }, null, Token);
        await harbour.UntilAsync("/api/v1/nodes/node-1", node => Status(node, "Drained") == "True", Token);

        using (harbour.Cluster.Api.Access.Deny("patch", "nodes/status"))
        {
            await harbour.Api.CancelMaintenanceAsync(held.Id, null, Token);
            await harbour.WatchAsync(held.Id, static _ => false, Token);
            await harbour.StopServerAsync();
        }

        Status(await harbour.GetAsync("/api/v1/nodes/node-1", Token), "Drained").ShouldBe("True");
        await harbour.StartServerAsync(Token);
        await harbour.UntilAsync("/api/v1/nodes/node-1", node => Status(node, "Drained") == "False", Token);
    }

    [Fact]
    public async Task An_API_server_that_does_not_have_them_is_left_alone()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var started = await harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Health = new HealthSettings { StableFor = "1s" } }, null, Token);
        await harbour.WatchAsync(started.Id, static _ => false, Token);

        harbour.Cluster.Api.RequestLog.Of("patch", "nodes", "status").ShouldBeEmpty();
    }

    private static JsonNode? Condition(JsonNode? node, string type) =>
        node?["status"]?["conditions"]?.AsArray().SingleOrDefault(condition => (string?)condition!["type"] == type);

    private static string? Status(JsonNode? node, string type) => (string?)Condition(node, type)?["status"];

    /// <summary>The simulated API server as one that says it is Kubernetes 1.37.</summary>
    private sealed class Version137 : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = await base.SendAsync(request, cancellationToken);
            if (request.RequestUri!.AbsolutePath == "/version" && answer.StatusCode == HttpStatusCode.OK)
            {
                var text = await answer.Content.ReadAsStringAsync(cancellationToken);
                answer.Content = new StringContent(text.Replace("v1.36.2", "v1.37.0"), Encoding.UTF8, "application/json");
            }

            return answer;
        }
    }
}

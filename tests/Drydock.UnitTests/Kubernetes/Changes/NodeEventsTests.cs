using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Changes;

/// <summary>An event is a courtesy that kubectl describe node shows.</summary>
public sealed class NodeEventsTests
{
    private const string Path = "/api/v1/namespaces/default/events";
    private static readonly NodeEvent Begin = new("n1", "uid-of-n1", false, "BeginMaintenance", "Begin a node maintenance", "m-1");

    [Fact]
    public async Task It_is_about_the_node_as_the_kubelet_says_it()
    {
        var server = new PlayedServer().On("POST " + Path, 201);

        await server.Connect().RecordEventAsync(Begin, CancellationToken.None);

        var written = JsonNode.Parse(server.Requests.Single().Body)!;
        written["involvedObject"]!.ToJsonString().ShouldBe("""{"apiVersion":"v1","kind":"Node","name":"n1","uid":"n1"}""");
        (written["type"]!.GetValue<string>(), written["reportingComponent"]!.GetValue<string>()).ShouldBe(("Normal", "drydock"));
    }

    [Fact]
    public async Task Said_twice_it_counts()
    {
        var server = new PlayedServer().On("POST " + Path, 409).On($"GET {Path}/n1.", 200, """{"count":3}""").On("PATCH " + Path, 200);

        await server.Connect().RecordEventAsync(Begin, CancellationToken.None);

        server.Requests.Last().Body.ShouldStartWith("""{"count":4,""");
    }

    [Fact]
    public async Task A_refusal_is_not_the_callers_trouble()
    {
        await new PlayedServer().On("POST", 403, """{"kind":"Status","message":"no"}""").Connect().RecordEventAsync(Begin, CancellationToken.None);
        await new PlayedServer().On("POST", (_, _) => throw new HttpRequestException("no route")).Connect().RecordEventAsync(Begin, CancellationToken.None);
    }
}

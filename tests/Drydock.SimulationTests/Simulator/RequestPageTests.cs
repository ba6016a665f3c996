using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>What was asked of the simulated API server, asked over HTTP.</summary>
public sealed class RequestPageTests
{
    private const string Scene = TestCluster.ThreeNodes + "workloads: [{deployment: shop/web, replicas: 2, on: [node-1, node-2]}]\n";

    private const string Eviction =
        "\"path\":\"/api/v1/namespaces/shop/pods/nobody/eviction\",\"verb\":\"create\",\"resource\":\"pods\",\"subresource\":\"eviction\","
        + "\"namespace\":\"shop\",\"name\":\"nobody\",\"user\":\"kubernetes-admin\",\"code\":400}";

    [Fact]
    public async Task Requests_are_found_by_verb_resource_subresource_and_user()
    {
        var cluster = new TestCluster(Scene);
        using var http = Client(cluster);
        using var eviction = new StringContent("{}", Encoding.UTF8, "application/json");
        using var asAnn = new HttpRequestMessage(HttpMethod.Get, "/api/v1/nodes/node-2");
        asAnn.Headers.Add("Impersonate-User", "ann");

        await http.GetAsync("/api/v1/nodes", CancellationToken.None);
        await http.PostAsync("/api/v1/namespaces/shop/pods/nobody/eviction", eviction, CancellationToken.None);
        await http.SendAsync(asAnn, CancellationToken.None);

        (await AskAsync(http, "?verb=create&resource=pods&subresource=eviction")).ShouldHaveSingleItem()!
            .ToJsonString().ShouldEndWith(Eviction);
        (await AskAsync(http, "?user=ann")).ShouldHaveSingleItem()!["name"]!.ToString().ShouldBe("node-2");
        (await AskAsync(http, "?resource=nodes&subresource=")).Count.ShouldBe(2);
        (await AskAsync(http, "?resource=nodes&limit=1")).ShouldHaveSingleItem()!["verb"]!.ToString().ShouldBe("get");
        (await AskAsync(http, "")).Count.ShouldBe(3);

        await http.DeleteAsync("/simulator/requests", CancellationToken.None);
        (await AskAsync(http, "")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("?colour=blue", "Unknown query parameter colour (blue). Allowed: verb, resource, subresource, namespace, name, user, code, limit.")]
    [InlineData("?limit=none", "limit is 'none'. Allowed: a number from 1.")]
    public async Task A_question_that_makes_no_sense_is_refused_with_what_is_allowed(string query, string message)
    {
        using var http = Client(new TestCluster(Scene));

        var answer = await http.GetAsync("/simulator/requests" + query, CancellationToken.None);

        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        JsonNode.Parse(await answer.Content.ReadAsStringAsync(CancellationToken.None))!["error"]!.ToString().ShouldBe(message);
    }

    private static HttpClient Client(TestCluster cluster)
    {
        cluster.Pass(0);
        return new(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
    }

    private static async Task<JsonArray> AskAsync(HttpClient http, string query) =>
        JsonNode.Parse(await http.GetStringAsync("/simulator/requests" + query, CancellationToken.None))!.AsArray();
}

using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>The people of a scenario with their tokens: what RBAC lets them do is done, all else is refused, and the reviews say the same.</summary>
public sealed class UserTests
{
    private const string Evict = "POST /api/v1/namespaces/shop/pods/POD/eviction";
    private const string Stop = "PUT /apis/subresources.kubevirt.io/v1/namespaces/vms/virtualmachines/database/stop";

    [Theory]
    [InlineData("viewer", "GET /api/v1/nodes", 200)]
    [InlineData("viewer", "GET /apis/apps/v1/namespaces/shop/deployments/web", 200)]
    [InlineData("viewer", "PATCH /api/v1/nodes/node-1", 403)]
    [InlineData("viewer", Evict, 403)]
    [InlineData("viewer", Stop, 403)]
    [InlineData("operator", "GET /api/v1/nodes", 200)]
    [InlineData("operator", "PATCH /api/v1/nodes/node-1", 200)]
    [InlineData("operator", Evict, 201)]
    [InlineData("operator", "POST /api/v1/namespaces/vms/pods/none/eviction", 403)]
    [InlineData("operator", Stop, 202)]
    [InlineData("operator", "PUT /apis/subresources.kubevirt.io/v1/namespaces/shop/virtualmachines/database/stop", 403)]
    [InlineData("operator", "DELETE /api/v1/nodes/node-1", 403)]
    [InlineData("nobody", "GET /api/v1/nodes", 401)]
    [InlineData(null, "DELETE /api/v1/nodes/node-1", 200)]
    public async Task A_token_may_do_what_its_user_may(string? user, string request, int code)
    {
        var cluster = new TestCluster(Scenario.Named("permissions"));
        using var http = Client(cluster, user is null ? null : $"{user}-token");

        var (answered, body) = await SendAsync(cluster, http, request);

        answered.ShouldBe(code, body.ToJsonString());
        if (code == 403)
        {
            body.Text("message")!.ShouldContain($"User \"{user}\" cannot ");
        }

        if (code == 401)
        {
            return;
        }

        cluster.Simulated.Api.RequestLog.All.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            entry => entry.User.ShouldBe(user ?? "kubernetes-admin"), entry => entry.Code.ShouldBe(code));
    }

    [Theory]
    [InlineData("viewer", "", "list", "pods", null, true)]
    [InlineData("viewer", "", "create", "pods", "eviction", false)]
    [InlineData("operator", "", "create", "pods", "eviction", true)]
    [InlineData("operator", "subresources.kubevirt.io", "update", "virtualmachines", "stop", false)]
    public async Task A_review_of_access_says_what_a_request_would_be_told(string user, string group, string verb, string resource, string? subresource, bool allowed)
    {
        var cluster = new TestCluster(Scenario.Named("permissions"));
        var attributes = new JsonObject { ["namespace"] = "shop", ["group"] = group, ["verb"] = verb, ["resource"] = resource, ["subresource"] = subresource };
        using var admin = Client(cluster, null);
        using var self = Client(cluster, $"{user}-token");

        var told = await ReviewAsync(admin, "authorization", "SubjectAccessReview", new JsonObject { ["user"] = user, ["resourceAttributes"] = attributes.DeepClone() });
        var toldSelf = await ReviewAsync(self, "authorization", "SelfSubjectAccessReview", new JsonObject { ["resourceAttributes"] = attributes });

        (told.Flag("status", "allowed"), toldSelf.Flag("status", "allowed")).ShouldBe((allowed, allowed));
    }

    [Theory]
    [InlineData("viewer-token", true)]
    [InlineData("no-token", false)]
    public async Task A_review_of_a_token_names_its_user_and_groups(string token, bool known)
    {
        using var admin = Client(new TestCluster(Scenario.Named("permissions")), null);

        var status = (await ReviewAsync(admin, "authentication", "TokenReview", new JsonObject { ["token"] = token })).At("status");

        status.Flag("authenticated").ShouldBe(known);
        status.Text("user", "username").ShouldBe(known ? "viewer" : null);
        (status.At("user", "groups") as JsonArray ?? []).Select(each => (string?)each).ShouldBe(known ? ["support", "system:authenticated"] : []);
    }

    [Fact]
    public void What_a_user_may_is_written_in_roles_that_can_be_seen_and_changed()
    {
        var cluster = new TestCluster(Scenario.Named("permissions"));
        var roles = ResourceTypes.Of("roles.rbac.authorization.k8s.io");

        cluster.Store.List(roles).Select(role => $"{role.NamespaceOf()} {role.NameOf()} {role["rules"]!.ToJsonString()}").ShouldBe([
            """shop scenario:operator [{"verbs":["create"],"apiGroups":[""],"resources":["pods/eviction"]}]""",
            """vms scenario:operator [{"verbs":["update"],"apiGroups":["subresources.kubevirt.io"],"resources":["virtualmachines/start","virtualmachines/stop"]}]""",
        ]);
    }

    [Fact]
    public void A_permission_that_cannot_be_read_is_refused_with_what_is_allowed() =>
        Should.Throw<ScenarioException>(() => Scenario.Load("name: x\nnodes: [{name: a}]\nusers:\n  - {name: ann, token: t, may: [everything]}\n"))
            .Message.ShouldStartWith("may is 'everything'. Allowed: VERB,VERB RESOURCE,RESOURCE or ");

    private static HttpClient Client(TestCluster cluster, string? token)
    {
        var http = new HttpClient(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        http.DefaultRequestHeaders.TryAddWithoutValidation("Accept", "application/json, */*");
        http.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);

        return http;
    }

    private static async Task<(int Code, JsonNode Body)> SendAsync(TestCluster cluster, HttpClient http, string request)
    {
        var pod = cluster.PodsOf("web")[0].NameOf();
        var words = request.Split(' ');
        using var message = new HttpRequestMessage(new(words[0]), words[1].Replace("POD", pod, StringComparison.Ordinal));
        message.Content = words[0] switch
        {
            "PATCH" => new StringContent("""{"spec":{"unschedulable":true}}""", Encoding.UTF8, "application/merge-patch+json"),
            "POST" => new StringContent($$"""{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"namespace":"shop","name":"{{pod}}"} }""", Encoding.UTF8, "application/json"),
            _ => null,
        };
        using var answer = await http.SendAsync(message, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        return ((int)answer.StatusCode, text.Length == 0 ? new JsonObject() : JsonNode.Parse(text)!);
    }

    private static async Task<JsonNode> ReviewAsync(HttpClient http, string group, string kind, JsonObject spec)
    {
        var review = new JsonObject { ["apiVersion"] = $"{group}.k8s.io/v1", ["kind"] = kind, ["spec"] = spec };
        using var body = new StringContent(review.ToJsonString(), Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync($"/apis/{group}.k8s.io/v1/{kind.ToLowerInvariant()}s", body, TestContext.Current.CancellationToken);

        return JsonNode.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
    }
}

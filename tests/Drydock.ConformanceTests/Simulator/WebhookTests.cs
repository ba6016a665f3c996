using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>Validating webhooks are called over TLS, and a write ends as they say. Texts as in k8s.io/apiserver, pkg/admission/plugin/webhook.</summary>
public sealed class WebhookTests : IAsyncLifetime
{
    private readonly SimulatedCluster _cluster =
        SimulatedCluster.Create(Scenario.Named("healthy"), TimeProvider.System, NullLoggerFactory.Instance);

    private WebhookServer _hook = null!;
    private HttpClient _client = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _cluster.StartAsync(Token);
        _hook = await WebhookServer.StartAsync(Token);
        _client = new HttpClient(_cluster.Api.CreateHandler()) { BaseAddress = new Uri("http://simulated/") };
        await SendAsync(HttpMethod.Post, "api/v1/namespaces", """{"metadata":{"name":"watched","labels":{"watched":"yes"}}}""");
        await SendAsync(HttpMethod.Post, "api/v1/namespaces", """{"metadata":{"name":"other"}}""");
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _hook.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task A_webhook_sees_who_wants_to_write_what_and_lets_it_pass_with_a_warning()
    {
        _cluster.Api.Access.AddToken("alice", "alice", "system:masters");
        await ConfigureAsync(ConfigMaps());
        _hook.Decide = _ => Task.FromResult(new JsonObject { ["allowed"] = true, ["warnings"] = new JsonArray("think \"twice\"") });

        var answer = await SendAsync(
            HttpMethod.Post, "api/v1/namespaces/watched/configmaps?dryRun=All", """{"metadata":{"name":"a"},"data":{"k":"v"}}""", token: "alice");

        answer.Code.ShouldBe(201, answer.Text);
        answer.Headers["Warning"].ShouldBe(["299 - \"think \\\"twice\\\"\""]);
        var review = _hook.Reviews.ShouldHaveSingleItem();
        review["kind"]!.ToString().ShouldBe("AdmissionReview");
        review["apiVersion"]!.ToString().ShouldBe("admission.k8s.io/v1");
        var request = review["request"]!.AsObject();
        request["kind"]!.ToJsonString().ShouldBe("""{"group":"","version":"v1","kind":"ConfigMap"}""");
        request["resource"]!.ToJsonString().ShouldBe("""{"group":"","version":"v1","resource":"configmaps"}""");
        (request.Text("operation"), request.Text("name"), request.Text("namespace"), request.Flag("dryRun")).ShouldBe(("CREATE", "a", "watched", true));
        (request.Text("userInfo", "username"), request.Text("object", "data", "k"), request["oldObject"]).ShouldBe(("alice", "v", null));
        _cluster.Store.Get(ResourceTypes.ConfigMaps, "watched", "a").ShouldBeNull();
    }

    [Fact]
    public async Task Updates_and_deletions_come_with_the_object_as_it_was()
    {
        await SendAsync(HttpMethod.Post, "api/v1/namespaces/watched/configmaps", """{"metadata":{"name":"a"},"data":{"k":"old"}}""");
        await ConfigureAsync(ConfigMaps());

        await SendAsync(HttpMethod.Patch, "api/v1/namespaces/watched/configmaps/a", """{"data":{"k":"new"}}""", "application/merge-patch+json");
        await SendAsync(HttpMethod.Delete, "api/v1/namespaces/watched/configmaps/a", null);

        _hook.Reviews.Select(each => (each.Text("request", "operation"), each.Text("request", "oldObject", "data", "k"), each.Text("request", "object", "data", "k")))
            .ShouldBe([("UPDATE", "old", "new"), ("DELETE", "new", null)]);
    }

    [Theory]
    [InlineData("""{"allowed":false,"status":{"message":"the node has no spare","code":403,"reason":"Forbidden"}}""",
        403, "Forbidden", "admission webhook \"check.example.com\" denied the request: the node has no spare")]
    [InlineData("""{"allowed":false,"status":{"reason":"NotToday"}}""", 400, "NotToday", "admission webhook \"check.example.com\" denied the request: NotToday")]
    [InlineData("""{"allowed":false}""", 400, null, "admission webhook \"check.example.com\" denied the request without explanation")]
    public async Task A_denied_write_is_answered_with_the_words_of_the_webhook(string response, int code, string? reason, string message)
    {
        await ConfigureAsync(ConfigMaps());
        _hook.Decide = _ => Task.FromResult(JsonNode.Parse(response)!.AsObject());

        var answer = await CreateMapAsync();

        (answer.Code, answer.Body.Text("reason"), answer.Body.Text("message")).ShouldBe((code, reason, message));
        _cluster.Store.Get(ResourceTypes.ConfigMaps, "watched", "a").ShouldBeNull();
    }

    [Fact]
    public async Task A_webhook_that_cannot_be_reached_refuses_or_is_ignored_as_its_failurePolicy_says()
    {
        await ConfigureAsync(ConfigMaps(url: "https://127.0.0.1:1/check"));
        var refused = await CreateMapAsync();
        await ConfigureAsync(ConfigMaps(url: "https://127.0.0.1:1/check", extra: ""","failurePolicy":"Ignore" """));
        var passed = await CreateMapAsync();

        (refused.Code, refused.Body.Text("reason")).ShouldBe((500, "InternalError"));
        refused.Body.Text("message").ShouldBe("Internal error occurred: failed calling webhook \"check.example.com\": failed to call webhook: "
            + "Post \"https://127.0.0.1:1/check?timeout=10s\": dial tcp 127.0.0.1:1: connect: connection refused");
        passed.Code.ShouldBe(201);
    }

    [Fact]
    public async Task A_webhook_that_does_not_answer_in_its_time_has_failed()
    {
        var never = new TaskCompletionSource<JsonObject>();
        _hook.Decide = _ => never.Task;
        await ConfigureAsync(ConfigMaps(extra: ""","timeoutSeconds":1"""));

        var answer = await CreateMapAsync();
        never.SetResult(new JsonObject { ["allowed"] = true });

        answer.Code.ShouldBe(500);
        answer.Body.Text("message").ShouldBe("Internal error occurred: failed calling webhook \"check.example.com\": failed to call webhook: "
            + $"Post \"{_hook.Address}check?timeout=1s\": context deadline exceeded");
    }

    [Fact]
    public async Task A_server_that_the_bundle_does_not_vouch_for_is_not_believed()
    {
        await using var other = await WebhookServer.StartAsync(Token);
        await ConfigureAsync(ConfigMaps(bundle: other.Bundle));

        var answer = await CreateMapAsync();

        answer.Body.Text("message").ShouldNotBeNull().ShouldEndWith("x509: certificate signed by unknown authority");
        _hook.Reviews.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_webhook_behind_a_service_is_found_by_its_endpoints()
    {
        await SendAsync(HttpMethod.Post, "api/v1/namespaces", """{"metadata":{"name":"hooks"}}""");
        await SendAsync(HttpMethod.Post, "api/v1/namespaces/hooks/services", """{"metadata":{"name":"hook"},"spec":{"ports":[{"port":443}]}}""");
        var config = ConfigMaps().Replace($"\"url\":\"{_hook.Address}check\"", """ "service":{"name":"hook","namespace":"hooks","path":"/check"} """, StringComparison.Ordinal);
        await ConfigureAsync(config);
        var without = await CreateMapAsync();
        await SendAsync(HttpMethod.Post, "api/v1/namespaces/hooks/endpoints",
            $$"""{"metadata":{"name":"hook"},"subsets":[{"addresses":[{"ip":"127.0.0.1"}],"ports":[{"port":{{_hook.Address.Port}}}]}]}""");

        var with = await CreateMapAsync();

        without.Body.Text("message").ShouldBe("Internal error occurred: failed calling webhook \"check.example.com\": failed to call webhook: "
            + "Post \"https://hook.hooks.svc:443/check?timeout=10s\": no endpoints available for service \"hook\"");
        with.Code.ShouldBe(201, with.Text);
        _hook.Reviews.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Only_what_rules_and_selectors_cover_is_asked_about()
    {
        await ConfigureAsync(ConfigMaps(extra: ""","objectSelector":{"matchLabels":{"checked":"yes"}},"namespaceSelector":{"matchLabels":{"watched":"yes"}}"""));

        foreach (var (ns, labels) in (ReadOnlySpan<(string, string)>)[("watched", "yes"), ("watched", "no"), ("other", "yes")] is var all ? all.ToArray() : [])
        {
            var body = """{"metadata":{"generateName":"a-","labels":{"checked":"?"}}}""".Replace("?", labels, StringComparison.Ordinal);
            await SendAsync(HttpMethod.Post, $"api/v1/namespaces/{ns}/configmaps", body);
            await SendAsync(HttpMethod.Post, $"api/v1/namespaces/{ns}/secrets", body);
        }

        var asked = _hook.Reviews.ShouldHaveSingleItem();
        (asked.Text("request", "namespace"), asked.Text("request", "resource", "resource")).ShouldBe(("watched", "configmaps"));
    }

    [Fact]
    public async Task An_eviction_is_asked_about_as_what_it_is()
    {
        await ConfigureAsync(ConfigMaps().Replace("\"configmaps\"", "\"pods/eviction\"", StringComparison.Ordinal));
        _hook.Decide = _ => Task.FromResult(new JsonObject { ["allowed"] = false, ["status"] = new JsonObject { ["message"] = "not now", ["code"] = 429 } });

        var answer = await SendAsync(HttpMethod.Post, "api/v1/namespaces/shop/pods/queue-0/eviction",
            """{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"queue-0","namespace":"shop"}}""");

        (answer.Code, answer.Body.Text("message")).ShouldBe((429, "admission webhook \"check.example.com\" denied the request: not now"));
        var request = _hook.Reviews.ShouldHaveSingleItem()["request"]!;
        (request.Text("kind", "kind"), request.Text("subResource"), request.Text("name")).ShouldBe(("Eviction", "eviction", "queue-0"));
    }

    [Fact]
    public async Task A_configuration_that_could_not_be_followed_is_refused_with_its_field()
    {
        var answer = await SendAsync(HttpMethod.Post, "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
            """{"metadata":{"name":"bad"},"webhooks":[{"name":"short","clientConfig":{"url":"http://x"},"timeoutSeconds":31}]}""");

        answer.Code.ShouldBe(422);
        answer.Body.Objects("details", "causes").Select(each => each.Text("field")).ShouldBe(
            ["webhooks[0].name", "webhooks[0].sideEffects", "webhooks[0].admissionReviewVersions", "webhooks[0].timeoutSeconds", "webhooks[0].clientConfig.url"]);
    }

    private string ConfigMaps(string? url = null, string? bundle = null, string extra = "") =>
        $$"""
        {"name":"check.example.com","sideEffects":"None","admissionReviewVersions":["v1"],
         "clientConfig":{"url":"{{url ?? $"{_hook.Address}check"}}","caBundle":"{{bundle ?? _hook.Bundle}}"},
         "rules":[{"operations":["*"],"apiGroups":[""],"apiVersions":["v1"],"resources":["configmaps"]}]{{extra}} }
        """;

    private async Task ConfigureAsync(string webhook)
    {
        const string path = "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
        await SendAsync(HttpMethod.Delete, $"{path}/check", null);
        var answer = await SendAsync(HttpMethod.Post, path, $$"""{"metadata":{"name":"check"},"webhooks":[{{webhook}}]}""");
        answer.Code.ShouldBe(201, answer.Text);
    }

    private Task<Answer> CreateMapAsync() => SendAsync(HttpMethod.Post, "api/v1/namespaces/watched/configmaps", """{"metadata":{"name":"a"}}""");

    private async Task<Answer> SendAsync(HttpMethod method, string path, string? body, string type = "application/json", string? token = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, MediaTypeHeaderValue.Parse(type));
        }

        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        using var response = await _client.SendAsync(request, Token);

        return Answer.Of(response, await response.Content.ReadAsStringAsync(Token));
    }
}

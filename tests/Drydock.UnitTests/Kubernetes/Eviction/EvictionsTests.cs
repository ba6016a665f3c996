using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Eviction;

/// <summary>Evicting looks first, asks once, and touches no other life of the pod.</summary>
public sealed class EvictionsTests
{
    private const string Path = "/api/v1/namespaces/ns/pods/web";
    private static readonly PodInstance Pod = new(new ObjectRef("ns", "web"), "u-1", "node-1");

    [Fact]
    public async Task The_eviction_names_the_uid_that_was_read_and_the_grace_period()
    {
        var server = new PlayedServer().On("GET " + Path, 200, PodJson()).On($"POST {Path}/eviction", 201);

        var outcome = await server.Connect().EvictPodAsync(Pod, TimeSpan.FromSeconds(1.5), CancellationToken.None);

        outcome.Answer.ShouldBe(EvictionAnswer.Accepted);
        var eviction = JsonNode.Parse(server.Requests.Last().Body)!;
        eviction["deleteOptions"]!.ToJsonString().ShouldBe("""{"preconditions":{"uid":"u-1"},"gracePeriodSeconds":2}""");
        eviction["apiVersion"]!.GetValue<string>().ShouldBe("policy/v1");
    }

    [Theory]
    [InlineData("u-2", "node-1")]
    [InlineData("u-1", "node-2")]
    public async Task A_replacement_or_a_pod_on_another_node_is_never_touched(string uid, string node)
    {
        var server = new PlayedServer().On("GET " + Path, 200, PodJson(uid, node)).On("POST", 201);

        var outcome = await server.Connect().EvictPodAsync(Pod, null, CancellationToken.None);

        outcome.Answer.ShouldBe(EvictionAnswer.Gone);
        server.Asked.ShouldBe(["GET " + Path]);
    }

    [Fact]
    public async Task A_pod_that_is_gone_is_gone()
    {
        var server = new PlayedServer().On("GET " + Path, _ => PlayedServer.NotFound("web"));

        (await server.Connect().EvictPodAsync(Pod, null, CancellationToken.None)).Answer.ShouldBe(EvictionAnswer.Gone);
    }

    [Fact]
    public async Task An_API_server_that_knows_no_pods_for_a_while_does_not_make_them_gone()
    {
        var server = new PlayedServer().On("GET " + Path, 404, "404 page not found", "text/plain");

        var thrown = await Should.ThrowAsync<ClusterException>(() => server.Connect().EvictPodAsync(Pod, null, CancellationToken.None));

        thrown.IsTransient.ShouldBeTrue();
        thrown.Message.ShouldBe("""The API server http://played does not serve pods now (get pods "ns/web"): 404 page not found""");
    }

    [Theory]
    [InlineData(null, EvictionAnswer.Terminating, 1)]
    [InlineData(60, EvictionAnswer.Terminating, 1)]
    [InlineData(5, EvictionAnswer.Accepted, 2)]
    public async Task A_terminating_pod_is_asked_again_only_to_end_sooner(int? seconds, EvictionAnswer expected, int requests)
    {
        var server = new PlayedServer()
            .On("GET " + Path, 200, PodJson(extra: """, "deletionTimestamp": "2026-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30"""))
            .On("POST", 201);

        var grace = seconds is { } value ? TimeSpan.FromSeconds(value) : (TimeSpan?)null;
        (await server.Connect().EvictPodAsync(Pod, grace, CancellationToken.None)).Answer.ShouldBe(expected);

        server.Requests.Count.ShouldBe(requests);
    }

    [Theory]
    [InlineData("budget-max-0", EvictionAnswer.BudgetCanNeverBeMet)]
    [InlineData("budget-bare-percent", EvictionAnswer.BudgetCanNeverBeMet)]
    [InlineData("budget", EvictionAnswer.BudgetExhausted)]
    public async Task A_budget_that_can_never_allow_it_is_told_from_one_that_does_not_now(string budget, EvictionAnswer expected)
    {
        var refusal = """{"kind":"Status","details":{"causes":[{"reason":"DisruptionBudget","message":"The disruption budget b needs 2 healthy pods and has 2 currently"}]}}""";
        var server = new PlayedServer()
            .On("GET " + Path, 200, PodJson())
            .On($"POST {Path}/eviction", 429, refusal)
            .On("GET /apis/policy/v1/namespaces/ns/poddisruptionbudgets/b", 200, Recording.Text(budget));

        var outcome = await server.Connect().EvictPodAsync(Pod, null, CancellationToken.None);

        outcome.ShouldBe(new EvictionOutcome(
            expected, "The disruption budget b needs 2 healthy pods and has 2 currently", "poddisruptionbudget/ns/b"));
    }

    [Fact]
    public async Task A_budget_that_misses_a_pod_which_no_node_takes_says_what_the_scheduler_says()
    {
        var refusal = """{"kind":"Status","details":{"causes":[{"reason":"DisruptionBudget","message":"The disruption budget b needs 1 healthy pods and has 1 currently"}]}}""";
        var pending = """
            {"metadata":{},"items":[
              {"metadata":{"name":"other-1","namespace":"ns","labels":{"app":"other"}},"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","message":"no"}]}},
              {"metadata":{"name":"u-2","namespace":"ns","labels":{"app":"u"}},
               "status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes are available: 3 Insufficient cpu."}]}}]}
            """;
        var server = new PlayedServer()
            .On("GET " + Path, 200, PodJson())
            .On($"POST {Path}/eviction", 429, refusal)
            .On("GET /apis/policy/v1/namespaces/ns/poddisruptionbudgets/b", 200, Recording.Text("budget").Replace("rec-evict", "ns", StringComparison.Ordinal))
            .On("GET /api/v1/namespaces/ns/pods?fieldSelector=spec.nodeName=,status.phase=Pending", 200, pending);

        var outcome = await server.Connect().EvictPodAsync(Pod, null, CancellationToken.None);

        outcome.Answer.ShouldBe(EvictionAnswer.BudgetExhausted);
        outcome.Message.ShouldBe("The disruption budget b needs 1 healthy pods and has 1 currently; pod ns/u-2 is not scheduled: 0/3 nodes are available: 3 Insufficient cpu.");
    }

    [Fact]
    public async Task Several_budgets_are_named()
    {
        var budgets = """
            {"metadata":{},"items":[
              {"metadata":{"name":"a","namespace":"ns"},"spec":{"selector":{"matchLabels":{"app":"web"}}}},
              {"metadata":{"name":"other","namespace":"ns"},"spec":{"selector":{"matchLabels":{"app":"db"}}}},
              {"metadata":{"name":"b","namespace":"ns"},"spec":{"selector":{"matchExpressions":[{"key":"app","operator":"In","values":["web"]}]}}}]}
            """;
        var server = new PlayedServer()
            .On("GET " + Path, 200, PodJson())
            .On($"POST {Path}/eviction", 500, """{"kind":"Status","message":"This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."}""")
            .On("GET /apis/policy/v1/namespaces/ns/poddisruptionbudgets", 200, budgets);

        var outcome = await server.Connect().EvictPodAsync(Pod, null, CancellationToken.None);

        outcome.Answer.ShouldBe(EvictionAnswer.SeveralBudgets);
        outcome.Object.ShouldBe("poddisruptionbudget/ns/a, poddisruptionbudget/ns/b");
    }

    [Fact]
    public async Task A_server_error_is_thrown_as_one_that_another_try_can_mend()
    {
        var server = new PlayedServer().On("GET " + Path, 200, PodJson()).On("POST", 503, "overloaded", "text/plain", retryAfter: "7");

        var thrown = await Should.ThrowAsync<ClusterException>(() => server.Connect().EvictPodAsync(Pod, null, CancellationToken.None));

        (thrown.Kind, thrown.IsTransient, thrown.RetryAfter).ShouldBe((ClusterErrorKind.Server, true, TimeSpan.FromSeconds(7)));
        thrown.Message.ShouldBe("""The API server answered 503 to create pods/eviction "ns/web": overloaded""");
    }

    [Fact]
    public async Task A_deletion_names_the_uid_too()
    {
        var server = new PlayedServer().On("GET " + Path, 200, PodJson()).On("DELETE " + Path, 200);

        (await server.Connect().DeletePodAsync(Pod, TimeSpan.Zero, CancellationToken.None)).Answer.ShouldBe(EvictionAnswer.Accepted);

        server.Requests.Last().Body.ShouldBe("""{"preconditions":{"uid":"u-1"},"gracePeriodSeconds":0}""");
    }

    private static string PodJson(string uid = "u-1", string node = "node-1", string extra = "") =>
        $$$"""{"metadata":{"name":"web","namespace":"ns","uid":"{{{uid}}}","labels":{"app":"web"}{{{extra}}}},"spec":{"nodeName":"{{{node}}}"}}""";
}

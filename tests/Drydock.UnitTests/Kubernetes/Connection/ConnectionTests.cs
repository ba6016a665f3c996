using Drydock.Kubernetes;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Connection;

/// <summary>A bad connection is one clear sentence, and so is every answer that nobody expects.</summary>
public sealed class ConnectionTests
{
    private const string Good = """
        apiVersion: v1
        kind: Config
        current-context: here
        clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
        users: [{name: u, user: {token: t}}]
        contexts: [{name: here, context: {cluster: c, user: u}}, {name: lost, context: {cluster: none, user: u}}]
        """;

    [Theory]
    [InlineData("clusters: [", null, "The given kubeconfig does not parse: ")]
    [InlineData("just text", null, "The given kubeconfig does not parse: ")]
    [InlineData("", null, "The given kubeconfig has no context.")]
    [InlineData("kind: Config", null, "The given kubeconfig has no context.")]
    [InlineData(Good, "there", "The given kubeconfig has no context 'there'; it has: here, lost.")]
    [InlineData(Good, "lost", "The given kubeconfig cannot be used: ")]
    public void A_kubeconfig_that_cannot_be_used_says_why_in_one_line(string text, string? context, string sentence)
    {
        var thrown = Should.Throw<ClusterConnectionException>(
            () => KubernetesCluster.Open(ClusterConnection.FromText(text, context), TimeProvider.System));

        thrown.Message.ShouldStartWith(sentence);
        thrown.Message.ShouldNotContain('\n');
    }

    [Fact]
    public void A_missing_kubeconfig_is_named()
    {
        var thrown = Should.Throw<ClusterConnectionException>(
            () => KubernetesCluster.Open(ClusterConnection.FromFile("/nowhere/config"), TimeProvider.System));

        thrown.Message.ShouldBe("The kubeconfig '/nowhere/config' does not exist.");
    }

    [Fact]
    public void A_user_without_credentials_is_nobody_and_not_an_error()
    {
        var text = Good.Replace("user: {token: t}", "user: {}", StringComparison.Ordinal);

        Should.NotThrow(() => KubernetesCluster.Open(ClusterConnection.FromText(text), TimeProvider.System));
    }

    [Fact]
    public async Task An_API_server_that_is_not_there_is_named_with_what_was_asked()
    {
        await using var cluster = KubernetesCluster.Open(ClusterConnection.FromText(Good), TimeProvider.System);

        var thrown = await Should.ThrowAsync<ClusterException>(() => cluster.GetNodeAsync("n1", CancellationToken.None));

        (thrown.Kind, thrown.IsTransient, thrown.Verb, thrown.Resource).ShouldBe((ClusterErrorKind.Unreachable, true, "get", "nodes"));
        thrown.Message.ShouldStartWith("""The API server http://127.0.0.1:1 cannot be reached (get nodes "n1"): Connection refused""");
    }

    [Fact]
    public async Task A_request_without_an_answer_ends_by_the_injected_clock()
    {
        var clock = new FakeTimeProvider();
        var server = new PlayedServer().On("GET", async (_, token) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, token);
            return PlayedServer.Answer(200);
        });
        var cluster = server.Connect(clock);

        var get = cluster.GetNodeAsync("n1", CancellationToken.None);
        cluster.Counts.RequestsInFlight.ShouldBe(1);
        clock.Advance(TimeSpan.FromSeconds(30));

        (await Should.ThrowAsync<ClusterException>(() => get)).Message.ShouldEndWith("no answer within 30 s.");
        cluster.Counts.RequestsInFlight.ShouldBe(0);
    }

    [Fact]
    public async Task An_API_server_that_does_not_serve_pods_has_not_none_but_one_without_KubeVirt_has_no_machines()
    {
        var cluster = new PlayedServer().On("GET", 404, "404 page not found").Connect();

        var thrown = await Should.ThrowAsync<ClusterException>(() => cluster.ListPodsOnNodeAsync("n1", CancellationToken.None));

        (thrown.Kind, thrown.IsTransient, thrown.Code).ShouldBe((ClusterErrorKind.Server, true, 404));
        await Should.ThrowAsync<ClusterException>(() => cluster.ListNodesAsync(CancellationToken.None));
        await Should.ThrowAsync<ClusterException>(() => cluster.ListBudgetsAsync(CancellationToken.None));
        (await cluster.ListVmisOnNodeAsync("n1", CancellationToken.None)).ShouldBeEmpty();
        (await cluster.GetKubeVirtAsync(CancellationToken.None)).ShouldBeNull();
    }

    [Theory]
    [InlineData(401, ClusterErrorKind.Unauthorized, false)]
    [InlineData(403, ClusterErrorKind.Forbidden, false)]
    [InlineData(409, ClusterErrorKind.Conflict, true)]
    [InlineData(410, ClusterErrorKind.Server, true)]
    [InlineData(422, ClusterErrorKind.Invalid, false)]
    [InlineData(429, ClusterErrorKind.Throttled, true)]
    [InlineData(500, ClusterErrorKind.Server, true)]
    [InlineData(504, ClusterErrorKind.Server, true)]
    public async Task Every_code_has_its_kind(int code, ClusterErrorKind kind, bool isTransient)
    {
        var cluster = new PlayedServer().On("GET", code, """{"kind":"Status","message":"m"}""").Connect();

        var thrown = await Should.ThrowAsync<ClusterException>(() => cluster.GetNodeAsync("n1", CancellationToken.None));

        (thrown.Kind, thrown.IsTransient, thrown.Code).ShouldBe((kind, isTransient, code));
    }

    [Fact]
    public async Task A_missing_permission_names_user_verb_and_resource()
    {
        var cluster = new PlayedServer().On("GET", 403, Recording.Text("forbidden")).Connect();

        (await Should.ThrowAsync<ClusterException>(() => cluster.GetNodeAsync("node-1", CancellationToken.None))).Message
            .ShouldBe("User \"system:serviceaccount:rec-auth:default\" is not allowed to get nodes (403).");
    }

    [Fact]
    public async Task Long_lists_are_read_in_pages_and_again_if_they_expire_meanwhile()
    {
        var server = new PlayedServer()
            .On("GET /api/v1/nodes?limit=500", 200, """{"metadata":{"continue":"x"},"items":[{"metadata":{"name":"a"}}]}""")
            .On("GET /api/v1/nodes?limit=500&continue=x", 410, "{}")
            .On("GET /api/v1/nodes", 200, """{"metadata":{},"items":[{"metadata":{"name":"b"}},{"metadata":{"name":"a"}}]}""")
            .On("GET /api/v1/nodes?limit", _ => PlayedServer.Answer(200, """{"metadata":{"continue":"x"},"items":[{"metadata":{"name":"a"}}]}"""))
            .On("GET /api/v1/nodes?limit=500&continue=x", 410, "{}");

        var nodes = await server.Connect().ListNodesAsync(CancellationToken.None);

        nodes.Select(node => node.Name).ShouldBe(["a", "b"]);
        server.Asked.ShouldBe(["GET /api/v1/nodes?limit=500", "GET /api/v1/nodes?limit=500&continue=x", "GET /api/v1/nodes"]);
    }

    [Fact]
    public async Task What_the_caller_may_not_do_is_told()
    {
        var server = new PlayedServer().On("POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", request =>
            PlayedServer.Answer(201, $$$"""{"status":{"allowed":{{{(request.Body.Contains("eviction", StringComparison.Ordinal) ? "false" : "true")}}}}}"""));
        AccessRule[] needed = [new("patch", "", "nodes"), new("create", "", "pods", "eviction")];

        (await server.Connect().GetMissingAccessAsync(needed, CancellationToken.None)).ShouldBe([needed[1]]);
    }
}

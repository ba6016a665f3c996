using Drydock.Kubernetes;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Reading;

/// <summary>A kind around the node whose older version is not served any more is read in the next one, and one in none that is known is told.</summary>
public sealed class NeighbourVersionTests
{
    private const string Machine = """{"metadata":{"name":"m1","namespace":"metal","uid":"u","resourceVersion":"7"},"spec":{"providerID":"metal3://1"},"status":{"nodeRef":{"name":"node-1"}}}""";

    private static readonly ObjectRef Name = new("metal", "m1");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Machines_of_Cluster_API_are_read_and_changed_where_v1beta2_alone_is_served()
    {
        var server = new PlayedServer()
            .On("GET /apis/cluster.x-k8s.io/v1beta2", 200, """{"resources":[{"name":"machines"},{"name":"machinehealthchecks"}]}""")
            .On("GET /apis/cluster.x-k8s.io/v1beta2/machines?", 200, $$"""{"metadata":{},"items":[{{Machine}}]}""")
            .On("GET /apis/cluster.x-k8s.io/v1beta2/namespaces/metal/machines/m1", 200, Machine)
            .On("PATCH /apis/cluster.x-k8s.io/v1beta2/namespaces/metal/machines/m1", 200, Machine);
        await using var cluster = server.Connect();

        var listed = (await cluster.ListNeighboursAsync(NeighbourKind.ClusterMachine, Token)).ShouldHaveSingleItem();
        var read = await cluster.GetNeighbourAsync(NeighbourKind.ClusterMachine, Name, Token);
        var changed = await cluster.ChangeNeighbourAsync(
            listed, new Dictionary<string, string?>(StringComparer.Ordinal) { ["cluster.x-k8s.io/paused"] = "drydock" }, pauseRequests: null, Token);

        (listed.Ref, listed.Node, listed.ProviderId).ShouldBe((Name, "node-1", "metal3://1"));
        (read?.Ref, changed?.Ref).ShouldBe((Name, Name));
    }

    [Fact]
    public async Task The_older_version_is_read_while_it_is_served()
    {
        var server = new PlayedServer().On("GET /apis/cluster.x-k8s.io/v1beta1/machines?", 200, $$"""{"metadata":{},"items":[{{Machine}}]}""");
        await using var cluster = server.Connect();

        (await cluster.ListNeighboursAsync(NeighbourKind.ClusterMachine, Token)).Count.ShouldBe(1);

        server.Asked.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("""["v1beta1","v1beta2"]""", false)]
    [InlineData("""["v1beta2"]""", false)]
    [InlineData("""["v1","v1beta3"]""", true)]
    public async Task A_kind_that_is_served_in_unknown_versions_alone_is_told(string versions, bool isUnknown)
    {
        var group = $$$"""{"name":"cluster.x-k8s.io","versions":[{{{string.Join(',', versions.Trim('[', ']').Split(',').Select(static version => $$"""{"version":{{version}}}"""))}}}]}""";
        var server = new PlayedServer().On("GET /apis", 200, $$"""{"groups":[{{group}}]}""");
        await using var cluster = server.Connect();

        var unknown = await cluster.FindUnknownVersionsAsync([NeighbourKind.ClusterMachine, NeighbourKind.NodeHealthCheck], Token);

        unknown.Select(static kind => $"{kind.Resource} {string.Join(' ', kind.Served)}").ShouldBe(isUnknown ? ["machines.cluster.x-k8s.io v1 v1beta3"] : []);
    }
}

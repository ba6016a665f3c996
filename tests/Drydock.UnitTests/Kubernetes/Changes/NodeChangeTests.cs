using Drydock.Kubernetes;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Changes;

/// <summary>A change of a node is one patch that the API server refuses if the node moved on.</summary>
public sealed class NodeChangeTests
{
    private const string Path = "/api/v1/nodes/n1";

    private const string Json = """
        {"metadata":{"name":"n1","uid":"u","resourceVersion":"7","labels":{"a":"1"},"annotations":{"drydock.dev/held-by":"h","drydock.dev/prior":"{\"x\":1}"}},
         "spec":{"unschedulable":true,"taints":[{"key":"dead","effect":"NoExecute","timeAdded":"2026-01-01T00:00:00Z"},{"key":"gone","effect":"NoSchedule"}]}}
        """;

    [Fact]
    public async Task A_cordon_with_taint_label_and_mark_is_one_patch_and_keeps_the_times_of_other_taints()
    {
        var server = new PlayedServer().On("GET " + Path, 200, Json.Replace("\"unschedulable\":true,", "")).On("PATCH " + Path, 200, Json);
        var cluster = server.Connect();
        var node = (await cluster.GetNodeAsync("n1", CancellationToken.None))!;

        var change = new NodeChange
        {
            Unschedulable = true,
            AddTaints = [new NodeTaint("medik8s.io/drain", null, "NoSchedule"), new NodeTaint("gone", "v", "NoSchedule")],
            Labels = new Dictionary<string, string?> { ["a"] = "1", ["b"] = "2" },
            SetMark = new HoldMark("drydock/h/i", "{}"),
        };
        (await cluster.ChangeNodeAsync(node, change, CancellationToken.None)).ShouldNotBeNull();

        var patch = server.Requests.Last();
        patch.ContentType.ShouldBe("application/merge-patch+json");
        patch.Body.ShouldBe("""
            {"metadata":{"labels":{"b":"2"},"annotations":{"drydock.dev/held-by":"drydock/h/i","drydock.dev/prior":"{}"},"resourceVersion":"7"},"spec":{"unschedulable":true,"taints":[{"key":"dead","effect":"NoExecute","timeAdded":"2026-01-01T00:00:00Z"},{"key":"gone","effect":"NoSchedule"},{"key":"medik8s.io/drain","effect":"NoSchedule"}]}}
            """.Trim());
    }

    [Fact]
    public async Task An_uncordon_removes_what_it_names_with_nulls()
    {
        var server = new PlayedServer().On("GET " + Path, 200, Json).On("PATCH " + Path, 200, Json);
        var cluster = server.Connect();
        var node = (await cluster.GetNodeAsync("n1", CancellationToken.None))!;
        node.Mark.ShouldBe(new HoldMark("h", """{"x":1}"""));

        var change = new NodeChange
        {
            Unschedulable = false,
            RemoveTaints = [new NodeTaint("gone", null, "NoSchedule"), new NodeTaint("dead", null, "NoExecute")],
            Labels = new Dictionary<string, string?> { ["a"] = null, ["absent"] = null },
            ClearMark = true,
        };
        await cluster.ChangeNodeAsync(node, change, CancellationToken.None);

        server.Requests.Last().Body.ShouldBe("""
            {"metadata":{"labels":{"a":null},"annotations":{"drydock.dev/held-by":null,"drydock.dev/prior":null},"resourceVersion":"7"},"spec":{"unschedulable":null,"taints":null}}
            """.Trim());
    }

    [Fact]
    public async Task A_node_that_is_like_that_already_is_not_patched()
    {
        var server = new PlayedServer().On("GET " + Path, 200, Json);
        var cluster = server.Connect();
        var node = (await cluster.GetNodeAsync("n1", CancellationToken.None))!;

        var change = new NodeChange { Unschedulable = true, AddTaints = [new NodeTaint("gone", null, "NoSchedule")] };
        (await cluster.ChangeNodeAsync(node, change, CancellationToken.None)).ShouldBe(node);

        server.Asked.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_node_that_moved_on_is_not_changed()
    {
        var server = new PlayedServer().On("GET " + Path, 200, Json).On("PATCH " + Path, 409, Recording.Text("conflict"));
        var cluster = server.Connect();
        var node = (await cluster.GetNodeAsync("n1", CancellationToken.None))!;

        (await cluster.ChangeNodeAsync(node, new NodeChange { Unschedulable = false }, CancellationToken.None)).ShouldBeNull();

        server.On("GET " + Path, 200, Json.Replace("\"7\"", "\"8\""));
        var taint = new NodeChange { RemoveTaints = [new NodeTaint("gone", null, "NoSchedule")] };
        (await cluster.ChangeNodeAsync(node, taint, CancellationToken.None)).ShouldBeNull();
        server.Asked[^1].ShouldBe("GET " + Path);
    }

    [Fact]
    public async Task A_node_that_is_gone_is_said_to_be()
    {
        var server = new PlayedServer().On("GET " + Path, 200, Json).On("PATCH " + Path, 404, """{"kind":"Status","message":"nodes \"n1\" not found"}""");
        var cluster = server.Connect();
        var node = (await cluster.GetNodeAsync("n1", CancellationToken.None))!;

        var thrown = await Should.ThrowAsync<ClusterException>(
            () => cluster.ChangeNodeAsync(node, new NodeChange { Unschedulable = false }, CancellationToken.None));

        (thrown.Kind, thrown.IsTransient).ShouldBe((ClusterErrorKind.NotFound, false));
    }
}

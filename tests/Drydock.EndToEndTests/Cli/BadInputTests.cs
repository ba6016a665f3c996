using System.Text.Json.Nodes;
using Drydock.Simulator.Store;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Cli;

/// <summary>Bad input: one clear sentence on stderr, exit code not 0, nothing changed in the cluster.</summary>
public sealed class BadInputTests
{
    [Theory]
    [InlineData("maintain")]
    [InlineData("plan")]
    [InlineData("restore")]
    public async Task An_unknown_node_is_named(string verb)
    {
        await using var cluster = await LiveCluster.StartAsync();

        var (code, _, error) = await cluster.RunAsync(verb, "no-such-node");

        ShouldBeOneSentence(error, "no-such-node");
        code.ShouldBe(2);
        cluster.Changes().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_node_that_somebody_else_maintains_is_refused_and_the_holder_named()
    {
        await using var cluster = await LiveCluster.StartAsync();
        HoldLease(cluster, "somebody-else");

        var (code, _, error) = await cluster.RunAsync("maintain", cluster.Node);

        ShouldBeOneSentence(error, "somebody-else");
        code.ShouldBe(3);
        cluster.Changes().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("maintain")]
    [InlineData("plan")]
    [InlineData("restore")]
    public async Task An_API_server_that_is_not_there_is_named(string verb)
    {
        await using var cluster = await LiveCluster.StartAsync();
        var text = await File.ReadAllTextAsync(cluster.Kubeconfig);
        var server = text.Split('\n').Single(line => line.Contains("server: "));
        await File.WriteAllTextAsync(cluster.Kubeconfig, text.Replace(server.Trim(), "server: http://127.0.0.1:1"));

        var (code, _, error) = await cluster.RunAsync(verb, cluster.Node);

        ShouldBeOneSentence(error, "127.0.0.1:1");
        code.ShouldBe(1);
    }

    [Theory]
    [InlineData("--access", "none")]
    [InlineData("--config", "")]
    public async Task A_cluster_that_is_not_simulated_is_never_served_to_everybody(string option, string value)
    {
        await using var cluster = await LiveCluster.StartAsync();
        await using var real = await StartAnApiServerWithoutOurPagesAsync();
        var text = await File.ReadAllTextAsync(cluster.Kubeconfig);
        await File.WriteAllTextAsync(cluster.Kubeconfig, text.Replace(text.Split('\n').Single(line => line.Contains("server: ")).Trim(), "server: " + real.Urls.Single()));
        if (option == "--config")
        {
            value = Path.Combine(cluster.Folder, "drydock.yaml");
            await File.WriteAllTextAsync(value, "access: {mode: None}");
        }

        var hub = Path.Combine(cluster.Folder, "hub.db");

        var (code, _, error) = await cluster.RunAsync("serve", "--db", hub, "--urls", "http://127.0.0.1:0", option, value);

        ShouldBeOneSentence(error, "is for a simulated cluster only");
        code.ShouldBe(2);
        File.Exists(hub).ShouldBeFalse();
    }

    [Theory]
    [InlineData("patch", "nodes")]
    [InlineData("create", "pods/eviction")]
    public async Task A_missing_permission_is_named_with_verb_and_resource(string verb, string resource)
    {
        await using var cluster = await LiveCluster.StartAsync();
        using var denied = cluster.Cluster.Api.Access.Deny(verb, resource);

        var (code, _, error) = await cluster.RunAsync("maintain", cluster.Node);

        ShouldBeOneSentence(error, verb, resource);
        code.ShouldBe(3);
        cluster.Changes().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_403_on_the_way_names_verb_and_resource()
    {
        await using var cluster = await LiveCluster.StartAsync();
        using var denied = cluster.Cluster.Api.Access.Deny("get", "namespaces");

        var (code, _, error) = await cluster.RunAsync("maintain", cluster.Node);

        ShouldBeOneSentence(error, "get", "namespaces");
        code.ShouldNotBe(0);
        cluster.Changes().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("maintain")]
    [InlineData("plan")]
    public async Task A_kubeconfig_that_does_not_parse_is_named(string verb)
    {
        await using var cluster = await LiveCluster.StartAsync();
        await File.WriteAllTextAsync(cluster.Kubeconfig, "clusters: [ {");

        var (code, _, error) = await cluster.RunAsync(verb, cluster.Node);

        ShouldBeOneSentence(error, cluster.Kubeconfig);
        code.ShouldBe(2);
    }

    [Fact]
    public async Task A_database_that_another_process_has_open_is_named()
    {
        await using var cluster = await LiveCluster.StartAsync();
        var database = Path.Combine(cluster.Folder, "hub.db");
        await using var first = cluster.Start("serve", "--db", database, "--urls", "http://127.0.0.1:0");
        await first.WaitForAsync("serves");

        var (code, _, error) = await cluster.RunAsync("serve", "--db", database, "--urls", "http://127.0.0.1:0");

        ShouldBeOneSentence(error, database);
        code.ShouldBe(2);
        cluster.Changes().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_file_that_is_no_task_hub_is_named()
    {
        await using var cluster = await LiveCluster.StartAsync();
        var database = Path.Combine(cluster.Folder, "hub.db");
        await File.WriteAllTextAsync(database, string.Concat(Enumerable.Repeat("this is a diary, not a database\n", 100)));

        var (code, _, error) = await cluster.RunAsync("serve", "--db", database, "--urls", "http://127.0.0.1:0");

        ShouldBeOneSentence(error, database);
        code.ShouldBe(2);
        (await File.ReadAllTextAsync(database)).ShouldStartWith("this is a diary");
    }

    [Fact]
    public async Task A_database_of_another_cluster_is_refused()
    {
        await using var one = await LiveCluster.StartAsync(seed: 1);
        await using var other = await LiveCluster.StartAsync(seed: 2);
        var database = Path.Combine(one.Folder, "hub.db");
        await using (var first = one.Start("serve", "--db", database, "--urls", "http://127.0.0.1:0"))
        {
            await first.WaitForAsync("serves");
            await first.InterruptAsync();
            (await first.WaitForExitAsync()).ShouldBe(0);
        }

        var (code, _, error) = await other.RunAsync("serve", "--db", database, "--urls", "http://127.0.0.1:0");

        ShouldBeOneSentence(error, "belongs to cluster");
        code.ShouldBe(2);
        other.Changes().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("--timeout", "soon")]
    [InlineData("--timeout", "1m1h")]
    [InlineData("--timeout", "-5m")]
    [InlineData("--vm-stuck", "explode")]
    [InlineData("--on-failure", "panic")]
    [InlineData("--vm-attempts", "many")]
    public async Task A_wrong_value_is_refused_before_anybody_is_asked(string option, string value)
    {
        await using var cluster = await LiveCluster.StartAsync();

        var (code, _, error) = await cluster.RunAsync("maintain", cluster.Node, $"{option}={value}");

        ShouldBeOneSentence(error, value, option);
        code.ShouldBe(2);
        cluster.Cluster.Api.RequestLog.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_value_out_of_range_is_refused_and_nothing_is_changed()
    {
        await using var cluster = await LiveCluster.StartAsync();

        var (code, _, error) = await cluster.RunAsync("maintain", cluster.Node, "--vm-attempts", "1000");

        ShouldBeOneSentence(error, "1000");
        code.ShouldBe(2);
        cluster.Changes().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_named()
    {
        var folder = Directory.CreateTempSubdirectory("drydock-test-").FullName;

        var (code, _, error) = await DrydockProcess.RunAsync(folder, "list", "--server", "http://127.0.0.1:1");

        ShouldBeOneSentence(error, "http://127.0.0.1:1");
        code.ShouldBe(1);
    }

    /// <summary>What a real API server says of a path it does not have.</summary>
    private static async Task<WebApplication> StartAnApiServerWithoutOurPagesAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapFallback(static () => Results.Text("404 page not found\n", statusCode: 404));
        await app.StartAsync();
        return app;
    }

    private static void ShouldBeOneSentence(string error, params string[] parts)
    {
        var lines = error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Length.ShouldBeInRange(1, 2, error);
        lines.ShouldAllBe(line => line.StartsWith("drydock: "), error);
        error.ShouldNotContain("   at ");
        foreach (var part in parts)
        {
            lines[0].ShouldContain(part);
        }
    }

    private static void HoldLease(LiveCluster cluster, string holder)
    {
        var now = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ");
        cluster.Cluster.Store.Create(ResourceTypes.Leases, new JsonObject
        {
            ["apiVersion"] = "coordination.k8s.io/v1",
            ["kind"] = "Lease",
            ["metadata"] = new JsonObject { ["namespace"] = "medik8s-leases", ["name"] = $"node-{cluster.Node}" },
            ["spec"] = new JsonObject { ["holderIdentity"] = holder, ["leaseDurationSeconds"] = 3600, ["acquireTime"] = now, ["renewTime"] = now },
        });
    }
}

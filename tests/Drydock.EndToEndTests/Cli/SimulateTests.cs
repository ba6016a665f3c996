using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Cli;

/// <summary><c>drydock simulate</c> as a newcomer meets it: what its help teaches, its kubeconfig, its speed, and its state over a restart.</summary>
public sealed class SimulateTests : IDisposable
{
    private const string ConfigMaps = "api/v1/namespaces/default/configmaps";

    private readonly string _folder = Directory.CreateTempSubdirectory("drydock-simulate-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_help_teaches_every_option_and_the_pages_of_faults_and_requests()
    {
        var (code, output, _) = await DrydockProcess.RunAsync(_folder, "simulate", "--help");

        code.ShouldBe(0);
        foreach (var taught in (string[])["--scenario", "--listen", "--kubeconfig-out", "--state", "--speed", "--seed", "--show", "/simulator/faults", "/simulator/requests", "kubectl"])
        {
            output.ShouldContain(taught);
        }
    }

    [Fact]
    public async Task A_file_of_a_scenario_and_the_schema_it_names_are_printed()
    {
        var (code, text, _) = await DrydockProcess.RunAsync(_folder, "simulate", "--show", "permissions");
        var (schemaCode, schema, _) = await DrydockProcess.RunAsync(_folder, "simulate", "--show", "schema");

        (code, schemaCode).ShouldBe((0, 0));
        text.ShouldBe(Drydock.Simulator.Scenarios.Scenario.Text("permissions"));
        JsonNode.Parse(schema).At("properties", "users").ShouldNotBeNull();
    }

    [Fact]
    public async Task The_kubeconfig_is_written_with_a_context_for_each_user_of_the_scenario()
    {
        var kubeconfig = Path.Combine(_folder, "kubeconfig");
        await using var cluster = await StartAsync("--scenario", "permissions", "--kubeconfig-out", kubeconfig);

        (await KubectlAsync(kubeconfig, "get", "nodes", "-o", "name")).ShouldBe("node/node-1\nnode/node-2\nnode/node-3\n");
        (await KubectlAsync(kubeconfig, "--context", "viewer", "auth", "can-i", "list", "pods")).ShouldBe("yes\n");
        (await KubectlAsync(kubeconfig, "--context", "viewer", "auth", "can-i", "create", "pods", "--subresource", "eviction", "-n", "shop")).ShouldStartWith("no");
        (await KubectlAsync(kubeconfig, "--context", "operator", "auth", "can-i", "create", "pods", "--subresource", "eviction", "-n", "shop")).ShouldBe("yes\n");
    }

    [Fact]
    public async Task At_speed_10_the_time_of_the_cluster_passes_ten_times_faster()
    {
        await using var cluster = await StartAsync("--speed", "10");

        var (beforeFirst, first, afterFirst) = await TimeAsync(cluster, "first");
        await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Token);
        var (beforeSecond, second, afterSecond) = await TimeAsync(cluster, "second");

        // The cluster tells its time in whole seconds.
        var passed = second - first;
        passed.ShouldBeGreaterThanOrEqualTo((10 * (beforeSecond - afterFirst)) - TimeSpan.FromSeconds(1));
        passed.ShouldBeLessThanOrEqualTo((10 * (afterSecond - beforeFirst)) + TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task A_cluster_whose_state_is_kept_is_the_same_after_a_restart_and_one_whose_state_is_not_is_new()
    {
        var state = Path.Combine(_folder, "state.json");
        long version;
        await using (var first = await StartAsync("--state", state))
        {
            version = await CreateAsync(first, "mine");
            await first.StopAsync();
        }

        await using (var again = await StartAsync("--state", state))
        {
            using var kept = await again.Http.GetAsync($"{ConfigMaps}/mine", Token);
            kept.StatusCode.ShouldBe(HttpStatusCode.OK);
            (await CreateAsync(again, "next")).ShouldBeGreaterThan(version);
            await again.StopAsync();
        }

        await using var anew = await StartAsync();
        using var lost = await anew.Http.GetAsync($"{ConfigMaps}/mine", Token);
        lost.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    private async Task<Running> StartAsync(params string[] arguments)
    {
        string[] kubeconfig = arguments.Contains("--kubeconfig-out") ? [] : ["--kubeconfig-out", Path.Combine(_folder, "kubeconfig")];
        var process = DrydockProcess.Start(_folder, ["simulate", "-o", "json", .. kubeconfig, .. arguments]);
        await process.WaitForAsync("\"listening\"");
        var listening = process.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)
            .Single(line => line.GetProperty("kind").GetString() == "listening");

        return new(process, new HttpClient { BaseAddress = new Uri(listening.GetProperty("data").GetProperty("address").GetString()!) });
    }

    private static async Task<long> CreateAsync(Running cluster, string name) =>
        long.Parse((await MakeAsync(cluster, name)).Text("metadata", "resourceVersion")!);

    // When an object was made, by the cluster's time, and between which moments of ours.
    private static async Task<(DateTimeOffset Before, DateTimeOffset Made, DateTimeOffset After)> TimeAsync(Running cluster, string name)
    {
        // The clock that the cluster goes by, so that one that is set meanwhile is set for both.
        var before = TimeProvider.System.GetUtcNow();
        var made = DateTimeOffset.Parse((await MakeAsync(cluster, name)).Text("metadata", "creationTimestamp")!);

        return (before, made, TimeProvider.System.GetUtcNow());
    }

    private static async Task<JsonNode?> MakeAsync(Running cluster, string name)
    {
        using var body = new StringContent($$"""{"metadata":{"name":"{{name}}"} }""", Encoding.UTF8, "application/json");
        using var answer = await cluster.Http.PostAsync(ConfigMaps, body, Token);

        return JsonNode.Parse(await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Token));
    }

    private static async Task<string> KubectlAsync(string kubeconfig, params string[] arguments)
    {
        using var kubectl = Process.Start(new ProcessStartInfo("kubectl", ["--kubeconfig", kubeconfig, .. arguments])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        var output = await kubectl.StandardOutput.ReadToEndAsync(Token);
        await kubectl.WaitForExitAsync(Token);

        return output;
    }

    private sealed record Running(DrydockProcess Process, HttpClient Http) : IAsyncDisposable
    {
        /// <summary>Ends it as Ctrl-C does.</summary>
        public async Task StopAsync()
        {
            await Process.InterruptAsync();
            (await Process.WaitForExitAsync()).ShouldBe(0, Process.Error);
        }

        public async ValueTask DisposeAsync()
        {
            Http.Dispose();
            await Process.DisposeAsync();
        }
    }
}

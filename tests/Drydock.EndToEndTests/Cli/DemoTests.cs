using System.Diagnostics;
using System.Text.Json;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Cli;

/// <summary>The main job: <c>demo</c>, <c>demo --crash</c> and <c>simulate</c>, as a stranger runs them.</summary>
public sealed class DemoTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("drydock-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_healthy_demo_shows_plan_progress_summary_and_proof_and_ends_with_0()
    {
        var (code, output, error) = await DrydockProcess.RunAsync(_folder, "demo");

        code.ShouldBe(0, output + error);
        output.ShouldContain("Plan for node node-1");
        output.ShouldContain("vms/database: Migrating");
        output.ShouldContain("LEFT BEHIND\n    nothing");
        output.ShouldContain("✓ VM vms/database was migrated without a stop");
        output.ShouldNotContain("✗");
    }

    [Fact]
    public async Task Killed_twice_the_demo_goes_on_repeats_nothing_and_keeps_its_deadlines()
    {
        var (code, output, error) = await DrydockProcess.RunAsync(_folder, "demo", "--crash", "-o", "json");

        code.ShouldBe(0, output + error);
        var crashes = Line(output, "crashes");
        crashes.GetArrayLength().ShouldBe(2);
        crashes.EnumerateArray().ShouldAllBe(crash => crash.GetProperty("stepsChanged").GetInt32() == 0);
        crashes.EnumerateArray().ShouldAllBe(crash => crash.GetProperty("deadlines").EnumerateArray().All(each => each.GetProperty("isSame").GetBoolean()));
        Line(output, "proof").GetProperty("holds").GetBoolean().ShouldBeTrue();
    }

    [Fact]
    public async Task The_server_of_a_demo_dies_with_it_however_it_dies()
    {
        await using var demo = DrydockProcess.Start(_folder, "demo", "--keep", "-o", "json");
        await demo.WaitForAsync("\"kind\":\"server\"");
        var server = Process.GetProcessById(Notes(demo.Output, "server").GetProperty("process").GetInt32());

        await demo.KillAsync();

        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await server.WaitForExitAsync(patience.Token);
        server.HasExited.ShouldBeTrue();
    }

    [Fact]
    public async Task Kubectl_reads_the_nodes_of_a_simulated_cluster()
    {
        var kubeconfig = Path.Combine(_folder, "kubeconfig");
        await using var cluster = DrydockProcess.Start(_folder, "simulate", "--kubeconfig-out", kubeconfig);
        await cluster.WaitForAsync("kubectl get nodes");

        using var kubectl = Process.Start(new ProcessStartInfo("kubectl", ["--kubeconfig", kubeconfig, "get", "nodes"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var nodes = await kubectl.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await cluster.InterruptAsync();

        nodes.ShouldContain("node-1");
        nodes.ShouldContain("Ready");
        (await cluster.WaitForExitAsync()).ShouldBe(0);
    }

    private static JsonElement Line(string output, string type) => Lines(output).Single(line => line.GetProperty("type").GetString() == type).GetProperty(type);

    private static JsonElement Notes(string output, string kind) =>
        Lines(output).First(line => line.TryGetProperty("kind", out var found) && found.GetString() == kind).GetProperty("data");

    private static IEnumerable<JsonElement> Lines(string output) =>
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement);
}

using Drydock.Kubernetes;
using Drydock.Server;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>A server that cannot do its work says why in one sentence and does not start.</summary>
public sealed class StartTests
{
    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task A_hub_that_another_process_has_open_is_refused()
    {
        await using var harbour = await Harbour.OpenAsync(Token);

        (await RefusalAsync(harbour.Options)).ShouldContain("hub.db");
    }

    [Fact]
    public async Task A_hub_of_another_cluster_is_refused()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        await using var other = await Harbour.OpenAsync(Token, seed: 2);
        await harbour.StopServerAsync();

        var refusal = await RefusalAsync(harbour.Options with { Cluster = other.Options.Cluster });

        refusal.ShouldContain("This task hub belongs to cluster");
    }

    [Fact]
    public async Task A_file_that_is_no_hub_is_refused()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var folder = Directory.CreateTempSubdirectory("drydock-tests-");
        var file = Path.Combine(folder.FullName, "letter.txt");
        await File.WriteAllTextAsync(file, new string('x', 10_000), Token);

        var refusal = await RefusalAsync(harbour.Options with { Hub = $"Data Source={file}" });

        refusal.ShouldContain("letter.txt");
        (await File.ReadAllTextAsync(file, Token)).ShouldBe(new string('x', 10_000));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task An_api_server_that_does_not_answer_is_named()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        await harbour.StopServerAsync();
        var dead = new ClusterConnection { KubeconfigText = Kubeconfig("http://127.0.0.1:9") };

        var refusal = await RefusalAsync(harbour.Options with { Cluster = dead });

        refusal.ShouldContain("cannot be reached");
        refusal.ShouldContain("127.0.0.1:9");
    }

    [Fact]
    public async Task A_kubeconfig_that_does_not_parse_is_refused()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        await harbour.StopServerAsync();

        var refusal = await RefusalAsync(harbour.Options with { Cluster = new ClusterConnection { KubeconfigText = "{ not: [yaml" } });

        refusal.ShouldNotBeNullOrWhiteSpace();
    }

    private static string Kubeconfig(string server) => Drydock.Simulator.Api.SimulatedApiServer.Kubeconfig(new Uri(server));

    private async Task<string> RefusalAsync(DrydockOptions options)
    {
        await using var server = DrydockHost.Build(options);
        try
        {
            await server.StartAsync(Token);
        }
        catch (Exception error)
        {
            return StartFailure.Describe(error) ?? throw new InvalidOperationException("Not told in a sentence.", error);
        }

        await server.StopAsync(Token);
        throw new InvalidOperationException("The server started.");
    }
}

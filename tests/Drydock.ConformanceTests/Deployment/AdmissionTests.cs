using System.Net;
using System.Security.Cryptography.X509Certificates;
using Drydock.ConformanceTests.Kubectl;
using Drydock.Kubernetes;
using Drydock.Server;
using Drydock.Server.Admission;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace Drydock.ConformanceTests.Deployment;

/// <summary>The validating webhook as it is deployed: kubectl asks the cluster, the cluster asks the webhook over TLS.</summary>
public sealed class AdmissionTests : IAsyncLifetime
{
    private readonly KubectlCluster _kubectl = new() { Program = "kubectl" };
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-admission-");
    private WebApplication? _server;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _kubectl.InitializeAsync();
        await _kubectl.RunAsync("create", "namespace", "drydock");
        await _kubectl.RunAsync("apply", "-f", Manifest("../components/operator/webhook.yaml"));
        await _kubectl.RunAsync("apply", "-n", "drydock", "-f", Manifest("../components/operator/webhook-service.yaml"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.StopAsync(CancellationToken.None);
            await _server.DisposeAsync();
        }

        RecordedCalls.Keep(_kubectl.Simulation.Api);
        await _kubectl.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task What_must_not_be_is_refused_in_the_words_of_the_node_maintenance_operator()
    {
        await ServeAsync(new WebhookOptions(new IPEndPoint(IPAddress.Loopback, 0)));

        var unknown = await ApplyAsync("a", "node-9");
        var first = await ApplyAsync("a", "node-1");
        var twice = await ApplyAsync("b", "node-1");
        var moved = await ApplyAsync("a", "node-2");
        var misspelt = await ApplyAsync("c", "node-3", "drydock.dev/action: Explode");
        var own = await ApplyAsync("c", "node-3", "drydock.dev/manifest: '{kind: Job}'");
        var again = await ApplyAsync("a", "node-1", "note: second");

        const string Denied = "admission webhook \"nodemaintenances.drydock.dev\" denied the request: ";
        const string NotChanged = "admission webhook \"nodemaintenance-changes.drydock.dev\" denied the request: ";
        unknown.Error.ShouldContain(Denied + "invalid nodeName, no node with name node-9 found");
        first.Code.ShouldBe(0, first.Error);
        twice.Error.ShouldContain(Denied + "invalid nodeName, a NodeMaintenance for node node-1 already exists");
        moved.Error.ShouldContain(NotChanged + "updating spec.NodeName isn't allowed");
        misspelt.Error.ShouldContain(Denied + "Annotation drydock.dev/action: 'Explode' is not allowed");
        own.Error.ShouldContain(Denied + "Annotation drydock.dev/manifest: a NodeMaintenance brings no Job of its own");
        again.Code.ShouldBe(0, again.Error);
    }

    [Fact]
    public async Task Without_the_webhook_nothing_is_created_but_everything_can_be_deleted()
    {
        await ServeAsync(new WebhookOptions(new IPEndPoint(IPAddress.Loopback, 0)));
        (await ApplyAsync("a", "node-2")).Code.ShouldBe(0);
        await _server!.StopAsync(Token);

        (await ApplyAsync("b", "node-3")).Error.ShouldContain("failed calling webhook");
        await _kubectl.RunAsync("delete", "nodemaintenance", "a", "--wait=false");
        await _kubectl.RunAsync("patch", "nodemaintenance", "a", "--type=merge", "-p", """{"metadata":{"finalizers":null}}""");
    }

    [Fact]
    public async Task A_certificate_from_files_is_served_and_a_new_one_taken_when_they_change()
    {
        var now = TimeProvider.System.GetUtcNow();
        var first = CertificateMaker.Renew(null, "drydock-webhook.drydock.svc", now);
        var second = CertificateMaker.Renew(null, "drydock-webhook.drydock.svc", now);
        Write(first);
        await ServeAsync(new WebhookOptions(new IPEndPoint(IPAddress.Loopback, 0)) { CertificateFolder = _folder.FullName });
        await TrustAsync(first);
        (await ApplyAsync("a", "node-9")).Error.ShouldContain("no node with name node-9 found");

        // Half of the change: what is served goes on.
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "tls.key"), second.Key, Token);
        await _server!.Services.GetRequiredService<IWebhookCertificate>().RefreshAsync(Token);
        (await ApplyAsync("a", "node-9")).Error.ShouldContain("no node with name node-9 found");

        Write(second);
        await _server!.Services.GetRequiredService<IWebhookCertificate>().RefreshAsync(Token);
        await TrustAsync(second);

        (await ApplyAsync("a", "node-9")).Error.ShouldContain("no node with name node-9 found");
    }

    [Fact]
    public async Task A_certificate_of_our_own_is_shared_renewed_before_it_ends_and_trusted_all_the_time()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var cluster = KubernetesCluster.Open(
            ClusterConnection.InMemory(RecordedCalls.HandlerOf(_kubectl.Simulation.Api), new Uri("http://simulated")), clock);
        var options = new WebhookOptions(new IPEndPoint(IPAddress.Loopback, 0)) { Secret = "other-tls" };
        var (one, two) = (Certificate(), Certificate());

        await one.RefreshAsync(Token);
        await two.RefreshAsync(Token);
        var before = one.Current!;
        clock.Advance(CertificateMaker.Lifetime * 0.7);
        await one.RefreshAsync(Token);

        two.Current!.Thumbprint.ShouldBe(before.Thumbprint);
        one.Current!.Thumbprint.ShouldNotBe(before.Thumbprint);
        one.Current.NotAfter.ToUniversalTime().ShouldBeGreaterThan(clock.GetUtcNow().AddDays(80).UtcDateTime);
        Trusts(one.Current).ShouldBeTrue();
        Trusts(before).ShouldBeTrue("The other replica still serves it.");

        OwnCertificate Certificate() => new(options, cluster.Admission, clock, LoggerFactory.Create(_ => { }).CreateLogger("certificate"));
    }

    private bool Trusts(X509Certificate2 certificate)
    {
        var configuration = _kubectl.Simulation.Store.Get(_kubectl.Simulation.Store.Types.Single(type => type.Plural == "validatingwebhookconfigurations"), null, "drydock")!;
        var bundle = Convert.FromBase64String(configuration["webhooks"]![0]!["clientConfig"]!["caBundle"]!.ToString());
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.ImportFromPem(System.Text.Encoding.ASCII.GetString(bundle));
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationTime = certificate.NotBefore.AddHours(2);
        return chain.Build(certificate);
    }

    private void Write(CertificateSet set)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "tls.crt"), set.Certificate);
        File.WriteAllText(Path.Combine(_folder.FullName, "tls.key"), set.Key);
    }

    private Task TrustAsync(CertificateSet set) => _kubectl.RunAsync(
        "patch", "validatingwebhookconfiguration", "drydock", "--type=json",
        "-p", $$"""[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"{{Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(set.Authority))}}"} ]""");

    private Task<KubectlRun> ApplyAsync(string name, string node, string annotation = "note: first") => _kubectl.TryAsync(
        $$"""
        apiVersion: nodemaintenance.medik8s.io/v1beta1
        kind: NodeMaintenance
        metadata: {name: {{name}}, annotations: { {{annotation}} } }
        spec: {nodeName: {{node}}}
        """,
        "apply", "-f", "-");

    private async Task ServeAsync(WebhookOptions options)
    {
        _server = DrydockHost.Build(new DrydockOptions
        {
            Hub = $"Data Source={Path.Combine(_folder.FullName, "hub.db")}",
            Cluster = ClusterConnection.InMemory(RecordedCalls.HandlerOf(_kubectl.Simulation.Api), new Uri("http://simulated")),
            Urls = ["http://127.0.0.1:0"],
            LogLevel = LogLevel.Warning,
            Webhook = options,
        });
        await _server.StartAsync(Token);
        var port = _server.Services.GetRequiredService<WebhookServer>().Address.Port;
        await _kubectl.SendAsync(
            $$"""
            apiVersion: v1
            kind: Endpoints
            metadata: {name: drydock-webhook}
            subsets: [{addresses: [{ip: 127.0.0.1}], ports: [{name: https, port: {{port}} }]}]
            """,
            "create", "-n", "drydock");
    }

    internal static string Manifest(string name) => Path.Combine(Root(), "infra", "kubernetes", "base", name);

    internal static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Workflows.sln")))
        {
            folder = folder.Parent!;
        }

        return folder.FullName;
    }
}

using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Drydock.Kubernetes;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Connection;

/// <summary>What kubectl honours of a kubeconfig is honoured, or refused in a sentence; what is sent shows it.</summary>
public sealed class KubeconfigTests : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-kubeconfig-");

    public KubeconfigTests() => _listener.Start();

    public void Dispose()
    {
        _listener.Dispose();
        _folder.Delete(recursive: true);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    [Fact]
    public async Task A_token_file_is_read_from_beside_the_kubeconfig_and_goes_before_a_token()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "token"), "from-file\n", Token);

        var sent = await SentAsync(Write(user: "{token: written, tokenFile: token}"));

        sent[0].ShouldBe("GET /api/v1/nodes/n1 HTTP/1.1");
        sent.ShouldContain("Authorization: Bearer from-file");
        (await KubeconfigToken.ReadAsync(ClusterConnection.FromFile(Write(user: "{token: written, tokenFile: token}")), Token)).ShouldBe("from-file");
    }

    [Fact]
    public async Task Who_acts_as_somebody_else_does_not_act_with_the_rights_of_the_one_who_logs_in()
    {
        var file = Write(user: "{token: t, as: ada, as-uid: u-1, as-groups: [ops], as-user-extra: {}}");

        var sent = await SentAsync(file);

        sent.ShouldContain("Authorization: Bearer t");
        sent.Where(static line => line.StartsWith("Impersonate-", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
            .ShouldBe(["Impersonate-Group: ops", "Impersonate-Uid: u-1", "Impersonate-User: ada"]);
        (await Should.ThrowAsync<ClusterConnectionException>(() => KubeconfigToken.ReadAsync(ClusterConnection.FromFile(file), Token))).Message
            .ShouldStartWith("The kubeconfig acts as ada, which its token does not say");
    }

    [Fact]
    public async Task Requests_go_through_the_proxy_of_the_cluster()
    {
        var sent = await SentAsync(Write(user: "{token: t}", cluster: $$"""{server: "http://api.invalid:6443", proxy-url: "http://127.0.0.1:{{Port}}" }"""));

        sent[0].ShouldBe("GET http://api.invalid:6443/api/v1/nodes/n1 HTTP/1.1");
    }

    [Theory]
    [InlineData("""{server: "http://127.0.0.1:1"}""", "{tokenFile: nowhere}", "has tokenFile '*nowhere' for user 'u', which does not exist.")]
    [InlineData("""{server: "http://127.0.0.1:1", proxy-url: "ftp://proxy"}""", "{token: t}", "has a proxy-url for cluster 'c' that does not begin with http://, https://, socks5://.")]
    [InlineData("""{server: "http://127.0.0.1:1"}""", "{token: t, as-groups: [ops]}", "has user 'u' act with the groups, uid or extra fields of somebody and does not say of whom (as).")]
    [InlineData("""{server: "http://127.0.0.1:1"}""", "{token: t, as: ada, as-groups: [ops, dev]}", "has user 'u' act with several values of Impersonate-Group; one is all that can be sent.")]
    public void What_cannot_be_honoured_is_refused(string cluster, string user, string sentence)
    {
        var file = Write(user, cluster);

        var thrown = Should.Throw<ClusterConnectionException>(() => KubernetesCluster.Open(ClusterConnection.FromFile(file), TimeProvider.System));

        thrown.Message.Replace(_folder.FullName + Path.DirectorySeparatorChar, "*", StringComparison.Ordinal).ShouldBe($"The kubeconfig '*config' {sentence}");
    }

    [Fact]
    public async Task A_connection_that_is_dead_is_given_up_before_the_request_is()
    {
        using var certificate = Certificate();
        var silent = AcceptAndFallSilentAsync(certificate);
        var file = Write("{token: t}", $$"""{server: "https://127.0.0.1:{{Port}}", insecure-skip-tls-verify: true}""");
        var connection = ClusterConnection.FromFile(file) with
        {
            PingDelay = TimeSpan.FromSeconds(1), PingTimeout = TimeSpan.FromSeconds(1), RequestTimeout = TimeSpan.FromMinutes(2),
        };
        (ClusterConnection.Default.PingDelay + ClusterConnection.Default.PingTimeout).ShouldBeLessThan(ClusterConnection.Default.RequestTimeout);
        await using var cluster = KubernetesCluster.Open(connection, TimeProvider.System);

        var thrown = await Should.ThrowAsync<ClusterException>(() => cluster.GetNodeAsync("n1", Token));

        thrown.Kind.ShouldBe(ClusterErrorKind.Unreachable);
        thrown.Message.ShouldNotContain("no answer within");
        using var connected = await silent;
    }

    private string Write(string user, string? cluster = null)
    {
        var path = Path.Combine(_folder.FullName, "config");
        cluster ??= $$"""{server: "http://127.0.0.1:{{Port}}" }""";
        File.WriteAllText(path, $$$"""
            apiVersion: v1
            kind: Config
            current-context: here
            clusters: [{name: other, cluster: {server: "http://127.0.0.1:1"}}, {name: c, cluster: {{{cluster}}} }]
            users: [{name: other, user: {token: other}}, {name: u, user: {{{user}}} }]
            contexts: [{name: here, context: {cluster: c, user: u}}]
            """);
        return path;
    }

    /// <summary>The lines of the request that asking for a node sends.</summary>
    private async Task<List<string>> SentAsync(string file)
    {
        var request = ReceiveAsync();
        await using var cluster = KubernetesCluster.Open(ClusterConnection.FromFile(file), TimeProvider.System);
        (await cluster.GetNodeAsync("n1", Token)).ShouldBeNull();
        return await request;
    }

    private async Task<List<string>> ReceiveAsync()
    {
        using var client = await _listener.AcceptTcpClientAsync(Token);
        await using var stream = client.GetStream();
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        var lines = new List<string>();
        while (await reader.ReadLineAsync(Token) is { Length: > 0 } line)
        {
            lines.Add(line);
        }

        const string Body = """{"kind":"Status","reason":"NotFound","details":{"name":"n1"},"code":404}""";
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {Body.Length}\r\n\r\n{Body}"), Token);
        return lines;
    }

    /// <summary>Speaks HTTP/2 as far as that it does, and then reads and writes nothing more, as a machine that lost its power.</summary>
    private async Task<IDisposable> AcceptAndFallSilentAsync(X509Certificate2 certificate)
    {
        var client = await _listener.AcceptTcpClientAsync(Token);
        var secured = new SslStream(client.GetStream());
        await secured.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions { ServerCertificate = certificate, ApplicationProtocols = [SslApplicationProtocol.Http2] }, Token);
        byte[] settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        await secured.WriteAsync(settings, Token);
        return client;
    }

    private static X509Certificate2 Certificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=api", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch, new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
    }
}

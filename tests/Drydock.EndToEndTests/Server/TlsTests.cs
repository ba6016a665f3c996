using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Drydock.Server.Tls;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>The certificate that the real server shows, as its files change.</summary>
public sealed class TlsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-tls-");
    private readonly List<string> _made = [];
    private readonly FakeTimeProvider _clock = new(TimeProvider.System.GetUtcNow());

    private CancellationToken Token { get; } = Harbour.Deadline();

    private TlsOptions Options => new() { CertificateFile = Path.Combine(_folder.FullName, "tls.crt"), KeyFile = Path.Combine(_folder.FullName, "tls.key") };

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_new_certificate_is_served_without_a_restart_and_a_broken_one_is_not()
    {
        var first = Write();
        await using var harbour = await Harbour.OpenAsync(
            Token,
            configure: options => options with { Urls = ["https://127.0.0.1:0"], Tls = Options },
            services: services => services.AddSingleton(new ServerCertificate(Options, _clock, NullLogger<ServerCertificate>.Instance)));
        var port = harbour.Http.BaseAddress!.Port;
        (await ShownAsync(port)).ShouldBe(first);

        var second = Write();
        (await ShownAsync(port)).ShouldBe(first, "It is not looked at at every handshake.");
        _clock.Advance(TimeSpan.FromSeconds(6));
        (await ShownAsync(port)).ShouldBe(second);

        // Half a renewal: the key is of another certificate.
        await File.WriteAllTextAsync(Options.KeyFile!, Make().Key, Token);
        _clock.Advance(TimeSpan.FromSeconds(6));
        (await ShownAsync(port)).ShouldBe(second);

        var third = Write();
        _clock.Advance(TimeSpan.FromSeconds(6));
        (await ShownAsync(port)).ShouldBe(third);
    }

    private string Write()
    {
        var (certificate, key, print) = Make();
        File.WriteAllText(Options.CertificateFile!, certificate);
        File.WriteAllText(Options.KeyFile!, key);
        return print;
    }

    private (string Certificate, string Key, string Print) Make()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(_clock.GetUtcNow().AddDays(-1), _clock.GetUtcNow().AddDays(1));
        _made.Add(certificate.GetCertHashString(HashAlgorithmName.SHA256));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem(), _made[^1]);
    }

    private async Task<string> ShownAsync(int port)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, Token);
        var shown = "";
        await using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) =>
        {
            shown = ((X509Certificate2)certificate!).GetCertHashString(HashAlgorithmName.SHA256);
            return _made.Contains(shown);
        });
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, Token);
        return shown;
    }
}

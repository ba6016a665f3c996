using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Drydock.Server.Tls;

/// <summary>
/// The certificate of this server, as its files have it now: looked at again every few seconds, so that a renewal needs no restart.
/// A new pair that cannot be used is logged, and the last good one goes on being served.
/// </summary>
internal sealed class ServerCertificate(TlsOptions options, TimeProvider clock, ILogger<ServerCertificate> logger) : IDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SelfSignedFor = TimeSpan.FromDays(397);

    private readonly Lock _lock = new();
    private X509Certificate2? _current;
    private byte[]? _digest;
    private DateTimeOffset _lookAgainAt;

    /// <summary>The certificate to show now.</summary>
    /// <exception cref="DrydockOptionsException">The files cannot be used, and never could.</exception>
    public X509Certificate2 Current
    {
        get
        {
            lock (_lock)
            {
                var now = clock.GetUtcNow();
                if (_current is null || now >= _lookAgainAt)
                {
                    _lookAgainAt = now + LookEvery;
                    Refresh(now);
                }

                return _current!;
            }
        }
    }

    public void Dispose() => _current?.Dispose();

    private void Refresh(DateTimeOffset now)
    {
        if (options.CertificateFile is not { } certificateFile || options.KeyFile is not { } keyFile)
        {
            // Renewed long before its end: this process may run for longer than a year.
            if (_current is null || now.UtcDateTime > _current.NotAfter.ToUniversalTime() - (SelfSignedFor / 3))
            {
                _current = SelfSigned(now);
                logger.LogWarning("No certificate is configured; a self-signed one is used, with SHA-256 fingerprint {Fingerprint}.", Fingerprint(_current));
            }

            return;
        }

        try
        {
            var (certificate, key) = (File.ReadAllText(certificateFile), File.ReadAllText(keyFile));
            var digest = SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(certificate + "\n" + key));
            if (_digest is not null && digest.AsSpan().SequenceEqual(_digest))
            {
                return;
            }

            // The one before is not disposed: a handshake may be using it.
            _current = X509Certificate2.CreateFromPem(certificate, key);
            var isReload = _digest is not null;
            _digest = digest;
            if (isReload)
            {
                logger.LogInformation("The certificate was renewed; it has SHA-256 fingerprint {Fingerprint} and ends {NotAfter:O}.", Fingerprint(_current), _current.NotAfter.ToUniversalTime());
            }
        }
        // ArgumentException: the key is of another certificate, as between the two writes of a renewal.
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            if (_current is null)
            {
                throw new DrydockOptionsException([$"tls: {certificateFile} and {keyFile} cannot be used together: {error.Message}"]);
            }

            logger.LogError(error, "The new certificate in {File} cannot be used; the one before goes on being served until {NotAfter:O}.", certificateFile, _current.NotAfter.ToUniversalTime());
        }
    }

    private static string Fingerprint(X509Certificate2 certificate) => certificate.GetCertHashString(HashAlgorithmName.SHA256);

    private static X509Certificate2 SelfSigned(DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=drydock", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var name in (string[])["localhost", "drydock", "drydock.drydock", "drydock.drydock.svc", Environment.MachineName])
        {
            names.AddDnsName(name);
        }

        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        return request.CreateSelfSigned(now - TimeSpan.FromMinutes(5), now + SelfSignedFor);
    }
}

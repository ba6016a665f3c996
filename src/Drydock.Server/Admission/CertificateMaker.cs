using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Drydock.Server.Admission;

/// <summary>An authority and a certificate that it signed, as PEM texts by the names of the keys of their Secret.</summary>
internal sealed record CertificateSet(string Authority, string AuthorityKey, string Certificate, string Key)
{
    private const string AuthorityName = "ca.crt";
    private const string AuthorityKeyName = "ca.key";
    private const string CertificateName = "tls.crt";
    private const string KeyName = "tls.key";

    /// <summary>For the Secret.</summary>
    public IReadOnlyDictionary<string, string> Data => new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [AuthorityName] = Authority, [AuthorityKeyName] = AuthorityKey, [CertificateName] = Certificate, [KeyName] = Key,
    };

    /// <summary>From the Secret; null if it does not hold all.</summary>
    public static CertificateSet? Of(IReadOnlyDictionary<string, string> data) =>
        data.TryGetValue(AuthorityName, out var authority) && data.TryGetValue(AuthorityKeyName, out var authorityKey)
        && data.TryGetValue(CertificateName, out var certificate) && data.TryGetValue(KeyName, out var key)
            ? new(authority, authorityKey, certificate, key) : null;

    /// <summary>The certificate with its key, for a server.</summary>
    public X509Certificate2 Load()
    {
        using var ephemeral = X509Certificate2.CreateFromPem(Certificate, Key);
        return X509CertificateLoader.LoadPkcs12(ephemeral.Export(X509ContentType.Pkcs12), null);
    }
}

/// <summary>Makes and renews the certificate of the webhook.</summary>
internal static class CertificateMaker
{
    /// <summary>How long a certificate lasts; it is renewed when a third of that is left.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(90);

    private static readonly TimeSpan AuthorityLifetime = TimeSpan.FromDays(3650);
    private static readonly TimeSpan Backdated = TimeSpan.FromHours(1);

    /// <summary>The set as it is if it is good for long enough, else a renewed one; with a new authority where that is needed.</summary>
    public static CertificateSet Renew(CertificateSet? before, string dnsName, DateTimeOffset now)
    {
        if (before is not null && IsGood(before.Certificate, before.Key, now + (Lifetime / 3), dnsName))
        {
            return before;
        }

        var keeps = before is not null && IsGood(FirstOf(before.Authority), before.AuthorityKey, now + (2 * Lifetime), null);
        var (authority, authorityKey) = keeps ? (before!.Authority, before.AuthorityKey) : NewAuthority(now);
        var (certificate, key) = NewCertificate(FirstOf(authority), authorityKey, dnsName, now);

        // Replicas that have not read the new one yet go on with the old: both are trusted until the next renewal.
        return new CertificateSet(keeps || before is null || !IsCertificate(FirstOf(before.Authority)) ? authority : authority + FirstOf(before.Authority), authorityKey, certificate, key);
    }

    private static bool IsCertificate(string pem)
    {
        try
        {
            X509Certificate2.CreateFromPem(pem).Dispose();
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static bool IsGood(string pem, string key, DateTimeOffset until, string? dnsName)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(pem, key);
            return certificate.NotAfter.ToUniversalTime() > until.UtcDateTime && (dnsName is null || certificate.MatchesHostname(dnsName));
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            // Somebody wrote something else into the Secret, or a key that belongs to another certificate.
            return false;
        }
    }

    private static (string Certificate, string Key) NewAuthority(DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=drydock-webhook-ca", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        using var made = request.CreateSelfSigned(now - Backdated, now + AuthorityLifetime);
        return (made.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    private static (string Certificate, string Key) NewCertificate(string authority, string authorityKey, string dnsName, DateTimeOffset now)
    {
        using var issuer = X509Certificate2.CreateFromPem(authority, authorityKey);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={dnsName}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(dnsName);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        using var made = request.Create(issuer, now - Backdated, now + Lifetime, RandomNumberGenerator.GetBytes(16));
        return (made.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    private static string FirstOf(string pem)
    {
        const string End = "-----END CERTIFICATE-----";
        var at = pem.IndexOf(End, StringComparison.Ordinal);
        return at < 0 ? pem : pem[..(at + End.Length)] + "\n";
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Drydock.Kubernetes;

namespace Drydock.Server.Admission;

/// <summary>The certificate that the webhook is served with, as it is at that moment.</summary>
internal interface IWebhookCertificate
{
    /// <summary>The certificate, or null while there is none: a caller is turned away.</summary>
    X509Certificate2? Current { get; }

    /// <summary>Looks whether there is a newer one, or makes one. Run again and again.</summary>
    Task RefreshAsync(CancellationToken cancellationToken);
}

/// <summary>A certificate from mounted files, such as those of cert-manager; a new one is taken when the files change. A bad one changes nothing.</summary>
internal sealed class MountedCertificate(string folder, ILogger logger) : IWebhookCertificate
{
    private string _read = "";

    public X509Certificate2? Current { get; private set; }

    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        try
        {
            var certificate = await File.ReadAllTextAsync(Path.Combine(folder, "tls.crt"), cancellationToken);
            var key = await File.ReadAllTextAsync(Path.Combine(folder, "tls.key"), cancellationToken);
            if (_read != certificate + key)
            {
                Current = new CertificateSet("", "", certificate, key).Load();
                _read = certificate + key;
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            // Caught between the change of one file and of the other, too (ArgumentException: the key is of another certificate): the next
            // look sees both.
            logger.LogWarning("The webhook's certificate in {Folder} cannot be read: {Why}", folder, problem.Message);
        }
    }
}

/// <summary>
/// A certificate of our own, in a Secret that all replicas share, renewed before it ends; the API server is told whom to trust in the
/// <c>caBundle</c> of the configuration.
/// </summary>
internal sealed class OwnCertificate(WebhookOptions options, IAdmissionObjects objects, TimeProvider clock, ILogger logger) : IWebhookCertificate
{
    private const int MostTries = 5;

    private string _read = "";

    public X509Certificate2? Current { get; private set; }

    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        try
        {
            var set = await RenewAsync(cancellationToken);
            if (!await objects.SetCaBundleAsync(options.Configuration, set.Authority, cancellationToken))
            {
                logger.LogWarning("There is no ValidatingWebhookConfiguration {Name}: nobody calls the webhook.", options.Configuration);
            }

            if (_read != set.Certificate)
            {
                // Only now: the API server must trust it first.
                Current = set.Load();
                _read = set.Certificate;
            }
        }
        catch (ClusterException problem)
        {
            logger.LogWarning("The webhook's certificate could not be renewed: {Why}", problem.Message);
        }
    }

    private async Task<CertificateSet> RenewAsync(CancellationToken cancellationToken)
    {
        var secret = new ObjectRef(options.Namespace, options.Secret);
        for (var attempt = 0; attempt < MostTries; attempt++)
        {
            var found = await objects.GetSecretAsync(secret, cancellationToken);
            var before = found is null ? null : CertificateSet.Of(found.Data);
            var set = CertificateMaker.Renew(before, $"{options.Service}.{options.Namespace}.svc", clock.GetUtcNow());
            if (set == before || await objects.SaveSecretAsync(secret, found, set.Data, cancellationToken))
            {
                return set;
            }
        }

        throw new ClusterException(ClusterErrorKind.Conflict, "update", "secrets", $"Secret {secret} changed {MostTries} times in a row.");
    }
}

using System.Net;

namespace Drydock.Server.Admission;

/// <summary>Where the validating webhook is served, and with which certificate.</summary>
/// <param name="Listen">Where; port 0 takes a free one.</param>
public sealed record WebhookOptions(IPEndPoint Listen)
{
    /// <summary>The folder with <c>tls.crt</c> and <c>tls.key</c>, as cert-manager's Secret is mounted; null: the certificate is our own.</summary>
    public string? CertificateFolder { get; init; }

    /// <summary>The namespace of the service, and of the Secret of a certificate of our own. The default is <c>drydock</c>.</summary>
    public string Namespace { get; init; } = "drydock";

    /// <summary>The service that the API server calls. The default is <c>drydock-webhook</c>.</summary>
    public string Service { get; init; } = "drydock-webhook";

    /// <summary>The Secret of a certificate of our own. The default is <c>drydock-webhook-tls</c>.</summary>
    public string Secret { get; init; } = "drydock-webhook-tls";

    /// <summary>The ValidatingWebhookConfiguration whose <c>caBundle</c> is kept right with it. The default is <c>drydock</c>.</summary>
    public string Configuration { get; init; } = "drydock";

    /// <summary>What is wrong, one sentence each; empty if nothing.</summary>
    public IEnumerable<string> Validate()
    {
        if (CertificateFolder is { } folder && !Directory.Exists(folder))
        {
            yield return $"webhook: the folder '{folder}' is not there; it must hold tls.crt and tls.key.";
        }
    }
}

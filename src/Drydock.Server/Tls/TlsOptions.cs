namespace Drydock.Server.Tls;

/// <summary>The certificate of https addresses. Section <c>tls</c> of the configuration. Without files a self-signed one is made at each start.</summary>
public sealed record TlsOptions
{
    /// <summary>The certificate, and those between it and the root, as PEM.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>Its private key, as PEM.</summary>
    public string? KeyFile { get; init; }

    /// <summary>What is wrong with these options, one sentence each.</summary>
    internal IEnumerable<string> Validate()
    {
        if (CertificateFile is null != KeyFile is null)
        {
            yield return "tls: give both certificateFile and keyFile, or neither for a self-signed certificate.";
            yield break;
        }

        foreach (var (field, file) in new[] { ("tls.certificateFile", CertificateFile), ("tls.keyFile", KeyFile) })
        {
            if (file is not null && !File.Exists(file))
            {
                yield return $"{field}: there is no file '{file}'.";
            }
        }
    }
}

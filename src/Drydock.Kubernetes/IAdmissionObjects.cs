namespace Drydock.Kubernetes;

/// <summary>What a webhook that looks after its own certificate keeps in the cluster.</summary>
public interface IAdmissionObjects
{
    /// <summary>The data of a Secret, or null if there is none.</summary>
    Task<SecretSnapshot?> GetSecretAsync(ObjectRef secret, CancellationToken cancellationToken);

    /// <summary>Creates the Secret (<paramref name="before"/> is null) or replaces its data if it has not changed since.</summary>
    /// <returns>False if somebody else was faster: read again.</returns>
    Task<bool> SaveSecretAsync(
        ObjectRef secret, SecretSnapshot? before, IReadOnlyDictionary<string, string> data, CancellationToken cancellationToken);

    /// <summary>Writes the authority that the API server shall trust into every webhook of a ValidatingWebhookConfiguration.</summary>
    /// <returns>False if there is no such configuration.</returns>
    Task<bool> SetCaBundleAsync(string configuration, string pem, CancellationToken cancellationToken);
}

/// <summary>A Secret as it was read.</summary>
/// <param name="ResourceVersion">Its version.</param>
/// <param name="Data">Its values as text.</param>
public sealed record SecretSnapshot(string ResourceVersion, IReadOnlyDictionary<string, string> Data);

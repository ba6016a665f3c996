namespace Drydock.Kubernetes;

/// <summary>The bearer token with which a kubeconfig logs in, for services beside the API server that ask the cluster who a caller is.</summary>
public static class KubeconfigToken
{
    /// <summary>
    /// The token: written in the kubeconfig, or that of its login program, which is run; null if it logs in otherwise (a certificate).
    /// </summary>
    /// <exception cref="ClusterConnectionException">The kubeconfig cannot be used.</exception>
    public static async Task<string?> ReadAsync(ClusterConnection connection, CancellationToken cancellationToken)
    {
        var (config, impersonation) = Kubeconfig.Read(connection);
        if (impersonation is [var (_, other), ..])
        {
            throw new ClusterConnectionException($"The kubeconfig acts as {other}, which its token does not say: whoever sees that token takes the caller for the user that logs in.");
        }

        if (config.AccessToken is { Length: > 0 } written)
        {
            return written;
        }

        if (config.TokenProvider is null)
        {
            return null;
        }

        try
        {
            return (await config.TokenProvider.GetAuthenticationHeaderAsync(cancellationToken)) is { Scheme: "Bearer", Parameter: { Length: > 0 } token } ? token : null;
        }
        catch (Exception exception) when (exception is k8s.Exceptions.KubeConfigException or k8s.Exceptions.KubernetesClientException)
        {
            throw new ClusterConnectionException($"The kubeconfig's login gives no token: {exception.Message}", exception);
        }
    }
}

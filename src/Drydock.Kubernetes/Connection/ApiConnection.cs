using Drydock.Kubernetes.Api;

namespace Drydock.Kubernetes;

/// <summary>Makes the client that a connection describes; sends nothing.</summary>
internal static class ApiConnection
{
    public static ApiClient Open(ClusterConnection connection, TimeProvider clock)
    {
        if (connection.Handler is { } handler)
        {
            var address = connection.Address
                ?? throw new ClusterConnectionException("A connection with a handler of its own needs an address.");
            var inMemory = new HttpClient(handler, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
            return new ApiClient(inMemory, address, credentials: null, connection.RequestTimeout, clock, owner: null);
        }

        var (config, impersonation) = Kubeconfig.Read(connection);

        // Each request has its own time-out, by the injected clock; a watch has none.
        config.HttpClientTimeout = Timeout.InfiniteTimeSpan;

        // A machine that lost its power answers nothing and closes nothing, and every request would go the same way for minutes.
        config.FirstMessageHandlerSetup += connections =>
            (connections.KeepAlivePingPolicy, connections.KeepAlivePingDelay, connections.KeepAlivePingTimeout) =
            (HttpKeepAlivePingPolicy.WithActiveRequests, connection.PingDelay, connection.PingTimeout);
        try
        {
            var kubernetes = new k8s.Kubernetes(config);
            foreach (var (name, value) in impersonation)
            {
                kubernetes.HttpClient.DefaultRequestHeaders.TryAddWithoutValidation(name, value);
            }

            return new ApiClient(
                kubernetes.HttpClient, kubernetes.BaseUri, kubernetes.Credentials, connection.RequestTimeout, clock, kubernetes);
        }
        catch (Exception exception)
        {
            throw new ClusterConnectionException(
                $"The connection to {config.Host} cannot be set up: {exception.GetBaseException().Message}", exception);
        }
    }
}

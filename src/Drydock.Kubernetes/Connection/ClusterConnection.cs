namespace Drydock.Kubernetes;

/// <summary>How to reach the cluster. Exactly one way is taken: the given handler, the given text, the given file, or what kubectl would take.</summary>
public sealed record ClusterConnection
{
    /// <summary>A kubeconfig file.</summary>
    public string? KubeconfigPath { get; init; }

    /// <summary>The text of a kubeconfig.</summary>
    public string? KubeconfigText { get; init; }

    /// <summary>The context of the kubeconfig; null takes its current one.</summary>
    public string? Context { get; init; }

    /// <summary>Use the service account of the pod this process runs in.</summary>
    public bool InCluster { get; init; }

    /// <summary>Answers the requests inside this process; needs <see cref="Address"/>.</summary>
    public HttpMessageHandler? Handler { get; init; }

    /// <summary>The address of the API server if a handler is given, or instead of the kubeconfig's.</summary>
    public Uri? Address { get; init; }

    /// <summary>How long one request may take; watches are bounded otherwise. The default is 30 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a connection on which something is awaited may be silent before it is asked for a sign of life. The default, 15 s, and what
    /// <see cref="PingTimeout"/> adds are less than <see cref="RequestTimeout"/>: what comes after the first lost request goes another way.
    /// </summary>
    internal TimeSpan PingDelay { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long that may take before the connection is given up. The default is 10 s.</summary>
    internal TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Where the maintenance leases lie. The default, <c>medik8s-leases</c>, is shared with the medik8s operators.</summary>
    public string LeaseNamespace { get; init; } = "medik8s-leases";

    /// <summary>What kubectl takes: <c>$KUBECONFIG</c>, <c>~/.kube/config</c>, or the service account of the pod.</summary>
    public static ClusterConnection Default { get; } = new();

    /// <summary>A kubeconfig file.</summary>
    public static ClusterConnection FromFile(string path, string? context = null) => new() { KubeconfigPath = path, Context = context };

    /// <summary>The text of a kubeconfig.</summary>
    public static ClusterConnection FromText(string text, string? context = null) => new() { KubeconfigText = text, Context = context };

    /// <summary>An API server in this process.</summary>
    public static ClusterConnection InMemory(HttpMessageHandler handler, Uri address) => new() { Handler = handler, Address = address };
}

/// <summary>The connection cannot even be tried: the message names the file and what is wrong with it, in one sentence.</summary>
public sealed class ClusterConnectionException(string message, Exception? innerException = null) : Exception(message, innerException);

using System.Text;
using k8s;
using k8s.KubeConfigModels;

namespace Drydock.Kubernetes;

/// <summary>Reads what the connection names and says in one sentence what is wrong with it.</summary>
internal static class Kubeconfig
{
    public static ReadKubeconfig Read(ClusterConnection connection)
    {
        if (connection.KubeconfigText is { } text)
        {
            return Build(connection, "The given kubeconfig", () => LoadText(text), () => [new(null, text)]);
        }

        if (connection.KubeconfigPath is { } path)
        {
            return FromFiles(connection, [path]);
        }

        if (connection.InCluster)
        {
            return InCluster();
        }

        var variable = Environment.GetEnvironmentVariable("KUBECONFIG");
        if (!string.IsNullOrWhiteSpace(variable))
        {
            return FromFiles(connection, variable.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries));
        }

        var home = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".kube", "config");
        return !File.Exists(home) && KubernetesClientConfiguration.IsInCluster() ? InCluster() : FromFiles(connection, [home]);
    }

    private static ReadKubeconfig FromFiles(ClusterConnection connection, string[] paths)
    {
        // As kubectl does: of several files, those that are not there are passed over.
        var present = paths.Where(File.Exists).ToArray();
        var all = string.Join(Path.PathSeparator, paths);
        if (present.Length == 0)
        {
            throw new ClusterConnectionException($"The kubeconfig '{all}' does not exist.");
        }

        return Build(connection, $"The kubeconfig '{all}'", () => Merge(
            [.. present.Select(path => KubernetesClientConfiguration.LoadKubeConfig(new FileInfo(path), useRelativePaths: true))]),
            () => [.. present.Select(path => new KubeconfigSource(new FileInfo(path).DirectoryName, File.ReadAllText(path)))]);
    }

    /// <summary>As kubectl does: the first file that says something wins.</summary>
    private static K8SConfiguration Merge(IReadOnlyList<K8SConfiguration> configs)
    {
        var first = configs[0];
        if (configs.Count > 1)
        {
            first.CurrentContext = configs.Select(config => config.CurrentContext).FirstOrDefault(name => !string.IsNullOrEmpty(name));
            first.Contexts = [.. configs.SelectMany(config => config.Contexts ?? []).DistinctBy(context => context.Name)];
            first.Clusters = [.. configs.SelectMany(config => config.Clusters ?? []).DistinctBy(cluster => cluster.Name)];
            first.Users = [.. configs.SelectMany(config => config.Users ?? []).DistinctBy(user => user.Name)];
        }

        return first;
    }

    private static K8SConfiguration LoadText(string text)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
        return KubernetesClientConfiguration.LoadKubeConfig(stream);
    }

    private static ReadKubeconfig InCluster()
    {
        try
        {
            return new(KubernetesClientConfiguration.InClusterConfig(), []);
        }
        catch (Exception exception)
        {
            throw new ClusterConnectionException(
                $"This process does not run in a pod with a service account: {OneLine(exception.Message)}", exception);
        }
    }

    private static ReadKubeconfig Build(
        ClusterConnection connection, string what, Func<K8SConfiguration> load, Func<IReadOnlyList<KubeconfigSource>> read)
    {
        K8SConfiguration config;
        IReadOnlyList<KubeconfigSource> sources;
        try
        {
            (config, sources) = (load() ?? new K8SConfiguration(), read());
        }
        catch (Exception exception)
        {
            throw new ClusterConnectionException($"{what} does not parse: {OneLine(exception.GetBaseException().Message)}", exception);
        }

        CheckContext(connection, what, config);
        var context = config.Contexts.First(one => one.Name == (connection.Context ?? config.CurrentContext)).ContextDetails;
        var extras = new KubeconfigExtras(sources, context?.Cluster ?? "", context?.User);
        AllowNoCredentials(config);
        try
        {
            var built = KubernetesClientConfiguration.BuildConfigFromConfigObject(
                config, connection.Context, connection.Address?.GetLeftPart(UriPartial.Authority));
            return extras.ApplyTo(built, what);
        }
        catch (Exception exception) when (exception is not ClusterConnectionException)
        {
            throw new ClusterConnectionException($"{what} cannot be used: {OneLine(exception.GetBaseException().Message)}", exception);
        }
    }

    private static void CheckContext(ClusterConnection connection, string what, K8SConfiguration config)
    {
        var contexts = config.Contexts?.Select(context => context.Name).ToList() ?? [];
        if (contexts.Count == 0)
        {
            throw new ClusterConnectionException($"{what} has no context.");
        }

        var wanted = connection.Context ?? config.CurrentContext;
        if (string.IsNullOrEmpty(wanted))
        {
            throw new ClusterConnectionException($"{what} has no current context; it has: {string.Join(", ", contexts)}.");
        }

        if (!contexts.Contains(wanted, StringComparer.Ordinal))
        {
            throw new ClusterConnectionException($"{what} has no context '{wanted}'; it has: {string.Join(", ", contexts)}.");
        }
    }

    /// <summary>
    /// KubernetesClient refuses a user without credentials; kubectl and we do not: an API server on loopback may want none.
    /// </summary>
    private static void AllowNoCredentials(K8SConfiguration config)
    {
        var without = (config.Users ?? []).Where(user => user.UserCredentials is not { } credentials || IsEmpty(credentials))
            .Select(user => user.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var context in config.Contexts.Where(context => context.ContextDetails?.User is { } user && without.Contains(user)))
        {
            context.ContextDetails.User = null;
        }
    }

    private static bool IsEmpty(UserCredentials credentials) =>
        new[]
        {
            credentials.Token, credentials.UserName, credentials.Password, credentials.ClientCertificate,
            credentials.ClientCertificateData, credentials.ClientKey, credentials.ClientKeyData,
        }.All(string.IsNullOrEmpty)
        && credentials is { AuthProvider: null, ExternalExecution: null };

    private static string OneLine(string message) =>
        string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}

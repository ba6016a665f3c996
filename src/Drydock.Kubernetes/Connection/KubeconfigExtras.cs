using System.Net;
using k8s;
using k8s.Authentication;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Drydock.Kubernetes;

/// <summary>A kubeconfig that was read.</summary>
/// <param name="Config">What KubernetesClient takes from it.</param>
/// <param name="Impersonation">The headers that say as whom to act; none: as the user that logs in.</param>
internal sealed record ReadKubeconfig(KubernetesClientConfiguration Config, IReadOnlyList<KeyValuePair<string, string>> Impersonation);

/// <summary>The text of a kubeconfig and where it lies.</summary>
internal sealed record KubeconfigSource(string? Folder, string Text);

/// <summary>What kubectl honours of a kubeconfig and KubernetesClient passes over: a token in a file, a proxy, another user to act as.</summary>
internal sealed class KubeconfigExtras(IReadOnlyList<KubeconfigSource> sources, string cluster, string? user)
{
    private static readonly string[] ProxySchemes = ["http", "https", "socks5"];

    /// <summary>Adds them to what KubernetesClient has read.</summary>
    /// <exception cref="ClusterConnectionException">One of them cannot be honoured.</exception>
    public ReadKubeconfig ApplyTo(KubernetesClientConfiguration config, string what)
    {
        if (Find("clusters", cluster, "cluster") is var (endpoint, _) && Text(endpoint, "proxy-url") is { } address)
        {
            var proxy = ProxyOf(address) ?? throw new ClusterConnectionException(
                $"{what} has a proxy-url for cluster '{cluster}' that does not begin with {string.Join("://, ", ProxySchemes)}://.");
            config.FirstMessageHandlerSetup += handler => (handler.UseProxy, handler.Proxy) = (true, proxy);
        }

        if (user is null || Find("users", user, "user") is not var (credentials, folder))
        {
            return new(config, []);
        }

        if (Text(credentials, "tokenFile") is { } name)
        {
            // As kubectl does: before a token beside it, and read again and again, since somebody renews it.
            var file = Path.Combine(folder ?? "", name);
            config.AccessToken = null;
            config.TokenProvider = File.Exists(file)
                ? new TokenFileAuth(file)
                : throw new ClusterConnectionException($"{what} has tokenFile '{file}' for user '{user}', which does not exist.");
        }

        return new(config, [.. Impersonation(credentials, what)]);
    }

    private IEnumerable<KeyValuePair<string, string>> Impersonation(YamlMappingNode credentials, string what)
    {
        var groups = Texts(credentials, "as-groups").Select(static group => KeyValuePair.Create("Impersonate-Group", group));
        var extra = credentials.Children.TryGetValue("as-user-extra", out var found) && found is YamlMappingNode map
            ? map.Children.Keys.OfType<YamlScalarNode>().SelectMany(key => Texts(map, key.Value!).Select(
                value => KeyValuePair.Create("Impersonate-Extra-" + Uri.EscapeDataString(key.Value!), value)))
            : [];
        var uid = Text(credentials, "as-uid") is { } id ? new[] { KeyValuePair.Create("Impersonate-Uid", id) } : [];
        List<KeyValuePair<string, string>> more = [.. uid, .. groups, .. extra];

        // HttpClient writes several values of a header into one line, which the API server takes for a single group.
        if (more.CountBy(static header => header.Key, StringComparer.OrdinalIgnoreCase).FirstOrDefault(static header => header.Value > 1) is { Key: { } name })
        {
            throw new ClusterConnectionException($"{what} has user '{user}' act with several values of {name}; one is all that can be sent.");
        }

        return Text(credentials, "as") is { } other ? more.Prepend(KeyValuePair.Create("Impersonate-User", other))
            : more.Count == 0 ? []
            : throw new ClusterConnectionException($"{what} has user '{user}' act with the groups, uid or extra fields of somebody and does not say of whom (as).");
    }

    private static WebProxy? ProxyOf(string address)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || !ProxySchemes.Contains(uri.Scheme, StringComparer.Ordinal))
        {
            return null;
        }

        var login = uri.UserInfo.Split(':', 2);
        return new WebProxy(uri)
        {
            Credentials = uri.UserInfo.Length == 0
                ? null
                : new NetworkCredential(Uri.UnescapeDataString(login[0]), login.Length > 1 ? Uri.UnescapeDataString(login[1]) : ""),
        };
    }

    /// <summary>The first of that name, and the folder of its file: the first file that says something wins.</summary>
    private (YamlMappingNode Node, string? Folder)? Find(string list, string name, string member)
    {
        foreach (var source in sources)
        {
            foreach (var entry in (Root(source.Text)?.Children.TryGetValue(list, out var found) == true ? found as YamlSequenceNode : null) ?? [])
            {
                if (entry is YamlMappingNode named && Text(named, "name") == name)
                {
                    return named.Children.TryGetValue(member, out var node) && node is YamlMappingNode map ? (map, source.Folder) : null;
                }
            }
        }

        return null;
    }

    private static YamlMappingNode? Root(string text)
    {
        var yaml = new YamlStream();
        try
        {
            yaml.Load(new StringReader(text));
        }
        catch (YamlException)
        {
            // KubernetesClient has read it, and is more lenient.
            return null;
        }

        return yaml.Documents is [var first, ..] ? first.RootNode as YamlMappingNode : null;
    }

    private static string? Text(YamlMappingNode node, string key) =>
        node.Children.TryGetValue(key, out var found) && found is YamlScalarNode { Value: { Length: > 0 } text } ? text : null;

    private static IEnumerable<string> Texts(YamlMappingNode node, string key) =>
        node.Children.TryGetValue(key, out var found) && found is YamlSequenceNode list
            ? list.OfType<YamlScalarNode>().Select(static item => item.Value).OfType<string>()
            : [];
}

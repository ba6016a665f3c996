using System.Text;
using Drydock.Simulator.Scenarios;

namespace Drydock.Simulator.Api;

/// <summary>Kubeconfigs for a simulated API server.</summary>
internal static class Kubeconfig
{
    /// <summary>The administrator's context is the current one; each user has one of his name.</summary>
    /// <remarks>
    /// kubectl sends no token over plain HTTP (client-go, clientcmd: only to a server with TLS), and so acts as the administrator: it has to
    /// be told as whom.
    /// </remarks>
    public static string Of(Uri address, IEnumerable<UserSpec> users)
    {
        List<(string Name, string Token, string As)> all =
        [
            ("simulated", Access.AdministratorToken, ""),
            .. users.Select(user => (user.Name, user.Token, $"    as: {user.Name}\n    as-groups: [{string.Join(", ", user.Groups)}]\n")),
        ];
        var text = new StringBuilder($"""
            apiVersion: v1
            kind: Config
            clusters:
            - name: simulated
              cluster:
                server: {address.ToString().TrimEnd('/')}
            contexts:

            """);
        foreach (var (name, _, _) in all)
        {
            text.Append($"- name: {name}\n  context:\n    cluster: simulated\n    user: {name}\n    namespace: default\n");
        }

        text.Append("users:\n");
        foreach (var (name, token, @as) in all)
        {
            text.Append($"- name: {name}\n  user:\n    token: {token}\n{@as}");
        }

        return text.Append("current-context: simulated\n").ToString();
    }
}

using System.Text.Json.Nodes;

namespace Drydock.Simulator.Api;

/// <summary>
/// What every cluster lets its users do without anybody binding them to it. The roles system:basic-user, system:discovery,
/// system:public-info-viewer and system:service-account-issuer-discovery are no objects here, but their rules are told to who asks for his.
/// </summary>
internal static class DefaultRoles
{
    private static readonly string[] _health = ["/healthz", "/livez", "/readyz", "/version", "/version/"];

    /// <summary>The rules about resources that hold for a caller.</summary>
    public static IEnumerable<JsonObject> ResourceRules(Caller caller) => IsKnown(caller)
        ? [Create("authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"), Create("authentication.k8s.io", "selfsubjectreviews")]
        : [];

    /// <summary>The rules about paths that hold for a caller.</summary>
    public static IEnumerable<JsonObject> PathRules(Caller caller)
    {
        if (IsKnown(caller))
        {
            yield return Get(["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"]);
            yield return Get(["/.well-known", "/.well-known/*"]);
        }

        yield return Get(_health);
        if (caller.Groups.Contains("system:serviceaccounts"))
        {
            yield return Get(["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"]);
        }
    }

    private static bool IsKnown(Caller caller) => caller.Groups.Contains("system:authenticated");

    private static JsonObject Create(string group, params string[] resources) => new()
    {
        ["verbs"] = new JsonArray("create"),
        ["apiGroups"] = new JsonArray(group),
        ["resources"] = Texts(resources),
    };

    private static JsonObject Get(string[] paths) => new() { ["verbs"] = new JsonArray("get"), ["nonResourceURLs"] = Texts(paths) };

    private static JsonArray Texts(string[] texts) => [.. texts.Select(text => (JsonNode)text)];
}

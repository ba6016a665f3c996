using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>Who somebody is.</summary>
public sealed record Caller(string Name, string Uid, IReadOnlyList<string> Groups)
{
    /// <summary>The id of the token he came with, or null.</summary>
    public string? CredentialId { get; init; }
}

/// <summary>
/// Who may do what. Without a token a caller is an administrator; a token makes him the user it stands for, who may do what RBAC objects in
/// the cluster allow. Denials come first and hit everybody: so a test gets a real 403.
/// </summary>
public sealed class Access(IObjectStore store)
{
    /// <summary>The token of the kubeconfig that the simulator writes: its administrator, for servers that ask the cluster about a caller.</summary>
    public const string AdministratorToken = "simulated-admin";

    private const string Masters = "system:masters";
    private static readonly Caller _administrator = new("kubernetes-admin", "", [Masters, "system:authenticated"]);
    internal static readonly Caller Anonymous = new("system:anonymous", "", ["system:unauthenticated"]);
    private readonly ConcurrentDictionary<string, Caller> _tokens = new([KeyValuePair.Create(AdministratorToken, _administrator)]);
    private ImmutableDenials _denials = new([]);

    /// <summary>Whether a caller without a token is anonymous, as on a real cluster. The default is no.</summary>
    public bool AnonymousWithoutToken { get; set; }

    /// <summary>Whether users with a token are bound to RBAC. The default is yes; no lets everybody do everything.</summary>
    public bool EnforceRbac { get; set; } = true;

    /// <summary>Lets a token stand for a user.</summary>
    public void AddToken(string token, string user, params IEnumerable<string> groups) =>
        _tokens[token] = new Caller(user, "", [.. groups.Append("system:authenticated").Distinct()]);

    /// <summary>Takes a token back, as when it expires.</summary>
    public void RemoveToken(string token) => _tokens.TryRemove(token, out _);

    /// <summary>Refuses a verb on a resource, such as <c>create</c> on <c>pods/eviction</c> or <c>*</c> on <c>nodes</c>, until disposed.</summary>
    public IDisposable Deny(string verb, string resource, string? user = null)
    {
        var denial = new Denial(verb, resource, user);
        Interlocked.Exchange(ref _denials, new ImmutableDenials([.. _denials.All, denial]));

        return new End(() => Interlocked.Exchange(ref _denials, new ImmutableDenials([.. _denials.All.Where(d => !ReferenceEquals(d, denial))])));
    }

    /// <summary>Issues a token for a service account.</summary>
    internal string Issue(string @namespace, string account, string uid)
    {
        var token = $"sim.{@namespace}.{account}.{_tokens.Count + 1}";
        _tokens[token] = new Caller($"system:serviceaccount:{@namespace}:{account}", uid,
            ["system:serviceaccounts", $"system:serviceaccounts:{@namespace}", "system:authenticated"])
        {
            CredentialId = $"JTI={Guid.NewGuid()}",
        };

        return token;
    }

    /// <summary>The user a token stands for, or null.</summary>
    internal Caller? UserOf(string token) => _tokens.GetValueOrDefault(token);

    /// <summary>Who sends this.</summary>
    /// <exception cref="ApiException">401: the token is not known.</exception>
    internal Caller Authenticate(string? authorization)
    {
        var token = authorization?.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) == true ? authorization[7..].Trim() : "";
        if (token.Length == 0)
        {
            return AnonymousWithoutToken ? Anonymous : _administrator;
        }

        return UserOf(token) ?? throw new ApiException(401, "Unauthorized", "Unauthorized");
    }

    /// <summary>Whom a request is made as: the caller, or somebody else if he may.</summary>
    /// <exception cref="ApiException">403: he may not.</exception>
    internal Caller Impersonated(Caller caller, ApiRequest request)
    {
        if (request.ImpersonatedUser is not { Length: > 0 } user)
        {
            return caller;
        }

        Demand(caller, "users", user);
        foreach (var group in request.ImpersonatedGroups)
        {
            Demand(caller, "groups", group);
        }

        return new Caller(user, "", [.. request.ImpersonatedGroups.Append("system:authenticated").Distinct()]);
    }

    private void Demand(Caller caller, string resource, string name)
    {
        // The name of a service account is asked for as one.
        if (name.Split(':') is ["system", "serviceaccount", var ns, var account] && resource == "users")
        {
            Authorize(caller, new ResourceRequest("impersonate", "", "v1", ns, "serviceaccounts", account, null));
        }
        else
        {
            Authorize(caller, new ResourceRequest("impersonate", "", "v1", null, resource, name, null));
        }
    }

    /// <summary>
    /// Refuses what the caller may not do. An API server takes one part of the path as the subresource and leaves the rest of it to whoever
    /// serves it: <c>evacuate/cancel</c> is <c>evacuate</c> to it (apiserver, <c>RequestInfoFactory</c>).
    /// </summary>
    internal void Authorize(Caller caller, ResourceRequest request) => AuthorizeWhole(caller, request with { Subresource = request.Subresource?.Split('/')[0] });

    /// <summary>The same with the whole subresource, as virt-api asks once more for what reaches it.</summary>
    internal void AuthorizeWhole(Caller caller, ResourceRequest request)
    {
        if (Decide(caller, AccessQuery.Of(request)).Allowed)
        {
            return;
        }

        var resource = request.Subresource is null ? request.Resource : $"{request.Resource}/{request.Subresource}";
        var details = new JsonObject();
        if (request.Name is { } name)
        {
            details["name"] = name;
        }

        if (request.Group.Length > 0)
        {
            details["group"] = request.Group;
        }

        details["kind"] = request.Resource;
        var scope = request.Namespace is { } ns ? $"in the namespace \"{ns}\"" : "at the cluster scope";
        var what = request.Name is null ? request.GroupResource : $"{request.GroupResource} \"{request.Name}\"";

        throw new ApiException(403, "Forbidden", $"{what} is forbidden: User \"{caller.Name}\" cannot {request.Verb} resource "
            + $"\"{resource}\" in API group \"{request.Group}\" {scope}") { Details = details };
    }

    /// <summary>Refuses paths that the caller may not see.</summary>
    internal void AuthorizePath(Caller caller, string method, string path)
    {
        var open = caller.Groups.Contains(Masters) || !EnforceRbac
            || path is "/version" or "/healthz" or "/readyz" or "/livez" or "/api" or "/apis"
            || (caller.Groups.Contains("system:authenticated")
                && ((string[])["/api/", "/apis/", "/openapi", "/version"]).Any(p => path.StartsWith(p, StringComparison.Ordinal)));
        if (!open)
        {
            throw new ApiException(403, "Forbidden", $"forbidden: User \"{caller.Name}\" cannot {method} path \"{path}\"") { Details = [] };
        }
    }

    internal (bool Allowed, string Reason) Decide(Caller caller, AccessQuery query)
    {
        if (_denials.All.Any(d => d.Hits(caller, query)))
        {
            return (false, "");
        }

        if (caller.Groups.Contains(Masters) || !EnforceRbac)
        {
            return (true, "");
        }

        var self = query.Group is "authorization.k8s.io" or "authentication.k8s.io"
            && query.Resource.StartsWith("selfsubject", StringComparison.Ordinal) && caller.Groups.Contains("system:authenticated");

        return self ? (true, "") : Rbac.Decide(store, caller, query);
    }

    private sealed record ImmutableDenials(IReadOnlyList<Denial> All);

    private sealed record Denial(string Verb, string Resource, string? User)
    {
        public bool Hits(Caller caller, AccessQuery query) =>
            (Verb == "*" || Verb == query.Verb)
            && (Resource == "*" || Resource == query.FullResource || Resource == query.ResourceWithGroup)
            && (User is null || User == caller.Name);
    }

    private sealed class End(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}

/// <summary>One question of access.</summary>
internal sealed record AccessQuery(string Verb, string Group, string Resource, string? Subresource, string? Namespace, string? Name)
{
    /// <summary><c>pods/eviction</c>.</summary>
    public string FullResource => Subresource is null or "" ? Resource : $"{Resource}/{Subresource}";

    /// <summary><c>deployments.apps/scale</c>.</summary>
    public string ResourceWithGroup =>
        (Group.Length == 0 ? Resource : $"{Resource}.{Group}") + (Subresource is null or "" ? "" : $"/{Subresource}");

    public static AccessQuery Of(ResourceRequest r) => new(r.Verb, r.Group, r.Resource, r.Subresource, r.Namespace, r.Name);

    public static AccessQuery Of(JsonNode? attributes) => new(
        attributes.Text("verb") ?? "", attributes.Text("group") ?? "", attributes.Text("resource") ?? "",
        attributes.Text("subresource"), attributes.Text("namespace"), attributes.Text("name"));
}

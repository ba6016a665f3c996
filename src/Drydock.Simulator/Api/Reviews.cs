using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>Questions that are asked by creating an object: who is this token, may this user do that. Nothing is stored.</summary>
internal sealed class Reviews(IObjectStore store, Access access, TimeProvider time)
{
    private const string Audience = "https://kubernetes.default.svc.cluster.local";

    /// <summary>The answer, or null if the path asks no question.</summary>
    public ApiAnswer? Answer(ApiRequest request, ResourceRequest path, Caller caller)
    {
        if (path.Verb != "create")
        {
            return null;
        }

        return (path.Group, path.Resource, path.Subresource) switch
        {
            ("authentication.k8s.io", "tokenreviews", null) => Shown(request, Review(request, "TokenReview", Token)),
            ("authentication.k8s.io", "selfsubjectreviews", null) => Shown(request, WhoAmI(request, caller)),
            ("authorization.k8s.io", "subjectaccessreviews", null) => Shown(request, Review(request, "SubjectAccessReview", SubjectAccess)),
            ("authorization.k8s.io", "localsubjectaccessreviews", null) => Shown(request, Review(request, "LocalSubjectAccessReview", SubjectAccess)),
            ("authorization.k8s.io", "selfsubjectaccessreviews", null) =>
                Shown(request, Review(request, "SelfSubjectAccessReview", spec => Decision(caller, spec))),
            ("authorization.k8s.io", "selfsubjectrulesreviews", null) => Shown(request, RulesOf(request, caller)),
            ("", "serviceaccounts", "token") => Shown(request, Issue(request, path)),
            _ => null,
        };
    }

    private static ApiAnswer Shown(ApiRequest request, JsonObject review) =>
        Rendering.Node(Accept.Of(request.Accept) with { Form = Form.Object }, review, 201);

    private static JsonObject Review(ApiRequest request, string kind, Func<JsonObject, JsonObject> decide)
    {
        var review = Bodies.Required(request, kind);
        var spec = review["spec"] as JsonObject ?? [];

        return new JsonObject
        {
            ["kind"] = kind,
            ["apiVersion"] = review.Text("apiVersion") ?? "authorization.k8s.io/v1",
            ["metadata"] = new JsonObject(),
            ["spec"] = spec.Copy(),
            ["status"] = decide(spec),
        };
    }

    private JsonObject Token(JsonObject spec)
    {
        if (spec.Text("token") is not { Length: > 0 } token)
        {
            throw Refusals.BadRequest("token is required for TokenReview in authentication");
        }

        var audiences = spec["audiences"] is JsonArray { Count: > 0 } asked ? asked.Select(a => (string?)a ?? "").ToList() : [Audience];
        if (access.UserOf(token) is not { } user)
        {
            return new JsonObject { ["user"] = new JsonObject(), ["error"] = "invalid bearer token" };
        }

        if (!audiences.Contains(Audience))
        {
            return new JsonObject
            {
                ["user"] = new JsonObject(),
                ["error"] = $"[invalid bearer token, token audiences [\"{Audience}\"] is invalid for the target audiences [{string.Join(", ", audiences.Select(a => $"\"{a}\""))}]]",
            };
        }

        return new JsonObject { ["authenticated"] = true, ["user"] = UserInfo(user), ["audiences"] = new JsonArray(Audience) };
    }

    private JsonObject SubjectAccess(JsonObject spec)
    {
        var user = spec.Text("user") ?? "";
        var groups = spec["groups"] is JsonArray array ? array.Select(g => (string?)g ?? "").ToList() : [];
        if (user.Length == 0 && groups.Count == 0)
        {
            var error = FieldError.Invalid("spec.user", "\"\"", "at least one of user or group must be specified");
            var details = new JsonObject { ["group"] = "authorization.k8s.io", ["causes"] = new JsonArray(error.ToCause()) };

            throw new ApiException(422, "Invalid", $".authorization.k8s.io \"\" is invalid: {error}") { Details = details };
        }

        return Decision(new Caller(user, "", groups), spec);
    }

    private JsonObject Decision(Caller caller, JsonObject spec)
    {
        if (spec["nonResourceAttributes"] is JsonObject path)
        {
            try
            {
                access.AuthorizePath(caller, path.Text("verb") ?? "get", path.Text("path") ?? "/");

                return new JsonObject { ["allowed"] = true };
            }
            catch (ApiException refusal) when (refusal.Code == 403)
            {
                return new JsonObject { ["allowed"] = false };
            }
        }

        var (allowed, reason) = access.Decide(caller, AccessQuery.Of(spec["resourceAttributes"]));
        var status = new JsonObject { ["allowed"] = allowed };
        if (reason.Length > 0)
        {
            status["reason"] = reason;
        }

        return status;
    }

    private JsonObject WhoAmI(ApiRequest request, Caller caller)
    {
        _ = Bodies.Required(request, "SelfSubjectReview");

        return new JsonObject
        {
            ["kind"] = "SelfSubjectReview",
            ["apiVersion"] = "authentication.k8s.io/v1",
            ["metadata"] = new JsonObject { ["creationTimestamp"] = time.GetUtcNow().Timestamp() },
            ["status"] = new JsonObject { ["userInfo"] = UserInfo(caller) },
        };
    }

    private JsonObject RulesOf(ApiRequest request, Caller caller)
    {
        var ns = Bodies.Required(request, "SelfSubjectRulesReview").Text("spec", "namespace") ?? "";
        var isMaster = caller.Groups.Contains("system:masters");
        var resources = isMaster
            ? [new JsonObject { ["verbs"] = new JsonArray("*"), ["apiGroups"] = new JsonArray("*"), ["resources"] = new JsonArray("*") }]
            : Rbac.Rules(store, caller, ns).Select(r => r.Copy());
        var paths = isMaster ? [new JsonObject { ["verbs"] = new JsonArray("*"), ["nonResourceURLs"] = new JsonArray("*") }] : (JsonObject[])[];

        return new JsonObject
        {
            ["kind"] = "SelfSubjectRulesReview",
            ["apiVersion"] = "authorization.k8s.io/v1",
            ["metadata"] = new JsonObject(),
            ["spec"] = new JsonObject(),
            ["status"] = new JsonObject
            {
                ["resourceRules"] = new JsonArray([.. resources, .. DefaultRoles.ResourceRules(caller)]),
                ["nonResourceRules"] = new JsonArray([.. paths, .. DefaultRoles.PathRules(caller)]),
                ["incomplete"] = false,
            },
        };
    }

    private JsonObject Issue(ApiRequest request, ResourceRequest path)
    {
        var (type, name, ns) = (ResourceTypes.ServiceAccounts, path.Name!, path.Namespace!);
        var account = store.Get(type, ns, name) ?? throw Refusals.NotFound(type, name);
        var asked = Bodies.Required(request, "TokenRequest");
        var seconds = asked.Number("spec", "expirationSeconds") ?? 3600;
        var now = time.GetUtcNow();

        return new JsonObject
        {
            ["kind"] = "TokenRequest",
            ["apiVersion"] = "authentication.k8s.io/v1",
            ["metadata"] = new JsonObject
            {
                ["name"] = name, ["namespace"] = ns, ["uid"] = account.UidOf(), ["creationTimestamp"] = now.Timestamp(),
            },
            ["spec"] = new JsonObject
            {
                ["audiences"] = new JsonArray(Audience), ["expirationSeconds"] = seconds, ["boundObjectRef"] = null,
            },
            ["status"] = new JsonObject
            {
                ["token"] = access.Issue(ns, name, account.UidOf()),
                ["expirationTimestamp"] = now.AddSeconds(seconds).Timestamp(),
            },
        };
    }

    /// <summary>A user as reviews show one.</summary>
    internal static JsonObject UserInfo(Caller user)
    {
        var info = new JsonObject { ["username"] = user.Name };
        if (user.Uid.Length > 0)
        {
            info["uid"] = user.Uid;
        }

        info["groups"] = new JsonArray([.. user.Groups.Select(g => (JsonNode)g)]);
        if (user.CredentialId is { } credential)
        {
            info["extra"] = new JsonObject { ["authentication.kubernetes.io/credential-id"] = new JsonArray(credential) };
        }

        return info;
    }
}

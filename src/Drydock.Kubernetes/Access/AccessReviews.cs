using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Access;

/// <summary>TokenReview and SubjectAccessReview.</summary>
internal sealed class AccessReviews(ApiClient api) : IAccessReviews
{
    public async Task<UserIdentity?> ReviewTokenAsync(string token, IReadOnlyList<string> audiences, CancellationToken cancellationToken)
    {
        var spec = new JsonObject { ["token"] = token };
        if (audiences.Count > 0)
        {
            spec["audiences"] = Array(audiences);
        }

        var status = await AskAsync(Resource.TokenReviews, "TokenReview", spec, cancellationToken);
        if (status.Flag("authenticated") != true || status.Text("user", "username") is not { Length: > 0 } name)
        {
            return null;
        }

        // An API server that does not know audiences leaves them out: then the token is good for the API server only.
        if (audiences.Count > 0 && !status.At("audiences").Items().Any(each => audiences.Contains(each.GetString() ?? "", StringComparer.Ordinal)))
        {
            return null;
        }

        return new UserIdentity(name, status.Text("user", "uid") is { Length: > 0 } uid ? uid : null, Texts(status.At("user", "groups")))
        {
            Extra = status.At("user", "extra") is { ValueKind: JsonValueKind.Object } extra
                ? extra.EnumerateObject().ToDictionary(each => each.Name, each => Texts(each.Value), StringComparer.Ordinal)
                : new Dictionary<string, IReadOnlyList<string>>(),
        };
    }

    public Task<bool> IsAllowedAsync(UserIdentity user, AccessRule rule, CancellationToken cancellationToken)
    {
        var attributes = new JsonObject { ["verb"] = rule.Verb, ["group"] = rule.Group, ["resource"] = rule.Resource };
        if (rule.Subresource is not null)
        {
            attributes["subresource"] = rule.Subresource;
        }

        if (rule.Namespace is not null)
        {
            attributes["namespace"] = rule.Namespace;
        }

        return IsAllowedAsync(user, "resourceAttributes", attributes, cancellationToken);
    }

    public Task<bool> IsAllowedPathAsync(UserIdentity user, string verb, string path, CancellationToken cancellationToken) =>
        IsAllowedAsync(user, "nonResourceAttributes", new JsonObject { ["verb"] = verb, ["path"] = path }, cancellationToken);

    private async Task<bool> IsAllowedAsync(UserIdentity user, string kind, JsonObject attributes, CancellationToken cancellationToken)
    {
        var spec = new JsonObject { ["user"] = user.Name, ["groups"] = Array(user.Groups), [kind] = attributes };
        if (user.Uid is not null)
        {
            spec["uid"] = user.Uid;
        }

        if (user.Extra.Count > 0)
        {
            spec["extra"] = new JsonObject(user.Extra.Select(each => KeyValuePair.Create(each.Key, (JsonNode?)Array(each.Value))));
        }

        return (await AskAsync(Resource.SubjectAccessReviews, "SubjectAccessReview", spec, cancellationToken)).Flag("allowed") == true;
    }

    private async Task<JsonElement> AskAsync(Resource resource, string kind, JsonObject spec, CancellationToken cancellationToken)
    {
        var review = new JsonObject { ["apiVersion"] = $"{resource.Group}/{resource.GroupVersion}", ["kind"] = kind, ["spec"] = spec };
        var answer = await api.DoAsync(new ApiCall("create", resource) { Body = review.ToJsonString() }, cancellationToken);
        return answer.At("status");
    }

    private static JsonArray Array(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)text)]);

    private static IReadOnlyList<string> Texts(JsonElement array) => [.. array.Items().Select(each => each.GetString() ?? "")];
}

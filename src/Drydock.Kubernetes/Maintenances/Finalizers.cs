using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Maintenances;

/// <summary>Puts a finalizer on an object of the whole cluster, or takes it off.</summary>
internal static class Finalizers
{
    /// <summary>False if the object changed meanwhile.</summary>
    public static async Task<bool> SetAsync(
        ApiClient api, Resource type, string name, string resourceVersion, string finalizer, bool present, CancellationToken cancellationToken)
    {
        if (await api.GetAsync(type, @namespace: null, name, cancellationToken) is not { } found)
        {
            // Without the resource there is no finalizer: that is what a removal wants, and what an addition cannot have.
            return !present;
        }

        if (found.ResourceVersion() != resourceVersion)
        {
            return false;
        }

        var others = found.Texts("metadata", "finalizers").Where(other => other != finalizer);
        string[] all = present ? [.. others, finalizer] : [.. others];
        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["resourceVersion"] = resourceVersion,
                ["finalizers"] = all.Length == 0 ? null : new JsonArray([.. all.Select(one => JsonValue.Create(one))]),
            },
        };
        var answer = await api.SendAsync(new ApiCall("patch", type) { Name = name, Body = patch.ToJsonString() }, cancellationToken);
        return answer.Code != 409 && (answer.IsSuccess || (answer.Code == 404 && !present) ? true : throw ApiErrors.From(answer));
    }
}

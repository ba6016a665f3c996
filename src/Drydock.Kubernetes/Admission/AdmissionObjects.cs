using System.Text;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Admission;

/// <summary>The Secret and the configuration of our webhook, behind one API server.</summary>
internal sealed class AdmissionObjects(ApiClient api) : IAdmissionObjects
{
    public async Task<SecretSnapshot?> GetSecretAsync(ObjectRef secret, CancellationToken cancellationToken) =>
        await api.GetAsync(Resource.Secrets, secret.Namespace, secret.Name, cancellationToken) is { } found
            ? new SecretSnapshot(
                found.ResourceVersion(),
                found.Map("data").ToDictionary(
                    static pair => pair.Key, static pair => Encoding.UTF8.GetString(Convert.FromBase64String(pair.Value)), StringComparer.Ordinal))
            : null;

    public async Task<bool> SaveSecretAsync(
        ObjectRef secret, SecretSnapshot? before, IReadOnlyDictionary<string, string> data, CancellationToken cancellationToken)
    {
        var body = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Secret",
            ["type"] = "kubernetes.io/tls",
            ["metadata"] = new JsonObject
            {
                ["name"] = secret.Name, ["namespace"] = secret.Namespace, ["resourceVersion"] = before?.ResourceVersion,
            },
            ["data"] = new JsonObject(data.Select(static pair => KeyValuePair.Create<string, JsonNode?>(
                pair.Key, Convert.ToBase64String(Encoding.UTF8.GetBytes(pair.Value))))),
        };
        var answer = await api.SendAsync(
            new ApiCall(before is null ? "create" : "update", Resource.Secrets)
            {
                Namespace = secret.Namespace, Name = before is null ? null : secret.Name, Body = body.ToJsonString(),
            },
            cancellationToken);
        return answer.IsSuccess || (answer.Code is 404 or 409 ? false : throw ApiErrors.From(answer));
    }

    public async Task<bool> SetCaBundleAsync(string configuration, string pem, CancellationToken cancellationToken)
    {
        if (await api.GetAsync(Resource.ValidatingWebhooks, @namespace: null, configuration, cancellationToken) is not { } found)
        {
            return false;
        }

        var bundle = Convert.ToBase64String(Encoding.ASCII.GetBytes(pem));
        var webhooks = JsonNode.Parse(found.At("webhooks").GetRawText())!.AsArray();
        if (webhooks.All(webhook => webhook!["clientConfig"]?["caBundle"]?.ToString() == bundle))
        {
            return true;
        }

        foreach (var webhook in webhooks)
        {
            webhook!["clientConfig"]!["caBundle"] = bundle;
        }

        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject { ["resourceVersion"] = found.ResourceVersion() }, ["webhooks"] = webhooks,
        };
        await api.DoAsync(
            new ApiCall("patch", Resource.ValidatingWebhooks) { Name = configuration, Body = patch.ToJsonString() }, cancellationToken);
        return true;
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Operator.Resources;

namespace Drydock.Operator.Admission;

/// <summary>Answers AdmissionReviews (<c>admission.k8s.io/v1</c>) for NodeMaintenance and for our own resources.</summary>
public sealed class AdmissionReviews
{
    // Nothing is started: only what is wrong matters.
    private const string Nobody = "admission";

    private readonly NodeMaintenanceAdmission _nodeMaintenances;
    private readonly IResourceRequests _requests;

    /// <summary>Answers from what the cluster says at that moment.</summary>
    public AdmissionReviews(INodeMaintenances resources, ICluster cluster, IResourceRequests requests) =>
        (_nodeMaintenances, _requests) = (new NodeMaintenanceAdmission(resources, cluster), requests);

    /// <summary>The AdmissionReview that answers another.</summary>
    /// <exception cref="JsonException">It is no AdmissionReview.</exception>
    public async Task<JsonObject> AnswerAsync(Stream body, CancellationToken cancellationToken)
    {
        using var document = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
        if (document.RootElement is not { ValueKind: JsonValueKind.Object } root
            || !root.TryGetProperty("request", out var request) || request.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("An AdmissionReview has a request.");
        }

        var response = new JsonObject { ["uid"] = Text(request, "uid") };
        var refusal = await RefusalAsync(request, cancellationToken);
        response["allowed"] = refusal is null;
        if (refusal is not null)
        {
            // As controller-runtime words a denial.
            response["status"] = new JsonObject { ["code"] = 403, ["reason"] = "Forbidden", ["message"] = refusal };
        }

        return new JsonObject { ["apiVersion"] = "admission.k8s.io/v1", ["kind"] = "AdmissionReview", ["response"] = response };
    }

    private async Task<string?> RefusalAsync(JsonElement request, CancellationToken cancellationToken)
    {
        var operation = Text(request, "operation");
        var plural = Text(request, "resource", "resource");
        if (operation is not ("CREATE" or "UPDATE") || Text(request, "subResource") is { Length: > 0 })
        {
            return null;
        }

        var written = At(request, "object");

        // Labels, finalizers and what is on its way out are nobody's business here: only a spec can be wrong.
        if (plural != "nodemaintenances" && operation == "UPDATE"
            && (Text(written, "metadata", "deletionTimestamp") is not null
                || At(written, "spec").ToString() == At(At(request, "oldObject"), "spec").ToString()))
        {
            return null;
        }

        return plural switch
        {
            "nodemaintenances" => await _nodeMaintenances.RefusalAsync(
                Write(written, operation == "UPDATE" ? At(request, "oldObject") : null), cancellationToken),
            "maintenancerollouts" when operation == "CREATE" => (await _requests.ReadRolloutAsync(At(written, "spec"), Nobody, mustExist: true, cancellationToken)).Problem,
            "maintenancewindows" => (await _requests.ReadWindowAsync(
                Text(written, "metadata", "name") ?? "", At(written, "spec"), Nobody, mustExist: true, cancellationToken)).Problem,
            "maintenancepolicies" => _requests.PolicyProblem(Text(written, "metadata", "name") ?? "", At(written, "spec")),
            _ => null,
        };
    }

    private static NodeMaintenanceWrite Write(JsonElement written, JsonElement? before) => new(
        Text(written, "metadata", "name") ?? "",
        Text(written, "spec", "nodeName") ?? "",
        before is { } old ? Text(old, "spec", "nodeName") ?? "" : null,
        Annotations(written))
    {
        AnnotationsBefore = Annotations(before ?? default),
        IsBeingDeleted = Text(written, "metadata", "deletionTimestamp") is not null,
    };

    private static JsonElement At(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    private static string? Text(JsonElement element, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            element = At(element, name);
        }

        return element.ValueKind == JsonValueKind.String ? element.GetString() : null;
    }

    private static Dictionary<string, string> Annotations(JsonElement written) =>
        At(At(written, "metadata"), "annotations") is { ValueKind: JsonValueKind.Object } annotations
            ? annotations.EnumerateObject().ToDictionary(static one => one.Name, static one => one.Value.ToString(), StringComparer.Ordinal)
            : [];
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api.Webhooks;

/// <summary>The AdmissionReview v1 that goes to a webhook, and the one that comes back.</summary>
internal static class AdmissionReviews
{
    /// <summary>The question.</summary>
    public static JsonObject Request(AdmissionAttributes write, string version, string uid)
    {
        var (group, own) = Split(write.Served.ApiVersion);
        var (kindGroup, kindVersion) = Split(write.KindApiVersion);
        var matchedKindVersion = write.Subresource is "" or "status" ? version : kindVersion;
        var request = new JsonObject
        {
            ["uid"] = uid,
            ["kind"] = Triple(kindGroup, matchedKindVersion, "kind", write.Kind),
            ["resource"] = Triple(group, version, "resource", write.Served.Type.Plural),
            ["requestKind"] = Triple(kindGroup, kindVersion, "kind", write.Kind),
            ["requestResource"] = Triple(group, own, "resource", write.Served.Type.Plural),
        };
        AddIfSet(request, "subResource", write.Subresource);
        AddIfSet(request, "requestSubResource", write.Subresource);
        AddIfSet(request, "name", write.Name);
        AddIfSet(request, "namespace", write.Served.Type.Equals(ResourceTypes.Namespaces) ? write.Name : write.Namespace ?? "");
        request["operation"] = write.Operation;
        request["userInfo"] = Reviews.UserInfo(write.User);
        request["object"] = Shown(write, write.Object, group, version);
        request["oldObject"] = Shown(write, write.Before, group, version);
        request["dryRun"] = write.DryRun;
        request["options"] = new JsonObject { ["kind"] = OptionsKind(write.Operation), ["apiVersion"] = "meta.k8s.io/v1" };

        return new JsonObject { ["kind"] = "AdmissionReview", ["apiVersion"] = "admission.k8s.io/v1", ["request"] = request };
    }

    /// <summary>The verdict in an answer.</summary>
    /// <exception cref="WebhookFailedException">It is no proper answer.</exception>
    public static Verdict Read(string webhook, JsonObject review, JsonObject answer)
    {
        var (kind, apiVersion, uid) = (answer.Text("kind") ?? "", answer.Text("apiVersion") ?? "", review.Text("request", "uid"));
        if (kind != "AdmissionReview" || apiVersion != "admission.k8s.io/v1")
        {
            throw Invalid($"expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {apiVersion}, Kind={kind}");
        }

        if (answer["response"] is not JsonObject response)
        {
            throw Invalid("webhook response was absent");
        }

        if (response.Text("uid") != uid)
        {
            throw Invalid($"expected response.uid=\"{uid}\", got \"{response.Text("uid")}\"");
        }

        var warnings = (response["warnings"] as JsonArray ?? []).Select(each => (string?)each ?? "").ToList();

        return new Verdict(response.Flag("allowed") ? null : Denied(webhook, response["status"] as JsonObject ?? []), warnings);
    }

    private static WebhookFailedException Invalid(string what) => new($"received invalid webhook response: {what}");

    private static ApiException Denied(string webhook, JsonObject status)
    {
        var (message, reason) = (status.Text("message") ?? "", status.Text("reason") ?? "");
        var why = (message, reason) switch
        {
            ({ Length: > 0 }, _) => $": {message}",
            (_, { Length: > 0 }) => $": {reason}",
            _ => " without explanation",
        };

        return new ApiException(
            status.Number("code") is { } code and >= 400 ? (int)code : 400,
            reason.Length == 0 ? null : reason,
            $"admission webhook \"{webhook}\" denied the request{why}")
        {
            Details = status["details"].CopyNode() as JsonObject,
            RetryAfterSeconds = (int?)status.Number("details", "retryAfterSeconds"),
        };
    }

    private static JsonNode? Shown(AdmissionAttributes write, JsonObject? @object, string group, string version)
    {
        if (@object is null)
        {
            return null;
        }

        var shown = write.Served.Show(@object).Copy();
        if (write.Subresource is "" or "status")
        {
            shown["apiVersion"] = group.Length == 0 ? version : $"{group}/{version}";
        }

        return shown;
    }

    private static string OptionsKind(string operation) => operation switch
    {
        "CREATE" => "CreateOptions",
        "UPDATE" => "UpdateOptions",
        _ => "DeleteOptions",
    };

    private static JsonObject Triple(string group, string version, string name, string value) =>
        new() { ["group"] = group, ["version"] = version, [name] = value };

    private static void AddIfSet(JsonObject request, string field, string value)
    {
        if (value.Length > 0)
        {
            request[field] = value;
        }
    }

    private static (string Group, string Version) Split(string apiVersion) =>
        apiVersion.Split('/', 2) is [var group, var version] ? (group, version) : ("", apiVersion);
}

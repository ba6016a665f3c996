using System.Text.Json.Nodes;
using Drydock.Simulator.Api.Webhooks;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

/// <summary>Webhook configurations. Source: k8s.io/kubernetes, pkg/apis/admissionregistration/validation.</summary>
internal static class WebhookRules
{
    private static readonly string[] _operations = ["CREATE", "UPDATE", "DELETE", "CONNECT", "*"];

    public static IEnumerable<FieldError> Check(JsonObject configuration)
    {
        var webhooks = configuration.Objects("webhooks").ToList();
        for (var i = 0; i < webhooks.Count; i++)
        {
            var (webhook, path) = (webhooks[i], $"webhooks[{i}]");
            foreach (var error in CheckOptions(webhook, path).Concat(CheckClient(webhook, $"{path}.clientConfig")).Concat(CheckOperations(webhook, path)))
            {
                yield return error;
            }

            if (webhooks.Take(i).Any(other => other.Text("name") == webhook.Text("name")))
            {
                yield return FieldError.Duplicate($"{path}.name", $"\"{webhook.Text("name")}\"");
            }
        }
    }

    /// <summary>A real server would call these; this one says that it will not.</summary>
    public static IEnumerable<FieldError> Mutating(JsonObject configuration) => configuration.Objects("webhooks").Any()
        ? [FieldError.Forbidden("webhooks", "the simulated API server does not call mutating webhooks; validating ones it does")]
        : [];

    private static IEnumerable<FieldError> CheckOptions(JsonObject webhook, string path)
    {
        var name = webhook.Text("name") ?? "";
        if (name.Split('.') is not { Length: >= 3 } parts || parts.Any(part => part.Length == 0))
        {
            yield return name.Length == 0
                ? FieldError.Required($"{path}.name")
                : FieldError.Invalid($"{path}.name", $"\"{name}\"", "should be a domain with at least three segments separated by dots");
        }

        if (webhook.Text("sideEffects") is var effects && effects is not ("None" or "NoneOnDryRun"))
        {
            yield return effects is null
                ? FieldError.Required($"{path}.sideEffects", "must specify one of None, NoneOnDryRun")
                : FieldError.Unsupported($"{path}.sideEffects", effects, "None", "NoneOnDryRun");
        }

        if (webhook["admissionReviewVersions"] is not JsonArray { Count: > 0 } versions)
        {
            yield return FieldError.Required($"{path}.admissionReviewVersions", "must specify one of v1, v1beta1");
        }
        else if (!versions.Any(version => (string?)version is "v1"))
        {
            yield return FieldError.Invalid($"{path}.admissionReviewVersions", versions.ToJsonString(), "must include at least one of v1, v1beta1");
        }

        if (webhook.Text("failurePolicy") is { } policy && policy is not ("Fail" or "Ignore"))
        {
            yield return FieldError.Unsupported($"{path}.failurePolicy", policy, "Fail", "Ignore");
        }

        if (webhook.Text("matchPolicy") is { } match && match is not ("Equivalent" or "Exact"))
        {
            yield return FieldError.Unsupported($"{path}.matchPolicy", match, "Equivalent", "Exact");
        }

        if (webhook.Number("timeoutSeconds") is { } seconds && seconds is < 1 or > 30)
        {
            yield return FieldError.Invalid($"{path}.timeoutSeconds", $"{seconds}", "the timeout value must be between 1 and 30 seconds");
        }

        if (webhook["matchConditions"] is JsonArray { Count: > 0 })
        {
            yield return FieldError.Forbidden($"{path}.matchConditions", "the simulated API server does not evaluate match conditions");
        }
    }

    private static IEnumerable<FieldError> CheckOperations(JsonObject webhook, string path)
    {
        foreach (var (index, rule) in webhook.Objects("rules").Index())
        {
            foreach (var field in (string[])["operations", "apiGroups", "apiVersions", "resources"])
            {
                if (rule[field] is not JsonArray { Count: > 0 })
                {
                    yield return FieldError.Required($"{path}.rules[{index}].{field}");
                }
            }

            foreach (var (at, operation) in (rule["operations"] as JsonArray ?? []).Select(each => (string?)each ?? "").Index())
            {
                if (!_operations.Contains(operation))
                {
                    yield return FieldError.Unsupported($"{path}.rules[{index}].operations[{at}]", operation, "*", "CONNECT", "CREATE", "DELETE", "UPDATE");
                }
            }
        }
    }

    private static IEnumerable<FieldError> CheckClient(JsonObject webhook, string path)
    {
        var (url, service) = (webhook.Text("clientConfig", "url"), webhook.At("clientConfig", "service"));
        if (url is null == service is null)
        {
            yield return FieldError.Required(path, "exactly one of url or service is required");
        }
        else if (url is not null && (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme != "https"))
        {
            yield return FieldError.Invalid($"{path}.url", $"\"{url}\"", "'https' is the only allowed URL scheme; desired format: https://host[/path]");
        }
        else if (service is not null && (service.Text("name") is null or "" || service.Text("namespace") is null or ""))
        {
            yield return FieldError.Required($"{path}.service.{(service.Text("name") is null or "" ? "name" : "namespace")}");
        }

        if (webhook.Text("clientConfig", "caBundle") is { } bundle && !CertificateBundle.IsValid(bundle))
        {
            yield return FieldError.Invalid($"{path}.caBundle", $"\"{bundle}\"",
                "unable to load root certificates: unable to parse bytes as PEM block");
        }
    }
}

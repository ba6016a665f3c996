using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api.Webhooks;

/// <summary>Which webhooks a write concerns, by their rules and selectors.</summary>
internal static class WebhookMatch
{
    /// <summary>The version under which a webhook wants to see the write, or null if it does not.</summary>
    public static string? VersionFor(JsonObject webhook, AdmissionAttributes write, IObjectStore store)
    {
        if (!SelectsNamespace(webhook, write, store) || !SelectsObject(webhook, write))
        {
            return null;
        }

        var rules = webhook.Objects("rules").ToList();
        var own = VersionOf(write.Served.ApiVersion);
        if (rules.Exists(rule => Covers(rule, write, own)))
        {
            return own;
        }

        // Equivalent: a rule for another served version of the same resource counts, and is shown the object in its version.
        return webhook.Text("matchPolicy") == "Exact"
            ? null
            : Discovery.ServedVersions(store, write.Served.Type).FirstOrDefault(other => rules.Exists(rule => Covers(rule, write, other)));
    }

    private static bool Covers(JsonObject rule, AdmissionAttributes write, string version)
    {
        var type = write.Served.Type;
        var scope = rule.Text("scope") ?? "*";

        return Has(rule, "operations", write.Operation)
            && Has(rule, "apiGroups", GroupOf(write.Served.ApiVersion))
            && Has(rule, "apiVersions", version)
            && (scope == "*" || (scope == "Namespaced") == type.Namespaced)
            && (rule["resources"] as JsonArray ?? []).Any(each => CoversResource((string?)each ?? "", type.Plural, write.Subresource));
    }

    /// <summary><c>pods</c>, <c>pods/status</c>, <c>pods/*</c>, <c>*/status</c>, <c>*</c> (no subresources) or <c>*/*</c>.</summary>
    private static bool CoversResource(string rule, string resource, string subresource)
    {
        var parts = rule.Split('/', 2);

        return (parts[0] == "*" || parts[0] == resource)
            && (parts.Length == 1 ? subresource.Length == 0 : parts[1] == "*" || parts[1] == subresource);
    }

    private static bool SelectsNamespace(JsonObject webhook, AdmissionAttributes write, IObjectStore store)
    {
        var selector = LabelSelector.Of(webhook["namespaceSelector"]);
        if (selector.IsEmpty)
        {
            return true;
        }

        // A namespace is selected by its own labels, other objects without a namespace always.
        var labels = write.Served.Type.Equals(ResourceTypes.Namespaces)
            ? (write.Object ?? write.Before).At("metadata", "labels")
            : write.Namespace is { } name ? store.Get(ResourceTypes.Namespaces, null, name).At("metadata", "labels") : null;

        return (write.Namespace is null && !write.Served.Type.Equals(ResourceTypes.Namespaces)) || selector.Matches(labels as JsonObject);
    }

    private static bool SelectsObject(JsonObject webhook, AdmissionAttributes write)
    {
        var selector = LabelSelector.Of(webhook["objectSelector"]);

        return selector.IsEmpty
            || (write.Object is { } now && selector.Matches(now.At("metadata", "labels") as JsonObject))
            || (write.Before is { } before && selector.Matches(before.At("metadata", "labels") as JsonObject));
    }

    private static bool Has(JsonObject rule, string field, string value) =>
        (rule[field] as JsonArray ?? []).Any(each => (string?)each is { } text && (text == "*" || text == value));

    private static string GroupOf(string apiVersion) => apiVersion.Contains('/') ? apiVersion.Split('/')[0] : "";

    private static string VersionOf(string apiVersion) => apiVersion.Split('/')[^1];
}

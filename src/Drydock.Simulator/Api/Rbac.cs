using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>Roles and bindings, read from the cluster at each question.</summary>
internal static class Rbac
{
    private static readonly ResourceType _clusterRoles = ResourceTypes.Of("clusterroles.rbac.authorization.k8s.io");
    private static readonly ResourceType _roles = ResourceTypes.Of("roles.rbac.authorization.k8s.io");
    private static readonly ResourceType _clusterBindings = ResourceTypes.Of("clusterrolebindings.rbac.authorization.k8s.io");
    private static readonly ResourceType _bindings = ResourceTypes.Of("rolebindings.rbac.authorization.k8s.io");

    public static (bool Allowed, string Reason) Decide(IObjectStore store, Caller caller, AccessQuery query)
    {
        foreach (var grant in Grants(store, caller, query.Namespace))
        {
            if (grant.Role.Objects("rules").Any(r => Covers(r, query)))
            {
                return (true, $"RBAC: allowed by {grant.Why}");
            }
        }

        return (false, "");
    }

    /// <summary>All rules that hold for a caller in a namespace.</summary>
    public static IEnumerable<JsonObject> Rules(IObjectStore store, Caller caller, string @namespace) =>
        Grants(store, caller, @namespace).SelectMany(g => g.Role.Objects("rules"));

    private static IEnumerable<(JsonObject Role, string Why)> Grants(IObjectStore store, Caller caller, string? @namespace)
    {
        var bindings = store.List(_clusterBindings).Select(b => (b, "ClusterRoleBinding", b.NameOf()));
        if (@namespace is { Length: > 0 })
        {
            bindings = bindings.Concat(store.List(_bindings, @namespace).Select(b => (b, "RoleBinding", $"{b.NameOf()}/{@namespace}")));
        }

        foreach (var (binding, kind, shown) in bindings)
        {
            var subject = binding.Objects("subjects").FirstOrDefault(s => Names(s, caller));
            var roleKind = binding.Text("roleRef", "kind") ?? "";
            var roleName = binding.Text("roleRef", "name") ?? "";
            var role = roleKind == "ClusterRole" ? store.Get(_clusterRoles, null, roleName) : store.Get(_roles, @namespace, roleName);
            if (subject is not null && role is not null)
            {
                var who = subject.Text("kind") == "ServiceAccount" ? $"{subject.Text("name")}/{subject.Text("namespace")}" : subject.Text("name");

                yield return (role, $"{kind} \"{shown}\" of {roleKind} \"{roleName}\" to {subject.Text("kind")} \"{who}\"");
            }
        }
    }

    private static bool Names(JsonObject subject, Caller caller) => subject.Text("kind") switch
    {
        "User" => subject.Text("name") == caller.Name,
        "Group" => caller.Groups.Contains(subject.Text("name") ?? ""),
        "ServiceAccount" => caller.Name == $"system:serviceaccount:{subject.Text("namespace")}:{subject.Text("name")}",
        _ => false,
    };

    private static bool Covers(JsonObject rule, AccessQuery query) =>
        Has(rule, "verbs", query.Verb)
        && Has(rule, "apiGroups", query.Group)
        && (Has(rule, "resources", query.FullResource) || (query.Subresource is { Length: > 0 } s && Has(rule, "resources", $"*/{s}")))
        && (rule["resourceNames"] is not JsonArray { Count: > 0 } || Has(rule, "resourceNames", query.Name ?? ""));

    private static bool Has(JsonObject rule, string field, string value) =>
        rule[field] is JsonArray values && values.Any(v => (string?)v is { } text && (text == value || (text == "*" && field != "resourceNames")));
}

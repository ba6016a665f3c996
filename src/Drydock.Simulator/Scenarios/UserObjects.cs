using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>The roles and bindings of the users of a scenario: what they may do can be seen, and changed, as on any cluster.</summary>
internal static class UserObjects
{
    private const string Group = "rbac.authorization.k8s.io";

    /// <summary>A role and its binding for each namespace of a user's permissions, and one for those that hold everywhere.</summary>
    public static IEnumerable<(ResourceType Type, JsonObject Item)> Of(UserSpec user)
    {
        foreach (var permissions in user.May.GroupBy(each => each.Namespace))
        {
            var kind = permissions.Key is null ? "ClusterRole" : "Role";
            var role = Object(kind, permissions.Key, user);
            role["rules"] = new JsonArray([.. permissions.SelectMany(Rules)]);
            yield return (TypeOf(kind), role);

            var binding = Object($"{kind}Binding", permissions.Key, user);
            binding["roleRef"] = new JsonObject { ["apiGroup"] = Group, ["kind"] = kind, ["name"] = role.NameOf() };
            binding["subjects"] = new JsonArray(new JsonObject { ["apiGroup"] = Group, ["kind"] = "User", ["name"] = user.Name });
            yield return (TypeOf($"{kind}Binding"), binding);
        }
    }

    private static ResourceType TypeOf(string kind) => ResourceTypes.Of($"{kind.ToLowerInvariant()}s.{Group}");

    private static JsonObject Object(string kind, string? space, UserSpec user) => ScenarioObjects.Object($"{Group}/v1", kind, space, $"scenario:{user.Name}");

    // A rule is about groups times resources: those of one group stand in one.
    private static IEnumerable<JsonObject> Rules(PermissionSpec permission) => permission.Resources.Select(Split).GroupBy(each => each.Group).Select(group => new JsonObject
    {
        ["verbs"] = Texts(permission.Verbs),
        ["apiGroups"] = Texts([group.Key]),
        ["resources"] = Texts(group.Select(each => each.Resource)),
    });

    // virtualmachines.subresources.kubevirt.io/start is virtualmachines/start of subresources.kubevirt.io.
    private static (string Group, string Resource) Split(string resource)
    {
        if (resource == "*")
        {
            return ("*", "*");
        }

        var parts = resource.Split('/', 2);
        var names = parts[0].Split('.', 2);

        return (names.ElementAtOrDefault(1) ?? "", parts.Length == 1 ? names[0] : $"{names[0]}/{parts[1]}");
    }

    private static JsonArray Texts(IEnumerable<string> texts) => [.. texts.Select(text => (JsonNode)text)];
}

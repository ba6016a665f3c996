using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>What is served: /api, /apis, groups and resource lists, in the old form and the aggregated one.</summary>
internal sealed class Discovery(IObjectStore store, IReadOnlyList<IAggregatedApi> aggregated)
{
    private static readonly string[] _allVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    private static readonly string[] _statusVerbs = ["get", "patch", "update"];

    /// <summary>Resources without storage: plural, kind, group version, namespaced.</summary>
    private static readonly Resource[] _virtual =
    [
        new("v1", "bindings", "Binding", true, ["create"]),
        new("events.k8s.io/v1", "events", "Event", true, _allVerbs) { ShortNames = ["ev"] },
        new("authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview", false, ["create"]),
        new("authentication.k8s.io/v1", "tokenreviews", "TokenReview", false, ["create"]),
        new("authorization.k8s.io/v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", true, ["create"]),
        new("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false, ["create"]),
        new("authorization.k8s.io/v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false, ["create"]),
        new("authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview", false, ["create"]),
    ];

    /// <summary>The answer to a discovery path, or null if the path is none.</summary>
    public ApiAnswer? Answer(ApiRequest request)
    {
        var parts = request.Path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var node = parts switch
        {
            ["api"] when Accept.Of(request.Accept).Form is Form.Discovery => Aggregated(core: true),
            ["apis"] when Accept.Of(request.Accept).Form is Form.Discovery => Aggregated(core: false),
            ["api"] => new JsonObject
            {
                ["kind"] = "APIVersions",
                ["versions"] = new JsonArray("v1"),
                ["serverAddressByClientCIDRs"] = new JsonArray(
                    new JsonObject { ["clientCIDR"] = "0.0.0.0/0", ["serverAddress"] = "127.0.0.1" }),
            },
            ["apis"] => new JsonObject
            {
                ["kind"] = "APIGroupList",
                ["apiVersion"] = "v1",
                ["groups"] = new JsonArray([.. Groups().Select(g => Group(g, inList: true))]),
            },
            ["api", var version] => Resources(version),
            ["apis", var group] => Groups().FirstOrDefault(g => g.Name == group) is { } found ? Group(found, inList: false) : null,
            ["apis", var group, var version] => Resources($"{group}/{version}"),
            _ => null,
        };

        var answer = node is null ? null : Rendering.Node(Accept.Of(request.Accept), node, 200);

        return parts.Length == 1 && Accept.Of(request.Accept).Form is Form.Discovery ? answer?.UnlessKnown(request).With("Vary", "Accept") : answer;
    }

    /// <summary>Whether anything is served under a group and version.</summary>
    public bool Knows(string groupVersion) =>
        aggregated.Any(a => a.Versions.Any(v => $"{a.Group}/{v}" == groupVersion)) || All().Any(r => r.GroupVersion == groupVersion);

    /// <summary>The versions of a custom type that are served.</summary>
    public static IEnumerable<string> ServedVersions(IObjectStore store, ResourceType type) =>
        type.IsCustom && store.Get(ResourceTypes.CustomResourceDefinitions, null, type.GroupResource) is { } definition
            ? definition.Objects("spec", "versions").Where(v => v.Flag("served")).Select(v => v.Text("name") ?? "")
            : [type.Version];

    private IEnumerable<Resource> All()
    {
        foreach (var type in store.Types)
        {
            foreach (var version in ServedVersions(store, type))
            {
                var groupVersion = type.Group.Length == 0 ? version : $"{type.Group}/{version}";

                yield return new Resource(groupVersion, type.Plural, type.Kind, type.Namespaced, _allVerbs)
                {
                    Singular = type.Singular,
                    ShortNames = type.ShortNames,
                    Categories = type.Categories,
                    Subresources = [.. SubresourcesOf(type)],
                };
            }
        }

        foreach (var resource in _virtual)
        {
            yield return resource;
        }
    }

    private static IEnumerable<Resource> SubresourcesOf(ResourceType type)
    {
        if (type.HasStatus)
        {
            yield return new Resource("", "status", type.Kind, type.Namespaced, _statusVerbs);
        }

        if (type.HasScale)
        {
            yield return new Resource("autoscaling/v1", "scale", "Scale", type.Namespaced, _statusVerbs);
        }

        if (type.Equals(ResourceTypes.Pods))
        {
            yield return new Resource("", "binding", "Binding", true, ["create"]);
            yield return new Resource("policy/v1", "eviction", "Eviction", true, ["create"]);
            yield return new Resource("", "log", "Pod", true, ["get"]);
        }

        if (type.Equals(ResourceTypes.Namespaces))
        {
            yield return new Resource("", "finalize", "Namespace", false, ["update"]);
        }

        if (type.Equals(ResourceTypes.ServiceAccounts))
        {
            yield return new Resource("authentication.k8s.io/v1", "token", "TokenRequest", true, ["create"]);
        }
    }

    private IEnumerable<GroupVersions> Groups() => All()
        .Select(r => r.GroupVersion)
        .Concat(aggregated.SelectMany(a => a.Versions.Select(v => $"{a.Group}/{v}")))
        .Where(gv => gv.Contains('/'))
        .Distinct()
        .GroupBy(gv => gv.Split('/')[0])
        .Select(g => new GroupVersions(g.Key, [.. g]));

    private static JsonObject Group(GroupVersions group, bool inList)
    {
        var versions = group.Versions.Select(gv => new JsonObject { ["groupVersion"] = gv, ["version"] = gv.Split('/')[1] }).ToList();
        var result = new JsonObject();
        if (!inList)
        {
            result["kind"] = "APIGroup";
            result["apiVersion"] = "v1";
        }

        result["name"] = group.Name;
        result["versions"] = new JsonArray([.. versions]);
        result["preferredVersion"] = versions[0].DeepClone();

        return result;
    }

    private JsonObject? Resources(string groupVersion)
    {
        if (!Knows(groupVersion))
        {
            return null;
        }

        return new JsonObject
        {
            ["kind"] = "APIResourceList",
            ["apiVersion"] = "v1",
            ["groupVersion"] = groupVersion,
            ["resources"] = new JsonArray([.. All().Where(r => r.GroupVersion == groupVersion).OrderBy(r => r.Name, StringComparer.Ordinal)
                .SelectMany(r => r.Subresources.OrderBy(s => s.Name, StringComparer.Ordinal)
                    .Select(s => s.AsListed(r.Name + "/" + s.Name)).Prepend(r.AsListed(r.Name)))]),
        };
    }

    private JsonObject Aggregated(bool core)
    {
        var byGroup = All().Where(r => r.GroupVersion.Contains('/') != core).GroupBy(r => r.Group).Select(g => new JsonObject
        {
            ["metadata"] = g.Key.Length == 0 ? new JsonObject() : new JsonObject { ["name"] = g.Key },
            ["versions"] = new JsonArray([.. g.GroupBy(r => r.GroupVersion).Select(v => new JsonObject
            {
                ["version"] = v.Key.Split('/')[^1],
                ["resources"] = new JsonArray([.. v.OrderBy(r => r.Name, StringComparer.Ordinal).Select(r => r.AsAggregated())]),
                ["freshness"] = "Current",
            })]),
        });

        return new JsonObject
        {
            ["kind"] = "APIGroupDiscoveryList",
            ["apiVersion"] = "apidiscovery.k8s.io/v2",
            ["metadata"] = new JsonObject(),
            ["items"] = new JsonArray([.. byGroup]),
        };
    }

    private sealed record GroupVersions(string Name, IReadOnlyList<string> Versions);

    private sealed record Resource(string GroupVersion, string Name, string Kind, bool Namespaced, IReadOnlyList<string> Verbs)
    {
        public string Singular { get; init; } = Kind.ToLowerInvariant();

        public IReadOnlyList<string> ShortNames { get; init; } = [];

        public IReadOnlyList<string> Categories { get; init; } = [];

        public IReadOnlyList<Resource> Subresources { get; init; } = [];

        public string Group => GroupVersion.Contains('/') ? GroupVersion.Split('/')[0] : "";

        public JsonObject AsListed(string name)
        {
            var sub = name.Contains('/');
            var result = new JsonObject { ["name"] = name, ["singularName"] = sub ? "" : Singular, ["namespaced"] = Namespaced };
            if (sub && GroupVersion.Contains('/'))
            {
                result["group"] = Group;
                result["version"] = GroupVersion.Split('/')[1];
            }

            result["kind"] = Kind;
            result["verbs"] = Texts(Verbs);
            AddNames(result);

            return result;
        }

        public JsonObject AsAggregated()
        {
            var result = new JsonObject
            {
                ["resource"] = Name,
                ["responseKind"] = ResponseKind(GroupVersion),
                ["scope"] = Namespaced ? "Namespaced" : "Cluster",
                ["singularResource"] = Singular,
                ["verbs"] = Texts(Verbs),
            };
            AddNames(result);
            if (Subresources.Count > 0)
            {
                result["subresources"] = new JsonArray([.. Subresources.OrderBy(s => s.Name, StringComparer.Ordinal).Select(s => new JsonObject
                {
                    ["subresource"] = s.Name,
                    ["responseKind"] = s.ResponseKind(s.GroupVersion.Length == 0 ? GroupVersion : s.GroupVersion),
                    ["verbs"] = Texts(s.Verbs),
                })]);
            }

            return result;
        }

        private JsonObject ResponseKind(string groupVersion) => new()
        {
            ["group"] = groupVersion.Contains('/') ? groupVersion.Split('/')[0] : "",
            ["version"] = groupVersion.Split('/')[^1],
            ["kind"] = Kind,
        };

        private void AddNames(JsonObject result)
        {
            if (ShortNames.Count > 0)
            {
                result["shortNames"] = Texts(ShortNames);
            }

            if (Categories.Count > 0)
            {
                result["categories"] = Texts(Categories);
            }
        }

        private static JsonArray Texts(IReadOnlyList<string> texts) => new([.. texts.Select(t => (JsonNode)t)]);
    }
}

using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>
/// The OpenAPI documents, as far as clients ask them: which operations take <c>dryRun</c> and <c>fieldValidation</c> (kubectl looks at the
/// patch of a kind before it sends one), and the schemas of kinds (<c>kubectl explain</c>, kubectl's own check of a manifest and the patch
/// it makes of one). They are made once, and again when a definition has changed.
/// </summary>
internal sealed class OpenApi(IObjectStore store)
{
    private const string Protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    private static readonly string[] _kept = ["type", "format", "description", "required", "enum", "pattern", "minimum", "maximum"];

    private Made _made = new([]);

    /// <summary>The answer to a path of OpenAPI, or null if the path is none.</summary>
    public ApiAnswer? Answer(ApiRequest request)
    {
        var answer = Document(request)?.UnlessKnown(request);

        // Recorded of the older document only.
        return request.Path.TrimEnd('/') == "/openapi/v2" ? answer?.With("Vary", "Accept-Encoding").With("Vary", "Accept") : answer;
    }

    private ApiAnswer? Document(ApiRequest request)
    {
        var path = request.Path.TrimEnd('/');
        if (path == "/openapi/v2")
        {
            return request.Accept.Contains("protobuf", StringComparison.Ordinal)
                ? new ApiAnswer(200, Protobuf, Once("protobuf", () => OpenApiProtobuf.Document(Version2())))
                : new ApiAnswer(200, "application/json", Once(path, () => Wire.Bytes(Version2())));
        }

        if (path == "/openapi/v3")
        {
            var paths = GroupVersions().Select(served => KeyValuePair.Create<string, JsonNode?>(
                Prefix(served.Key)[1..], new JsonObject { ["serverRelativeURL"] = $"/openapi/v3{Prefix(served.Key)}?hash={Hash(Bytes3(served))}" }));

            return ApiAnswer.Text(200, new JsonObject { ["paths"] = new JsonObject(paths) }.ToJsonString());
        }

        return path.StartsWith("/openapi/v3/", StringComparison.Ordinal)
            && GroupVersions().FirstOrDefault(served => Prefix(served.Key) == path["/openapi/v3".Length..]) is { } found
            ? new ApiAnswer(200, "application/json", Bytes3(found))
            : null;
    }

    private IEnumerable<IGrouping<string, ResourceType>> GroupVersions() => store.Types
        .SelectMany(type => Discovery.ServedVersions(store, type).Select(version => (Type: type, Version: version)))
        .GroupBy(served => served.Type.Group.Length == 0 ? served.Version : $"{served.Type.Group}/{served.Version}", served => served.Type);

    private static string Prefix(string groupVersion) => groupVersion.Contains('/') ? $"/apis/{groupVersion}" : $"/api/{groupVersion}";

    private static string Hash(byte[] document) => Convert.ToHexString(SHA512.HashData(document));

    private byte[] Bytes3(IGrouping<string, ResourceType> served) => Once(served.Key, () => Wire.Bytes(Version3(served)));

    // With every change of a definition the store has another collection of types.
    private byte[] Once(string document, Func<byte[]> make)
    {
        if (!ReferenceEquals(_made.Of, store.Types))
        {
            _made = new(store.Types);
        }

        return _made.Documents.GetOrAdd(document, _ => make());
    }

    private static JsonObject Info() => new() { ["title"] = "Kubernetes", ["version"] = "v1.36.2" };

    private JsonObject Version2()
    {
        var (paths, definitions) = (new JsonObject(), new JsonObject());
        foreach (var served in GroupVersions())
        {
            AddPaths(paths, served, inQuery: name => new JsonObject { ["in"] = "query", ["name"] = name, ["type"] = "string", ["uniqueItems"] = true });
            AddSchemas(definitions, served, version: 2);
        }

        return new JsonObject { ["swagger"] = "2.0", ["info"] = Info(), ["paths"] = paths, ["definitions"] = definitions };
    }

    private JsonObject Version3(IGrouping<string, ResourceType> served)
    {
        var (paths, schemas) = (new JsonObject(), new JsonObject());
        AddPaths(paths, served, inQuery: name => new JsonObject
        {
            ["in"] = "query",
            ["name"] = name,
            ["schema"] = new JsonObject { ["type"] = "string", ["uniqueItems"] = true },
        });
        AddSchemas(schemas, served, version: 3);

        return new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = Info(),
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = schemas },
        };
    }

    private static void AddPaths(JsonObject paths, IGrouping<string, ResourceType> served, Func<string, JsonObject> inQuery)
    {
        foreach (var type in served)
        {
            var collection = $"{Prefix(served.Key)}{(type.Namespaced ? "/namespaces/{namespace}" : "")}/{type.Plural}";
            paths[collection] = new JsonObject
            {
                ["get"] = Operation("list", served.Key, type),
                ["post"] = Operation("post", served.Key, type, inQuery("dryRun"), inQuery("fieldManager"), inQuery("fieldValidation")),
            };
            paths[$"{collection}/{{name}}"] = new JsonObject
            {
                ["get"] = Operation("get", served.Key, type),
                ["put"] = Operation("put", served.Key, type, inQuery("dryRun"), inQuery("fieldManager"), inQuery("fieldValidation")),
                ["delete"] = Operation("delete", served.Key, type, inQuery("dryRun")),
                ["patch"] = Operation("patch", served.Key, type,
                    inQuery("dryRun"), inQuery("fieldManager"), inQuery("fieldValidation"), inQuery("force")),
            };
        }
    }

    private static JsonObject Operation(string action, string groupVersion, ResourceType type, params JsonNode[] parameters) => new()
    {
        ["parameters"] = new JsonArray(parameters),
        ["responses"] = new JsonObject { ["200"] = new JsonObject { ["description"] = "OK" } },
        ["x-kubernetes-action"] = action,
        ["x-kubernetes-group-version-kind"] = Kind(groupVersion, type),
    };

    private static JsonObject Kind(string groupVersion, ResourceType type) =>
        new() { ["group"] = type.Group, ["kind"] = type.Kind, ["version"] = groupVersion.Split('/')[^1] };

    private void AddSchemas(JsonObject schemas, IGrouping<string, ResourceType> served, int version)
    {
        foreach (var type in served.Where(type => !type.IsCustom))
        {
            BuiltInSchemas.Add(schemas, served.Key, type, Kind(served.Key, type), version);
        }

        foreach (var type in served.Where(type => type.IsCustom))
        {
            var name = served.Key.Split('/')[^1];
            var definition = store.Get(ResourceTypes.CustomResourceDefinitions, null, type.GroupResource);
            if (definition.Objects("spec", "versions").FirstOrDefault(v => v.Text("name") == name).Object("schema", "openAPIV3Schema") is { } schema)
            {
                var shown = WithObjectFields(Schema(schema, version));
                shown["x-kubernetes-group-version-kind"] = new JsonArray(Kind(served.Key, type));
                schemas[$"{string.Join('.', type.Group.Split('.').Reverse())}.{name}.{type.Kind}"] = shown;
            }
        }
    }

    // Every object has these, though hardly any definition says so.
    private static JsonObject WithObjectFields(JsonObject schema)
    {
        var properties = schema.Child("properties");
        foreach (var name in (string[])["apiVersion", "kind"])
        {
            properties.Default(name, new JsonObject { ["type"] = "string" });
        }

        // A schema that says no more of it than that it is an object.
        properties["metadata"] = new JsonObject { ["type"] = "object", ["description"] = "Standard object's metadata." };

        return schema;
    }

    /// <summary>
    /// What OpenAPI can say of a structural schema. Unknown fields, null and either of two types are nothing that version 2 knows: such a field
    /// is described and nothing more (apiextensions-apiserver, ToStructuralOpenAPIV2). Version 3 names the fields of an object open for others.
    /// </summary>
    private static JsonObject Schema(JsonObject structural, int openApi)
    {
        var result = new JsonObject();
        var isOpen = structural.Flag("x-kubernetes-preserve-unknown-fields");
        var hidesFields = isOpen && (openApi == 2 || structural["properties"] is null);
        var isUntyped = hidesFields || structural.Flag("nullable") || structural.Flag("x-kubernetes-int-or-string");
        foreach (var name in isUntyped ? ["description"] : _kept)
        {
            if (structural[name] is { } value)
            {
                result[name] = value.CopyNode();
            }
        }

        if (isUntyped)
        {
            return result;
        }

        if (structural["properties"] is JsonObject properties)
        {
            result["properties"] = new JsonObject(properties.Select(p => KeyValuePair.Create<string, JsonNode?>(p.Key, Schema(p.Value!.AsObject(), openApi))));
        }

        foreach (var name in (string[])["items", "additionalProperties"])
        {
            if (structural[name] is JsonObject inner)
            {
                result[name] = Schema(inner, openApi);
            }
        }

        return result;
    }

    /// <summary>The documents made of one collection of types.</summary>
    private sealed record Made(IReadOnlyCollection<ResourceType> Of)
    {
        public ConcurrentDictionary<string, byte[]> Documents { get; } = new();
    }
}

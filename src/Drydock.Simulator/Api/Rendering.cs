using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>Objects and lists in the form the client wants.</summary>
internal sealed class Rendering(Tables tables)
{
    public ApiAnswer Object(ApiRequest request, ServedType served, JsonObject @object, int code)
    {
        var accept = Accept.Of(request.Accept);
        var shown = served.Show(@object);
        var node = accept.Form switch
        {
            Form.PartialMetadata => Partial(shown),
            Form.Table => tables.Of(served, request["includeObject"], ObjectMetadata(shown), [shown]),
            _ => null,
        };

        return node is null && !accept.Yaml
            ? new ApiAnswer(code, accept.ContentType, Wire.Bytes(shown))
            : Node(accept, node ?? shown, code);
    }

    /// <summary>An object of the store: where it is wanted as it is kept, its tree is not looked at.</summary>
    public ApiAnswer Object(ApiRequest request, ServedType served, StoredObject stored)
    {
        var accept = Accept.Of(request.Accept);

        return accept is { Form: Form.Object, Yaml: false }
            ? new ApiAnswer(200, accept.ContentType, Plain(served, stored))
            : Object(request, served, stored.Tree, 200);
    }

    public ApiAnswer List(ApiRequest request, ServedType served, JsonObject metadata, List<StoredObject> items)
    {
        var accept = Accept.Of(request.Accept);
        switch (accept.Form)
        {
            case Form.Table:
                if (metadata.Text("continue") is "")
                {
                    metadata.Remove("continue");
                }

                return Node(accept, tables.Of(served, request["includeObject"], metadata, [.. items.Select(item => served.Show(item.Tree))]), 200);
            case Form.PartialMetadata:
                return Node(accept, new JsonObject
                {
                    ["kind"] = "PartialObjectMetadataList",
                    ["apiVersion"] = "meta.k8s.io/v1",
                    ["metadata"] = metadata,
                    ["items"] = items.Count == 0 ? null : new JsonArray([.. items.Select(item => Partial(item.Tree))]),
                }, 200);
        }

        var answer = new ApiAnswer(200, accept.ContentType, default) { Parts = Wire.List(served.Type, served.ApiVersion, metadata, items.Select(item => Plain(served, item))) };

        return accept.Yaml ? Node(accept, JsonNode.Parse(answer.Whole().Span)!, 200) : answer;
    }

    /// <summary>The object of a watch event in the form asked for.</summary>
    public ReadOnlyMemory<byte> WatchObject(Form form, ServedType served, StoredObject stored, bool first) => form switch
    {
        Form.PartialMetadata => Wire.Bytes(Partial(served.Show(stored.Tree))),
        Form.Table => Wire.Bytes(tables.Of(served, "Metadata", ObjectMetadata(stored.Tree), [served.Show(stored.Tree)], withColumns: first)),
        _ => Plain(served, stored),
    };

    private static ReadOnlyMemory<byte> Plain(ServedType served, StoredObject stored) =>
        served.Converts ? Wire.Bytes(served.Show(stored.Tree)) : stored.Bytes;

    public static ApiAnswer Node(Accept accept, JsonNode node, int code) => accept.Yaml
        ? new ApiAnswer(code, accept.ContentType, Encoding.UTF8.GetBytes(Yaml.Write(node)))
        : new ApiAnswer(code, accept.ContentType, Wire.Bytes(node));

    public static JsonObject Partial(JsonObject @object) => new()
    {
        ["kind"] = "PartialObjectMetadata",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = @object["metadata"].CopyNode(),
    };

    private static JsonObject ObjectMetadata(JsonObject @object) => new() { ["resourceVersion"] = @object.VersionOf() };
}

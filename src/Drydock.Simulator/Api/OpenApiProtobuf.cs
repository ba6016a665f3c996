using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>
/// An OpenAPI document of version 2 as protobuf, the only form that kubectl before 1.27 asks for. Fields by number as in gnostic's
/// openapiv2/OpenAPIv2.proto; an extension is a piece of YAML there, and JSON is YAML.
/// </summary>
internal static class OpenApiProtobuf
{
    private static readonly (string Method, int Field)[] _methods = [("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("patch", 8)];

    /// <summary>The bytes of a document.</summary>
    public static byte[] Document(JsonObject document) =>
    [
        .. Text(1, document.Text("swagger")!),
        .. Message(2, [.. Text(1, document.Text("info", "title")!), .. Text(2, document.Text("info", "version")!)]),
        .. Message(8, Each(document["paths"]!.AsObject(), field: 2, path => PathItem(path.AsObject()))),
        .. Message(9, Each(document["definitions"]!.AsObject(), field: 1, schema => Schema(schema.AsObject()))),
    ];

    private static byte[] PathItem(JsonObject path) =>
        [.. _methods.Where(m => path[m.Method] is not null).SelectMany(m => Message(m.Field, Operation(path[m.Method]!.AsObject())))];

    private static byte[] Operation(JsonObject operation) =>
    [
        .. operation.Objects("parameters").SelectMany(Parameter),
        .. Message(9, Message(1, [.. Text(1, "200"), .. Message(2, Message(1, Text(1, "OK")))])),
        .. Extensions(13, operation),
    ];

    // ParametersItem.parameter, Parameter.non_body_parameter, NonBodyParameter.query_parameter_sub_schema.
    private static byte[] Parameter(JsonObject parameter) =>
        Message(8, Message(1, Message(2, Message(3, [.. Text(2, "query"), .. Text(4, parameter.Text("name")!), .. Text(6, "string")]))));

    private static byte[] Schema(JsonObject schema) =>
    [
        .. Optional(1, schema.Text("$ref")),
        .. Optional(2, schema.Text("format")),
        .. Optional(4, schema.Text("description")),
        .. schema["required"] is JsonArray required ? required.SelectMany(name => Text(19, name!.ToString())) : [],
        .. schema["additionalProperties"] is JsonObject values ? Message(21, Message(1, Schema(values))) : [],
        .. schema.Text("type") is { } type ? Message(22, Text(1, type)) : [],
        .. schema["items"] is JsonObject items ? Message(23, Message(1, Schema(items))) : [],
        .. schema["properties"] is JsonObject properties ? Message(25, Each(properties, field: 1, property => Schema(property.AsObject()))) : [],
        .. Extensions(31, schema),
    ];

    private static byte[] Extensions(int field, JsonObject holder) =>
    [
        .. holder.Where(member => member.Key.StartsWith("x-", StringComparison.Ordinal))
            .SelectMany(member => Message(field, [.. Text(1, member.Key), .. Message(2, Text(2, member.Value!.ToJsonString()))])),
    ];

    private static byte[] Each(JsonObject named, int field, Func<JsonNode, byte[]> content) =>
        [.. named.SelectMany(member => Message(field, [.. Text(1, member.Key), .. Message(2, content(member.Value!))]))];

    private static byte[] Optional(int field, string? text) => text is null ? [] : Text(field, text);

    private static byte[] Text(int field, string text) => Message(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Message(int field, byte[] content) => [.. Varint((uint)((field << 3) | 2)), .. Varint((uint)content.Length), .. content];

    private static byte[] Varint(uint number)
    {
        var bytes = new List<byte>();
        for (; number >= 0x80; number >>= 7)
        {
            bytes.Add((byte)(number | 0x80));
        }

        return [.. bytes, (byte)number];
    }
}

using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Patches;

/// <summary>RFC 6902 as the API server's library does it: <c>replace</c> also adds, <c>test</c> takes a missing value for null.</summary>
internal sealed class JsonPatch(JsonArray operations) : Patch
{
    public override JsonObject Apply(JsonObject target, string? subresource)
    {
        foreach (var operation in operations)
        {
            Do(target, operation as JsonObject ?? throw Rejected());
        }

        return target;
    }

    private static void Do(JsonObject target, JsonObject operation)
    {
        var path = Pointer(operation.Text("path"));
        switch (operation.Text("op"))
        {
            case "add":
                Put(target, path, operation["value"].CopyNode(), insert: true);
                break;
            case "replace":
                Put(target, path, operation["value"].CopyNode(), insert: false);
                break;
            case "remove":
                Take(target, path);
                break;
            case "test":
                if (!JsonNode.DeepEquals(Find(target, path), operation["value"]))
                {
                    throw Rejected();
                }

                break;
            case "copy":
                Put(target, path, Find(target, Pointer(operation.Text("from"))).CopyNode(), insert: true);
                break;
            case "move":
                Put(target, path, Take(target, Pointer(operation.Text("from"))), insert: true);
                break;
            default:
                throw Rejected();
        }
    }

    private static ApiException Rejected() =>
        new(422, "Invalid", "the server rejected our request due to an error in our request") { Details = [] };

    private static string[] Pointer(string? text) =>
        text is { Length: > 0 } && text[0] == '/'
            ? [.. text[1..].Split('/').Select(s => s.Replace("~1", "/").Replace("~0", "~"))]
            : throw Rejected();

    private static JsonNode? Find(JsonNode target, string[] path)
    {
        var parent = Parent(target, path);

        return parent switch
        {
            JsonObject o => o[path[^1]],
            JsonArray a when Index(a, path[^1], a.Count - 1) is { } index => a[index],
            _ => throw Rejected(),
        };
    }

    private static void Put(JsonNode target, string[] path, JsonNode? value, bool insert)
    {
        switch (Parent(target, path))
        {
            case JsonObject o:
                o[path[^1]] = value;
                break;
            case JsonArray a when path[^1] == "-":
                a.Add(value);
                break;
            case JsonArray a when insert && Index(a, path[^1], a.Count) is { } index:
                a.Insert(index, value);
                break;
            case JsonArray a when !insert && Index(a, path[^1], a.Count - 1) is { } index:
                a[index] = value;
                break;
            default:
                throw Rejected();
        }
    }

    private static JsonNode? Take(JsonNode target, string[] path)
    {
        switch (Parent(target, path))
        {
            case JsonObject o when o.ContainsKey(path[^1]):
                var value = o[path[^1]];
                o.Remove(path[^1]);

                return value;
            case JsonArray a when Index(a, path[^1], a.Count - 1) is { } index:
                var item = a[index];
                a.RemoveAt(index);

                return item;
            default:
                throw Rejected();
        }
    }

    private static JsonNode Parent(JsonNode target, string[] path)
    {
        JsonNode? node = target;
        foreach (var step in path[..^1])
        {
            node = node switch
            {
                JsonObject o => o[step],
                JsonArray a when Index(a, step, a.Count - 1) is { } index => a[index],
                _ => null,
            };
        }

        return node ?? throw Rejected();
    }

    private static int? Index(JsonArray array, string text, int highest) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index)
        && (index < 0 ? index += array.Count : index) is var at && at >= 0 && at <= highest
            ? index
            : null;
}

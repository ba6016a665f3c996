using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Api;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Printing;

/// <summary>An <c>additionalPrinterColumn</c>: JSON paths of names, indexes and one filter such as <c>[?(@.type=="Ready")]</c>.</summary>
internal static partial class CustomColumn
{
    public static Column Of(JsonObject column)
    {
        var path = column.Text("jsonPath") ?? "";
        var type = column.Text("type") ?? "string";

        return new Column(column.Text("name") ?? "", type, (o, now) => Show(Find(o, path), type, now))
        {
            Format = column.Text("format") ?? "",
            Description = column.Text("description") ?? "",
            Priority = (int)(column.Number("priority") ?? 0),
        };
    }

    private static JsonNode? Show(JsonNode? value, string type, DateTimeOffset now) => (value, type) switch
    {
        (null, _) => null,
        (_, "date") => Ages.Since(value.ToString(), now),
        (JsonObject or JsonArray, "string") => value.ToJsonString(),
        (_, "string") => value.ToString(),
        _ => value.DeepClone(),
    };

    private static JsonNode? Find(JsonNode? node, string path)
    {
        foreach (Match step in Step().Matches(path))
        {
            if (step.Groups["name"].Success)
            {
                node = node.At(step.Groups["name"].Value.Replace("\\.", "."));
            }
            else if (step.Groups["index"].Success)
            {
                node = node is JsonArray array && int.Parse(step.Groups["index"].Value) is var i && i < array.Count ? array[i] : null;
            }
            else
            {
                node = (node as JsonArray)?.OfType<JsonObject>()
                    .FirstOrDefault(o => o.Text(step.Groups["key"].Value) == step.Groups["value"].Value);
            }
        }

        return node;
    }

    [GeneratedRegex("""\.(?<name>(?:[^.\[\\]|\\\.)+)|\[(?<index>\d+)\]|\[\?\(@\.(?<key>\w+)\s*==\s*["'](?<value>[^"']*)["']\)\]""", RegexOptions.None, 1000)]
    private static partial Regex Step();
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Printing;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>Objects as the tables that kubectl prints.</summary>
internal sealed class Tables(IObjectStore store, TimeProvider time)
{
    public JsonObject Of(ServedType served, string includeObject, JsonObject metadata, IReadOnlyList<JsonObject> items, bool withColumns = true)
    {
        var columns = ColumnsOf(served.Type);
        var now = time.GetUtcNow();

        return new JsonObject
        {
            ["kind"] = "Table",
            ["apiVersion"] = "meta.k8s.io/v1",
            ["metadata"] = metadata,
            ["columnDefinitions"] = withColumns ? new JsonArray([.. columns.Select(c => c.Definition())]) : null,
            ["rows"] = new JsonArray([.. items.Select(item => Row(served.Type, columns, item, includeObject, now))]),
        };
    }

    private static JsonObject Row(ResourceType type, IReadOnlyList<Column> columns, JsonObject item, string includeObject, DateTimeOffset now)
    {
        var row = new JsonObject { ["cells"] = new JsonArray([.. columns.Select(column => column.Cell(item, now))]) };
        if (type.Equals(ResourceTypes.Pods) && PodColumns.Conditions(item) is { } conditions)
        {
            row["conditions"] = conditions;
        }

        row["object"] = includeObject switch
        {
            "None" => null,
            "Object" => item.Copy(),
            _ => Rendering.Partial(item),
        };

        return row;
    }

    private IReadOnlyList<Column> ColumnsOf(ResourceType type)
    {
        if (!type.IsCustom)
        {
            return Columns.Of(type);
        }

        var definition = store.Get(ResourceTypes.CustomResourceDefinitions, null, type.GroupResource);
        var own = definition is null ? [] : CustomResource.StorageVersion(definition).Objects("additionalPrinterColumns").Select(CustomColumn.Of).ToList();

        return [Columns.Name, .. own.Count > 0 ? own : [Columns.CustomAge]];
    }
}

/// <summary>One column of a table.</summary>
internal sealed record Column(string Name, string Type, Func<JsonObject, DateTimeOffset, JsonNode?> Cell)
{
    public string Format { get; init; } = "";

    public string Description { get; init; } = "";

    /// <summary>0 is always shown, 1 with <c>-o wide</c>.</summary>
    public int Priority { get; init; }

    public JsonObject Definition() => new()
    {
        ["name"] = Name,
        ["type"] = Type,
        ["format"] = Format,
        ["description"] = Description,
        ["priority"] = Priority,
    };
}

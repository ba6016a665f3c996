using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Api;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Patches;

/// <summary>
/// Server-side apply: sets what the manager says, removes what it said last time and says no more, and refuses to take over what another
/// manager applied. Ownership is kept in <c>managedFields</c> for applies only; plain updates own nothing.
/// </summary>
internal sealed class ServerSideApply(JsonObject wanted, string manager, bool force, string apiVersion) : Patch
{
    private const string Field = "managedFields";

    public override bool MayCreate => true;

    public static ServerSideApply Parse(ApiRequest request, ResourceType type)
    {
        if (request["fieldManager"].Length == 0)
        {
            throw Refusals.Invalid("meta.k8s.io", "PatchOptions", "",
                [FieldError.Required("fieldManager", "is required for apply patch")]);
        }

        var wanted = Yaml.Read(Encoding.UTF8.GetString(request.Body)) as JsonObject
            ?? throw Refusals.BadRequest("error decoding YAML: the patch is no object");

        return new ServerSideApply(wanted, request["fieldManager"], request.IsTrue("force"), type.ApiVersion);
    }

    public override JsonObject Apply(JsonObject target, string? subresource)
    {
        var said = wanted.Copy();
        said.Remove("apiVersion");
        said.Remove("kind");
        if (said["metadata"] is JsonObject metadata)
        {
            foreach (var field in (string[])["name", "namespace", "uid", "resourceVersion", Field])
            {
                metadata.Remove(field);
            }
        }

        var fields = FieldSet.Of(said, "");
        var conflicts = Conflicts(target, said, fields);
        if (conflicts.Count > 0 && !force)
        {
            throw Conflict(conflicts);
        }

        foreach (var gone in FieldSet.Leaves(EntryOf(target, manager)?["fieldsV1"] as JsonObject).Except(FieldSet.Leaves(fields)))
        {
            FieldSet.Remove(target, gone);
        }

        target = new StrategicMergePatch(said).Apply(target, subresource);
        foreach (var (other, leaf) in conflicts)
        {
            Disown(target, other, leaf);
        }

        Own(target, fields);

        return target;
    }

    private List<(string Manager, string Leaf)> Conflicts(JsonObject target, JsonObject said, JsonObject fields)
    {
        var mine = FieldSet.Leaves(fields).ToHashSet();

        return [.. target.Objects("metadata", Field)
            .Where(e => e.Text("manager") != manager)
            .SelectMany(e => FieldSet.Leaves(e["fieldsV1"] as JsonObject)
                .Where(mine.Contains)
                .Where(leaf => !JsonNode.DeepEquals(FieldSet.Value(target, leaf), FieldSet.Value(said, leaf)))
                .Select(leaf => (e.Text("manager") ?? "", leaf)))];
    }

    private static ApiException Conflict(List<(string Manager, string Leaf)> conflicts)
    {
        var list = conflicts.Select(c => $"conflict with \"{c.Manager}\": {FieldSet.Dotted(c.Leaf)}");
        var plural = conflicts.Count == 1 ? "conflict" : "conflicts";
        var text = conflicts.Count == 1 ? list.First() : string.Join("\n", list.Select(l => $"- {l}").Prepend(""));

        return new ApiException(409, "Conflict", $"Apply failed with {conflicts.Count} {plural}: {text}")
        {
            Details = new JsonObject
            {
                ["causes"] = new JsonArray([.. conflicts.Select(c => new JsonObject
                {
                    ["reason"] = "FieldManagerConflict",
                    ["message"] = $"conflict with \"{c.Manager}\"",
                    ["field"] = FieldSet.Dotted(c.Leaf),
                })]),
            },
        };
    }

    private static JsonObject? EntryOf(JsonObject target, string name) =>
        target.Objects("metadata", Field).FirstOrDefault(e => e.Text("manager") == name && e.Text("operation") == "Apply");

    private void Own(JsonObject target, JsonObject fields)
    {
        var metadata = target.Child("metadata");
        var entries = metadata[Field] as JsonArray ?? [];
        metadata[Field] = entries;
        if (EntryOf(target, manager) is { } entry)
        {
            if (JsonNode.DeepEquals(entry["fieldsV1"], fields))
            {
                return;
            }

            entries.Remove(entry);
        }

        if (fields.Count > 0)
        {
            entries.Add(new JsonObject
            {
                ["manager"] = manager,
                ["operation"] = "Apply",
                ["apiVersion"] = apiVersion,
                ["fieldsType"] = "FieldsV1",
                ["fieldsV1"] = fields,
            });
        }
    }

    private static void Disown(JsonObject target, string other, string leaf)
    {
        if (EntryOf(target, other)?["fieldsV1"] is JsonObject fields)
        {
            FieldSet.Drop(fields, leaf);
        }
    }
}

/// <summary>Sets of fields as <c>fieldsV1</c> writes them. Lists count as one field.</summary>
internal static class FieldSet
{
    private const char Separator = '\n';

    public static JsonObject Of(JsonObject said, string path)
    {
        var fields = new JsonObject();
        foreach (var (name, value) in said)
        {
            fields[$"f:{name}"] = value is JsonObject child ? Of(child, path) : new JsonObject();
        }

        return fields;
    }

    /// <summary>
    /// The fields without fields of their own, each as its names joined by line feeds. In ownership that a client wrote itself, <c>.</c> is
    /// the map as such, and a list by keys (<c>k:</c>, <c>v:</c>) is one field here.
    /// </summary>
    public static IEnumerable<string> Leaves(JsonObject? fields) => fields is null ? [] : fields.Where(f => f.Key != ".").SelectMany(f =>
        f.Value is JsonObject { Count: > 0 } child && child.All(c => c.Key == "." || c.Key.StartsWith("f:", StringComparison.Ordinal))
            ? Leaves(child).Select(l => f.Key[2..] + Separator + l)
            : [f.Key[2..]]);

    public static JsonNode? Value(JsonObject @object, string leaf) => @object.At(leaf.Split(Separator));

    public static string Dotted(string leaf) => "." + leaf.Replace(Separator, '.');

    public static void Remove(JsonObject @object, string leaf)
    {
        var steps = leaf.Split(Separator);
        (@object.At(steps.AsSpan(..^1)) as JsonObject)?.Remove(steps[^1]);
    }

    public static void Drop(JsonObject fields, string leaf)
    {
        var steps = leaf.Split(Separator).Select(s => $"f:{s}").ToArray();
        (fields.At(steps.AsSpan(..^1)) as JsonObject)?.Remove(steps[^1]);
    }
}

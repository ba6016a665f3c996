using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>
/// Reads the few objects that kubectl sends as protobuf (reviews of its own access, what <c>kubectl create</c> makes of a name, and the
/// options of the deletions of a drain; fields by number as in the API's generated.proto). Other kinds are refused with a way out.
/// </summary>
internal static class Protobuf
{
    private const int LengthDelimited = 2;

    private static readonly Field _metadata = new("metadata", new()
    {
        [1] = new("name"), [2] = new("generateName"), [3] = new("namespace"),
        [11] = new("labels", IsMap: true), [12] = new("annotations", IsMap: true),
    });

    private static readonly Dictionary<int, Field> _resourceAttributes = new()
    {
        [1] = new("namespace"), [2] = new("verb"), [3] = new("group"), [4] = new("version"), [5] = new("resource"),
        [6] = new("subresource"), [7] = new("name"),
    };

    private static readonly Dictionary<string, Dictionary<int, Field>> _kinds = new(StringComparer.Ordinal)
    {
        ["SelfSubjectAccessReview"] = new()
        {
            [1] = _metadata,
            [2] = new("spec", new()
            {
                [1] = new("resourceAttributes", _resourceAttributes),
                [2] = new("nonResourceAttributes", new() { [1] = new("path"), [2] = new("verb") }),
            }),
        },
        ["SelfSubjectRulesReview"] = new() { [1] = _metadata, [2] = new("spec", new() { [1] = new("namespace") }) },
        ["SelfSubjectReview"] = new() { [1] = _metadata },
        ["Namespace"] = new() { [1] = _metadata },
        ["ServiceAccount"] = new() { [1] = _metadata },
        ["ConfigMap"] = new() { [1] = _metadata, [2] = new("data", IsMap: true) },
        ["DeleteOptions"] = new()
        {
            [1] = new("gracePeriodSeconds", IsNumber: true),
            [2] = new("preconditions", new() { [1] = new("uid"), [2] = new("resourceVersion") }),
            [4] = new("propagationPolicy"),
            [5] = new("dryRun", IsList: true),
        },
    };

    /// <summary>The object, or null if this is no protobuf of Kubernetes.</summary>
    /// <exception cref="ApiException">415: it is, but of a kind that is not read here.</exception>
    public static JsonObject? Read(ReadOnlySpan<byte> body)
    {
        if (!body.StartsWith("k8s\0"u8))
        {
            return null;
        }

        try
        {
            byte[] type = [];
            byte[] raw = [];
            for (var rest = body[4..]; Next(ref rest, out var number, out var content, out _);)
            {
                (type, raw) = number switch { 1 => (content.ToArray(), raw), 2 => (type, content.ToArray()), _ => (type, raw) };
            }

            var result = Object(type, new() { [1] = new("apiVersion"), [2] = new("kind") });
            if (!_kinds.TryGetValue(result.Text("kind") ?? "", out var fields))
            {
                throw new ApiException(415, "UnsupportedMediaType", $"the simulated API server does not read {result.Text("kind")} as "
                    + "protobuf: send JSON or YAML, as kubectl apply -f does") { Details = [] };
            }

            foreach (var (name, value) in Object(raw, fields))
            {
                result[name] = value?.DeepClone();
            }

            return result;
        }
        catch (ArgumentOutOfRangeException)
        {
            // It ends in the middle of a field: not what it says it is.
            return null;
        }
    }

    private static JsonObject Object(ReadOnlySpan<byte> message, Dictionary<int, Field> fields)
    {
        var result = new JsonObject();
        while (Next(ref message, out var number, out var content, out var value))
        {
            if (!fields.TryGetValue(number, out var field))
            {
                continue;
            }

            if (field.IsNumber)
            {
                result[field.Name] = (long)value;
            }
            else if (field.IsList)
            {
                var list = result[field.Name] as JsonArray ?? [];
                list.Add(Encoding.UTF8.GetString(content));
                result[field.Name] = list;
            }
            else if (field.IsMap)
            {
                var entry = Object(content, new() { [1] = new("key"), [2] = new("value") });
                var map = result[field.Name] as JsonObject ?? [];
                map[entry.Text("key") ?? ""] = entry.Text("value") ?? "";
                result[field.Name] = map;
            }
            else if (field.Fields is { } inner)
            {
                result[field.Name] = Object(content, inner);
            }
            else if (content.Length > 0)
            {
                // Go writes every string, and empty ones as nothing in JSON.
                result[field.Name] = Encoding.UTF8.GetString(content);
            }
        }

        return result;
    }

    /// <summary>The next field: its content if it has a length, else its number; fields of fixed width are passed over, none is read here.</summary>
    private static bool Next(ref ReadOnlySpan<byte> rest, out int number, out ReadOnlySpan<byte> content, out ulong value)
    {
        content = default;
        value = 0;
        while (rest.Length > 0)
        {
            var tag = Varint(ref rest);
            number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case LengthDelimited:
                    var length = (int)Varint(ref rest);
                    content = rest[..length];
                    rest = rest[length..];
                    return true;
                case 0:
                    value = Varint(ref rest);
                    return true;
                case 1:
                    rest = rest[8..];
                    break;
                case 5:
                    rest = rest[4..];
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(rest), "A field of an unknown form.");
            }
        }

        number = 0;
        return false;
    }

    private static ulong Varint(ref ReadOnlySpan<byte> rest)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = rest[..1][0];
            rest = rest[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }

    private sealed record Field(string Name, Dictionary<int, Field>? Fields = null, bool IsMap = false, bool IsNumber = false, bool IsList = false);
}

using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Drydock.Simulator.Scenarios;

/// <summary>
/// One mapping of a scenario file. Each field is asked for by name; what nobody asked for is unknown. Every refusal names the field
/// with its path, the value and what is allowed.
/// </summary>
internal sealed class YamlFields
{
    private readonly string _path;
    private readonly YamlMappingNode _node;
    private readonly HashSet<string> _known = [];

    private YamlFields(YamlNode node, string path)
    {
        _path = path;
        _node = node as YamlMappingNode ?? throw Refuse(path, node, "a mapping of fields");
    }

    public static YamlFields Document(string text)
    {
        var yaml = new YamlStream();
        try
        {
            yaml.Load(new StringReader(text));
        }
        catch (YamlDotNet.Core.YamlException failure)
        {
            throw new ScenarioException($"Not YAML, line {failure.Start.Line}: {failure.Message}");
        }

        return yaml.Documents.Count == 1
            ? new(yaml.Documents[0].RootNode, string.Empty)
            : throw new ScenarioException($"A scenario file is one YAML document; this one has {yaml.Documents.Count}.");
    }

    public string? Text(string field) => Find(field) switch
    {
        null => null,
        YamlScalarNode { Value: { } value } => value,
        var other => throw Refuse(Path(field), other, "a text"),
    };

    public string Required(string field) =>
        Text(field) is { Length: > 0 } value ? value : throw Missing($"{Path(field)} is missing.");

    public int? Int(string field) => Text(field) is not { } text
        ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw Refusal(field, "a whole number, 0 or more");

    public bool? Flag(string field) => Text(field) switch
    {
        null => null,
        "true" => true,
        "false" => false,
        _ => throw Refusal(field, "true or false"),
    };

    /// <summary>A duration such as <c>1.5s</c>, <c>200ms</c> or <c>2m</c>.</summary>
    public TimeSpan? Duration(string field)
    {
        if (Text(field) is not { } text)
        {
            return null;
        }

        var (digits, unit) = text switch
        {
            _ when text.EndsWith("ms", StringComparison.Ordinal) => (text[..^2], 1.0),
            _ when text.EndsWith('s') => (text[..^1], 1000.0),
            _ when text.EndsWith('m') => (text[..^1], 60_000.0),
            _ => (string.Empty, 0.0),
        };
        return double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            ? TimeSpan.FromMilliseconds(number * unit)
            : throw Refusal(field, "a duration such as 200ms, 1.5s or 2m");
    }

    public string? OneOf(string field, params ReadOnlySpan<string> allowed) => Text(field) is not { } text
        ? null
        : allowed.Contains(text)
            ? text
            : throw Refusal(field, string.Join(", ", allowed.ToArray()));

    /// <summary>An enum value by its name in lower case.</summary>
    public T? Enum<T>(string field)
        where T : struct, Enum => Text(field) is { } text ? ParseEnum<T>(Path(field), text, Find(field)!) : null;

    /// <summary><c>NAMESPACE/NAME</c>, or a name in namespace default.</summary>
    public (string Namespace, string Name) Reference(string field)
    {
        var parts = Required(field).Split('/');
        return parts switch
        {
            [{ Length: > 0 } name] => ("default", name),
            [{ Length: > 0 } space, { Length: > 0 } name] => (space, name),
            _ => throw Refusal(field, "NAMESPACE/NAME"),
        };
    }

    /// <summary>A <see cref="Reference"/> as <c>NAMESPACE/NAME</c>, or null if the field is not there.</summary>
    public string? OptionalReference(string field) => Text(field) is null ? null : $"{Reference(field).Namespace}/{Reference(field).Name}";

    /// <summary>A list of texts; one text is a list of one.</summary>
    public IReadOnlyList<string> Texts(string field) => Find(field) switch
    {
        null => [],
        YamlScalarNode { Value: { } value } => [value],
        YamlSequenceNode list => [.. list.Select(each => (each as YamlScalarNode)?.Value ?? throw Refuse(Path(field), each, "a list of texts"))],
        var other => throw Refuse(Path(field), other, "a list of texts"),
    };

    public IReadOnlyDictionary<string, string> Map(string field) => Find(field) switch
    {
        null => new Dictionary<string, string>(),
        YamlMappingNode map => map.ToDictionary(
            pair => pair.Key.ToString(),
            pair => (pair.Value as YamlScalarNode)?.Value ?? throw Refuse($"{Path(field)}.{pair.Key}", pair.Value, "a text")),
        var other => throw Refuse(Path(field), other, "a mapping of texts"),
    };

    public IReadOnlyDictionary<string, T> EnumMap<T>(string field)
        where T : struct, Enum => Map(field).ToDictionary(pair => pair.Key, pair => ParseEnum<T>($"{Path(field)}.{pair.Key}", pair.Value, Find(field)!));

    /// <summary>Free-form content, as JSON.</summary>
    public JsonObject Free(string field) => Find(field) switch
    {
        null => [],
        YamlMappingNode map => (JsonObject)ToJson(map)!,
        var other => throw Refuse(Path(field), other, "a mapping"),
    };

    /// <summary>Reads the mapping of a field, all of it.</summary>
    public T? Nested<T>(string field, Func<YamlFields, T> read)
        where T : class => Find(field) is { } node ? ReadAll(node, Path(field), read) : null;

    /// <summary>Reads each mapping of a list.</summary>
    public IReadOnlyList<T> Each<T>(string field, Func<YamlFields, T> read) => Find(field) switch
    {
        null => [],
        YamlSequenceNode list => [.. list.Select((node, index) => ReadAll(node, $"{Path(field)}[{index}]", read))],
        var other => throw Refuse(Path(field), other, "a list"),
    };

    /// <summary>Refuses fields that were not asked for.</summary>
    public void Done()
    {
        foreach (var (key, value) in _node)
        {
            if (!_known.Contains(key.ToString()))
            {
                var allowed = string.Join(", ", _known.Order(StringComparer.Ordinal));
                throw new ScenarioException(
                    $"Unknown field {Path(key.ToString())} ({Shown(value)}), line {key.Start.Line}. Allowed here: {allowed}.");
            }
        }
    }

    /// <summary>The refusal of a value of this mapping.</summary>
    public ScenarioException Refusal(string field, string allowed) => Refuse(Path(field), Find(field) ?? _node, allowed, Text(field) ?? "nothing");

    /// <summary>The refusal of this mapping as a whole.</summary>
    public ScenarioException Missing(string message) => new($"{message} (line {_node.Start.Line})");

    /// <summary>The refusal of a name that means nothing, wherever in the section it stands.</summary>
    public ScenarioException UnknownName(string field, string name, string allowed)
    {
        var section = field.Split('.')[0];
        var own = name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];
        var place = Find(section)?.AllNodes.OfType<YamlScalarNode>().FirstOrDefault(node => node.Value == name || node.Value == own);
        return new($"{field} is '{name}'. Allowed: {allowed}. (line {(place ?? Find(section) ?? _node).Start.Line})");
    }

    private static T ReadAll<T>(YamlNode node, string path, Func<YamlFields, T> read)
    {
        var fields = new YamlFields(node, path);
        var result = read(fields);
        fields.Done();
        return result;
    }

    private static T ParseEnum<T>(string path, string text, YamlNode node)
        where T : struct, Enum
    {
        var names = System.Enum.GetNames<T>().Select(name => char.ToLowerInvariant(name[0]) + name[1..]).ToList();
        return names.Contains(text)
            ? System.Enum.Parse<T>(text, ignoreCase: true)
            : throw Refuse(path, node, string.Join(", ", names), text);
    }

    private static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Select(pair => KeyValuePair.Create(pair.Key.ToString(), ToJson(pair.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Select(ToJson)]),
        YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.Plain, Value: var text } => text switch
        {
            null or "" or "null" or "~" => null,
            "true" => true,
            "false" => false,
            _ when long.TryParse(text, CultureInfo.InvariantCulture, out var number) => number,
            _ => text,
        },
        YamlScalarNode scalar => scalar.Value,
        _ => null,
    };

    private static ScenarioException Refuse(string path, YamlNode node, string allowed, string? value = null) =>
        new($"{(path.Length == 0 ? "The file" : path)} is '{value ?? Shown(node)}'. Allowed: {allowed}. (line {node.Start.Line})");

    private static string Shown(YamlNode node) => node switch
    {
        YamlScalarNode scalar => scalar.Value ?? string.Empty,
        YamlSequenceNode => "a list",
        _ => "a mapping",
    };

    private YamlNode? Find(string field)
    {
        _known.Add(field);
        return _node.Children.TryGetValue(new YamlScalarNode(field), out var node) ? node : null;
    }

    private string Path(string field) => _path.Length == 0 ? field : $"{_path}.{field}";
}

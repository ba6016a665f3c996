using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>A label selector: of a query, or of a <c>spec.selector</c>.</summary>
internal sealed partial class LabelSelector
{
    private readonly List<(string Key, string Operator, IReadOnlyList<string> Values)> _requirements = [];

    /// <summary>Selects every object.</summary>
    public bool IsEmpty => _requirements.Count == 0;

    /// <summary>Reads <c>a=b,c!=d,e in (f,g),!h</c>.</summary>
    public static LabelSelector Parse(string text)
    {
        var selector = new LabelSelector();
        var rest = text.Trim();
        while (rest.Length > 0)
        {
            var match = Requirement().Match(rest);
            if (!match.Success)
            {
                throw Refusals.BadRequest(Complaint(rest));
            }

            selector._requirements.Add(Read(match));
            rest = rest[match.Length..].TrimStart(',').Trim();
        }

        return selector;
    }

    /// <summary>Reads <c>matchLabels</c> and <c>matchExpressions</c>.</summary>
    public static LabelSelector Of(JsonNode? spec)
    {
        var selector = new LabelSelector();
        if (spec.At("matchLabels") is JsonObject labels)
        {
            selector._requirements.AddRange(labels.Select(l => (l.Key, "in", (IReadOnlyList<string>)[(string?)l.Value ?? ""])));
        }

        foreach (var expression in spec.Objects("matchExpressions"))
        {
            var values = expression["values"] is JsonArray array ? array.Select(v => (string?)v ?? "").ToList() : [];
            selector._requirements.Add((expression.Text("key") ?? "", (expression.Text("operator") ?? "").ToLowerInvariant(), values));
        }

        return selector;
    }

    /// <summary>A label and the one value it has on every selected object, if the selector says so.</summary>
    public (string Key, string Value)? Equality => _requirements
        .Where(r => r is { Operator: "in", Values.Count: 1 })
        .Select(r => ((string, string)?)(r.Key, r.Values[0]))
        .FirstOrDefault();

    public bool Matches(JsonObject? labels) => _requirements.TrueForAll(r => Holds(r.Operator, labels.Text(r.Key), r.Values));

    private static bool Holds(string @operator, string? label, IReadOnlyList<string> values) => @operator switch
    {
        "in" => label is not null && values.Contains(label),
        "notin" => label is null || !values.Contains(label),
        "exists" => label is not null,
        _ => label is null,
    };

    private static (string, string, IReadOnlyList<string>) Read(Match match)
    {
        var key = match.Groups["key"].Value;
        if (match.Groups["not"].Length > 0)
        {
            return (key, "doesnotexist", []);
        }

        if (match.Groups["set"].Success)
        {
            return (key, match.Groups["set"].Value, [.. match.Groups["values"].Value.Split(',').Select(v => v.Trim())]);
        }

        return match.Groups["sign"].Success
            ? (key, match.Groups["sign"].Value == "!=" ? "notin" : "in", [match.Groups["value"].Value])
            : (key, "exists", []);
    }

    private static string Complaint(string rest)
    {
        var set = SetWithoutParenthesis().Match(rest);

        return set.Success
            ? $"unable to parse requirement: found '{set.Groups["found"].Value}' expected: '('"
            : $"unable to parse requirement: found '{rest}', expected: identifier";
    }

    [GeneratedRegex(@"^(?:(?<not>!)\s*)?(?<key>[A-Za-z0-9][-A-Za-z0-9_./]*)(?:\s+(?<set>in|notin)\s*\((?<values>[^)]*)\)|\s*(?<sign>==|!=|=)\s*(?<value>[-A-Za-z0-9_.]*))?\s*(?=,|$)", RegexOptions.None, 1000)]
    private static partial Regex Requirement();

    [GeneratedRegex(@"^[A-Za-z0-9][-A-Za-z0-9_./]*\s+(?:in|notin)\s+(?<found>[^\s(]+)", RegexOptions.None, 1000)]
    private static partial Regex SetWithoutParenthesis();
}

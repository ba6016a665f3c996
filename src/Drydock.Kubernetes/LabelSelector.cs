using System.Text.RegularExpressions;

namespace Drydock.Kubernetes;

/// <summary>A Kubernetes label selector.</summary>
public sealed record LabelSelector(
    IReadOnlyDictionary<string, string> MatchLabels, IReadOnlyList<LabelRequirement> MatchExpressions)
{
    /// <summary>Matches everything.</summary>
    public static LabelSelector Everything { get; } = new(new Dictionary<string, string>(StringComparer.Ordinal), []);

    /// <summary>Matches nothing: what an absent selector means in a budget.</summary>
    public static LabelSelector Nothing { get; } = Everything with { MatchExpressions = [new LabelRequirement("", "In", [])] };

    /// <summary>
    /// Reads a selector as kubectl's <c>--selector</c> takes it: <c>key</c>, <c>!key</c>, <c>key=value</c>, <c>key!=value</c>,
    /// <c>key in (a,b)</c>, <c>key notin (a,b)</c>, joined by commas. Null if it is something else.
    /// </summary>
    public static LabelSelector? Parse(string text) => LabelSelectorText.Read(text) is { } terms
        ? new LabelSelector(new Dictionary<string, string>(StringComparer.Ordinal), terms)
        : null;

    /// <summary>Whether the labels satisfy the selector; an empty selector matches everything.</summary>
    public bool Matches(IReadOnlyDictionary<string, string> labels) =>
        MatchLabels.All(pair => labels.TryGetValue(pair.Key, out var value) && value == pair.Value)
        && MatchExpressions.All(requirement => requirement.Matches(labels));
}

/// <summary>One expression of a label selector.</summary>
/// <param name="Key">The label.</param>
/// <param name="Operator">In, NotIn, Exists or DoesNotExist.</param>
/// <param name="Values">For In and NotIn.</param>
public sealed record LabelRequirement(string Key, string Operator, IReadOnlyList<string> Values)
{
    /// <summary>Whether the labels satisfy the expression.</summary>
    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        var present = labels.TryGetValue(Key, out var value);
        return Operator switch
        {
            "In" => present && Values.Contains(value!),
            "NotIn" => !present || !Values.Contains(value!),
            "Exists" => present,
            "DoesNotExist" => !present,
            _ => false,
        };
    }
}

/// <summary>The text of a label selector.</summary>
internal static partial class LabelSelectorText
{
    public static IReadOnlyList<LabelRequirement>? Read(string text)
    {
        var terms = Terms().Match(text);
        return terms.Success ? [.. terms.Groups["term"].Captures.Select(term => Requirement(term.Value))] : null;
    }

    private static LabelRequirement Requirement(string term)
    {
        var match = Term().Match(term);
        var key = match.Groups["key"].Value;
        IReadOnlyList<string> values = match.Groups["set"].Success
            ? match.Groups["set"].Value.Split(',', StringSplitOptions.TrimEntries)
            : [match.Groups["value"].Value];
        return match.Groups["op"].Value switch
        {
            "" => new LabelRequirement(key, match.Groups["not"].Length > 0 ? "DoesNotExist" : "Exists", []),
            "!=" or "notin" => new LabelRequirement(key, "NotIn", values),
            _ => new LabelRequirement(key, "In", values),
        };
    }

    // A key with an optional prefix; a value may be empty.
    private const string Key = """(?:[A-Za-z0-9](?:[-A-Za-z0-9.]{0,251}[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?""";
    private const string Value = """(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?""";
    private const string One =
        $"""\s*(?:(?<not>!)\s*(?<key>{Key})|(?<key>{Key})(?:\s*(?<op>==|=|!=)\s*(?<value>{Value})|\s+(?<op>in|notin)\s*\((?<set>\s*{Value}\s*(?:,\s*{Value}\s*)*)\))?)\s*""";

    [GeneratedRegex($"^{One}$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Term();

    [GeneratedRegex($"^(?<term>{One})(,(?<term>{One}))*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Terms();
}

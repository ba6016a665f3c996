using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Label selectors and node selector terms as JSON.</summary>
internal static class Selectors
{
    /// <summary>Whether a LabelSelector matches labels. An empty selector matches everything, none nothing.</summary>
    public static bool Matches(JsonNode? selector, JsonObject? labels) =>
        selector is JsonObject
        && MatchesLabels(selector.Object("matchLabels"), labels)
        && selector.Objects("matchExpressions").All(each => MatchesExpression(each, labels.Text(each.Text("key") ?? string.Empty)));

    /// <summary>Whether all wanted labels are there with these values.</summary>
    public static bool MatchesLabels(JsonObject? wanted, JsonObject? labels) =>
        wanted is null || wanted.All(pair => labels.Text(pair.Key) == pair.Value?.ToString());

    /// <summary>Whether one of the terms of a required node affinity fits a node.</summary>
    public static bool MatchesNode(JsonNode? required, JsonObject node) =>
        required is null || required.Objects("nodeSelectorTerms").Any(term => MatchesTerm(term, node));

    private static bool MatchesTerm(JsonObject term, JsonObject node) =>
        term.Objects("matchExpressions").All(each => MatchesExpression(each, node.Label(each.Text("key") ?? string.Empty)))
        && term.Objects("matchFields").All(each => MatchesExpression(each, node.NameOf()));

    private static bool MatchesExpression(JsonObject expression, string? value) => expression.Text("operator") switch
    {
        "In" => value is not null && expression.Texts("values").Contains(value),
        "NotIn" => value is null || !expression.Texts("values").Contains(value),
        "Exists" => value is not null,
        "DoesNotExist" => value is null,
        "Gt" => int.TryParse(value, out var more) && more > int.Parse(expression.Texts("values").First()),
        "Lt" => int.TryParse(value, out var less) && less < int.Parse(expression.Texts("values").First()),
        _ => false,
    };
}

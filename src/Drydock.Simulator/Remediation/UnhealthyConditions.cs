using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Remediation;

/// <summary><c>spec.unhealthyConditions</c> of health checks: which condition of a node, for how long, makes it unhealthy.</summary>
internal static class UnhealthyConditions
{
    /// <summary>From when on a node counts as unhealthy, in the past or in the future if nothing changes; null: no condition matches.</summary>
    public static DateTimeOffset? UnhealthyFrom(JsonObject check, JsonObject node, string limit) => check.Objects("spec", "unhealthyConditions")
        .Select(each => From(each, node, limit))
        .Min();

    /// <summary>A Go duration such as <c>300s</c>, <c>5m</c> or <c>1h30m</c>.</summary>
    public static TimeSpan Duration(string? text)
    {
        var total = TimeSpan.Zero;
        var digits = string.Empty;
        foreach (var letter in text ?? string.Empty)
        {
            if (char.IsAsciiDigit(letter) || letter == '.')
            {
                digits += letter;
                continue;
            }

            if (digits.Length > 0)
            {
                total += Unit(letter) * double.Parse(digits, CultureInfo.InvariantCulture);
            }

            digits = string.Empty;
        }

        return total;
    }

    private static TimeSpan Unit(char letter) => letter switch
    {
        'h' => TimeSpan.FromHours(1),
        'm' => TimeSpan.FromMinutes(1),
        _ => TimeSpan.FromSeconds(1),
    };

    private static DateTimeOffset? From(JsonObject rule, JsonObject node, string limit) =>
        node.Condition(rule.Text("type") ?? string.Empty) is { } condition && condition.Text("status") == rule.Text("status")
            ? condition.Time("lastTransitionTime") + Duration(rule.Text(limit))
            : null;
}

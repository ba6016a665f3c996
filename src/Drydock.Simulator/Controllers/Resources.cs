using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Amounts such as <c>100m</c> or <c>4Gi</c>, and what pods ask for.</summary>
internal static class Resources
{
    private static readonly (string Suffix, decimal Factor)[] Suffixes =
    [
        ("Ki", 1024m), ("Mi", 1048576m), ("Gi", 1073741824m), ("Ti", 1099511627776m),
        ("m", 0.001m), ("k", 1000m), ("M", 1000000m), ("G", 1000000000m), ("T", 1000000000000m),
    ];

    /// <summary>The amount as a number, or null if it is none.</summary>
    public static decimal? Parse(string? text)
    {
        if (text is null)
        {
            return null;
        }

        foreach (var (suffix, factor) in Suffixes)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal))
            {
                return Number(text[..^suffix.Length]) * factor;
            }
        }

        return Number(text);
    }

    /// <summary>What all containers of a pod request of a resource.</summary>
    public static decimal Requested(JsonNode? pod, string resource) =>
        pod.Objects("spec", "containers")
            .Concat(pod.Objects("spec", "initContainers").Where(init => init.Text("restartPolicy") == "Always"))
            .Sum(container => Parse(container.At("resources", "requests", resource)?.ToString())
                ?? Parse(container.At("resources", "limits", resource)?.ToString()) ?? 0);

    public static decimal Allocatable(JsonNode? node, string resource) =>
        Parse(node.At("status", "allocatable", resource)?.ToString()) ?? 0;

    private static decimal? Number(string text) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;
}

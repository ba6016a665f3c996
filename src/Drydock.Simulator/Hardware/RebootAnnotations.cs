using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Hardware;

/// <summary>
/// The annotations that ask for a BareMetalHost to be off: <c>reboot.metal3.io</c> until it is off once, <c>reboot.metal3.io/KEY</c> for as
/// long as it is there. Source: <c>hasRebootAnnotation</c> of metal3's BareMetalHost controller.
/// </summary>
internal static class RebootAnnotations
{
    public const string Once = "reboot.metal3.io";

    /// <summary>Whether any is there, and whether any of them is for switching off hard; one that cannot be read is soft.</summary>
    public static (bool Any, bool Hard) Of(JsonObject host)
    {
        var modes = (host.At("metadata", "annotations") as JsonObject ?? [])
            .Where(each => IsReboot(each.Key))
            .Select(each => IsHard(each.Value?.ToString() ?? string.Empty))
            .ToList();
        return (modes.Count > 0, modes.Contains(true));
    }

    private static bool IsReboot(string annotation) =>
        annotation == Once || annotation.StartsWith(Once + "/", StringComparison.Ordinal);

    private static bool IsHard(string value)
    {
        try
        {
            return value.Length > 0 && JsonNode.Parse(value).Text("mode") == "hard";
        }
        catch (JsonException)
        {
            return false;
        }
    }
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Reads and writes <c>status.conditions</c>.</summary>
internal static class Conditions
{
    public static JsonObject? Condition(this JsonNode? item, string type) =>
        item.Objects("status", "conditions").FirstOrDefault(condition => condition.Text("type") == type);

    public static bool IsTrue(this JsonNode? item, string type) => item.Condition(type).Text("status") == "True";

    /// <summary>
    /// Sets a condition. Its transition time changes only if its status does. A field that is null is left out; extra fields
    /// (<c>lastProbeTime: null</c> of pods and virtual machines) stay as they were.
    /// </summary>
    public static void SetCondition(
        this JsonObject item, string type, string status, DateTimeOffset now, string? reason = null, string? message = null)
    {
        var condition = item.Condition(type) ?? Add(item, type);
        if (condition.Text("status") != status)
        {
            condition["status"] = status;
            condition["lastTransitionTime"] = now.Timestamp();
        }

        condition.Set(reason, "reason");
        condition.Set(message, "message");
    }

    public static void RemoveCondition(this JsonObject item, string type)
    {
        if (item.Condition(type) is { } condition)
        {
            ((JsonArray)item.At("status", "conditions")!).Remove(condition);
        }
    }

    private static JsonObject Add(JsonObject item, string type)
    {
        var status = item.Ensure("status");
        if (status["conditions"] is not JsonArray list)
        {
            status["conditions"] = list = [];
        }

        var condition = new JsonObject { ["type"] = type };
        list.Add(condition);
        return condition;
    }
}

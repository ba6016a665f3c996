using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;

namespace Drydock.Operator.Resources;

/// <summary>What the statuses of our own resources have in common.</summary>
internal static class ResourceStatus
{
    /// <summary>A status with a phase, a sentence and the generation it is about.</summary>
    public static JsonObject Of(DrydockResource resource, string phase, string message) => new()
    {
        ["observedGeneration"] = resource.Generation, ["phase"] = phase, ["message"] = message,
    };

    /// <summary>Adds conditions; the time of a transition stays as long as the status does.</summary>
    public static JsonObject With(this JsonObject status, DrydockResource resource, DateTimeOffset now, params IReadOnlyList<ResourceCondition> conditions)
    {
        status["conditions"] = new JsonArray([.. conditions.Select(condition => Json(resource, now, condition))]);
        return status;
    }

    /// <summary>An instant as Kubernetes writes it, or null.</summary>
    public static string? Stamp(DateTimeOffset? at) => at?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static JsonObject Json(DrydockResource resource, DateTimeOffset now, ResourceCondition condition)
    {
        var before = (resource.Status["conditions"] as JsonArray)?.FirstOrDefault(one => one?["type"]?.ToString() == condition.Type);
        var value = condition.IsTrue ? "True" : "False";
        return new JsonObject
        {
            ["type"] = condition.Type,
            ["status"] = value,
            ["reason"] = condition.Reason,
            ["message"] = condition.Message,
            ["observedGeneration"] = resource.Generation,
            ["lastTransitionTime"] = before?["status"]?.ToString() == value ? before["lastTransitionTime"]?.ToString() : Stamp(now),
        };
    }
}

/// <summary>A condition of a status.</summary>
/// <param name="Type">Such as <c>Accepted</c>.</param>
/// <param name="IsTrue">True or False.</param>
/// <param name="Reason">One word in CamelCase.</param>
/// <param name="Message">One sentence.</param>
internal sealed record ResourceCondition(string Type, bool IsTrue, string Reason, string Message);

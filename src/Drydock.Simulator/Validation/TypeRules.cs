using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

internal static class NodeRules
{
    public static IEnumerable<FieldError> Check(JsonObject node)
    {
        var taints = node.Objects("spec", "taints").ToList();
        for (var i = 0; i < taints.Count; i++)
        {
            var (key, effect) = (taints[i].Text("key") ?? "", taints[i].Text("effect") ?? "");
            if (key.Length == 0)
            {
                yield return FieldError.Invalid($"metadata.taints[{i}].key", "\"\"", "name part must be non-empty");
            }

            if (effect is not ("NoSchedule" or "PreferNoSchedule" or "NoExecute"))
            {
                yield return effect.Length == 0
                    ? FieldError.Required($"metadata.taints[{i}].effect")
                    : FieldError.Unsupported($"metadata.taints[{i}].effect", effect, "NoSchedule", "PreferNoSchedule", "NoExecute");
            }

            if (taints.Take(i).Any(t => t.Text("key") == key && t.Text("effect") == effect))
            {
                var shown = $"{{\"Key\":\"{key}\",\"Value\":\"{taints[i].Text("value")}\",\"Effect\":\"{effect}\",\"TimeAdded\":null}}";
                var error = FieldError.Duplicate($"metadata.taints[{i}]", $"{shown}: taints must be unique by key and effect pair");

                // Once for the object and once for its update: the API server says it twice.
                yield return error;
                yield return error;
            }
        }
    }
}

internal static class PodRules
{
    private const string MayNotChange =
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        + "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        + "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

    public static IEnumerable<FieldError> Create(JsonObject pod)
    {
        var containers = pod.Objects("spec", "containers").ToList();
        if (containers.Count == 0)
        {
            yield return FieldError.Required("spec.containers");
        }

        for (var i = 0; i < containers.Count; i++)
        {
            if (containers[i].Text("name") is null or "")
            {
                yield return FieldError.Required($"spec.containers[{i}].name");
            }

            if (containers[i].Text("image") is null or "")
            {
                yield return FieldError.Required($"spec.containers[{i}].image");
            }
        }

        if (pod.Text("spec", "restartPolicy") is { } policy && policy is not ("Always" or "OnFailure" or "Never"))
        {
            yield return FieldError.Unsupported("spec.restartPolicy", policy, "Always", "OnFailure", "Never");
        }
    }

    public static IEnumerable<FieldError> Update(JsonObject pod, JsonObject before)
    {
        if (!JsonNode.DeepEquals(Fixed(pod), Fixed(before)) || !OnlyAdded(pod, before))
        {
            yield return FieldError.Forbidden("spec", MayNotChange);
        }
    }

    /// <summary>The spec without what may change.</summary>
    private static JsonObject Fixed(JsonObject pod)
    {
        var spec = (pod["spec"] as JsonObject ?? []).Copy();
        spec.Remove("activeDeadlineSeconds");
        spec.Remove("tolerations");
        spec.Remove("ephemeralContainers");
        spec.Remove("schedulingGates");
        foreach (var container in spec.Objects("containers").Concat(spec.Objects("initContainers")))
        {
            container.Remove("image");
            container.Remove("imagePullPolicy");
        }

        return spec;
    }

    private static bool OnlyAdded(JsonObject pod, JsonObject before)
    {
        var now = pod.Objects("spec", "tolerations").ToList();

        return before.Objects("spec", "tolerations").All(old => now.Exists(t => JsonNode.DeepEquals(t, old)));
    }
}

internal static class LeaseRules
{
    public static IEnumerable<FieldError> Check(JsonObject lease)
    {
        if (lease.Number("spec", "leaseDurationSeconds") is { } duration && duration <= 0)
        {
            yield return FieldError.Invalid("spec.leaseDurationSeconds", duration.ToString(), "must be greater than 0");
        }

        if (lease.Number("spec", "leaseTransitions") is { } transitions && transitions < 0)
        {
            yield return FieldError.Invalid("spec.leaseTransitions", transitions.ToString(), "must be greater than or equal to 0");
        }
    }
}

internal static class EventRules
{
    public static IEnumerable<FieldError> Create(JsonObject @event, bool newApi)
    {
        if (newApi && @event["eventTime"] is null)
        {
            yield return FieldError.Required("eventTime");
        }

        var regarding = @event.Text("involvedObject", "namespace") ?? "";
        if (regarding.Length > 0 && regarding != @event.NamespaceOf())
        {
            yield return FieldError.Invalid("involvedObject.namespace", $"\"{regarding}\"", "does not match event.namespace");
        }
    }
}

internal static partial class BudgetRules
{
    public static IEnumerable<FieldError> Check(JsonObject budget)
    {
        var (minimum, maximum) = (budget.At("spec", "minAvailable"), budget.At("spec", "maxUnavailable"));
        if (minimum is not null && maximum is not null)
        {
            var shown = $"{{\"MinAvailable\":{minimum.ToJsonString()},\"Selector\":{budget.At("spec", "selector")?.ToJsonString() ?? "null"},"
                + $"\"MaxUnavailable\":{maximum.ToJsonString()},\"UnhealthyPodEvictionPolicy\":{budget.At("spec", "unhealthyPodEvictionPolicy")?.ToJsonString() ?? "null"}}}";

            yield return FieldError.Invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set");
        }

        foreach (var (field, value) in (ReadOnlySpan<(string, JsonNode?)>)[("minAvailable", minimum), ("maxUnavailable", maximum)] is var both ? both.ToArray() : [])
        {
            if (value is not null && Complaint(value) is { } complaint)
            {
                yield return FieldError.Invalid($"spec.{field}", value.ToJsonString(), complaint);
            }
        }

        if (budget.Text("spec", "unhealthyPodEvictionPolicy") is { } policy && policy is not ("AlwaysAllow" or "IfHealthyBudget"))
        {
            yield return FieldError.Unsupported("spec.unhealthyPodEvictionPolicy", policy, "AlwaysAllow", "IfHealthyBudget");
        }
    }

    private static string? Complaint(JsonNode value)
    {
        if (value.GetValueKind() == JsonValueKind.Number)
        {
            return ((JsonNode?)value).Number() < 0 ? "must be greater than or equal to 0" : null;
        }

        var text = value.ToString();
        if (!Percent().IsMatch(text))
        {
            return "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
                + "validation is '[0-9]+%')";
        }

        return int.Parse(text[..^1], CultureInfo.InvariantCulture) > 100 ? "must not be greater than 100%" : null;
    }

    [GeneratedRegex("^[0-9]+%$", RegexOptions.None, 1000)]
    private static partial Regex Percent();
}

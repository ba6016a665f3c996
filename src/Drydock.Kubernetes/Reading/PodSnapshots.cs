using System.Text.Json;

namespace Drydock.Kubernetes.Reading;

/// <summary>Pods.</summary>
internal static class PodSnapshots
{
    private const int DefaultGrace = 30;

    public static PodSnapshot From(JsonElement pod)
    {
        var annotations = pod.Map("metadata", "annotations");
        var scheduled = pod.Condition("PodScheduled");
        var ready = pod.Condition("Ready")?.Status;
        return new PodSnapshot(pod.Ref(), pod.Uid(), pod.Text("spec", "nodeName"))
        {
            Phase = pod.Text("status", "phase") ?? "Unknown",
            Controller = pod.Controller(),
            IsMirror = annotations.ContainsKey("kubernetes.io/config.mirror"),
            HasEmptyDir = pod.At("spec", "volumes").Items().Any(volume => volume.At("emptyDir").ValueKind == JsonValueKind.Object),
            DeletionRequestedAt = DeletionRequestedAt(pod),
            GoneBy = pod.Time("metadata", "deletionTimestamp"),
            Claims = [.. pod.At("spec", "volumes").Items().Select(volume => ClaimOf(pod, volume)).OfType<string>()],
            Finalizers = pod.Texts("metadata", "finalizers"),
            Labels = pod.Map("metadata", "labels"),
            Annotations = annotations,
            IsReady = ready == "True",
            IsReadinessUnknown = ready == "Unknown",
            ExitCode = pod.At("status", "containerStatuses").Items().Select(container => container.Number("state", "terminated", "exitCode"))
                .FirstOrDefault(code => code is not (null or 0)),
            Waiting = pod.At("status", "initContainerStatuses").Items().Concat(pod.At("status", "containerStatuses").Items())
                .Select(static container => WaitingOf(container.At("state", "waiting"))).FirstOrDefault(static why => why is not null),
            UnschedulableMessage = scheduled is { Status: "False" } ? scheduled.Message ?? scheduled.Reason : null,
            TerminationGracePeriodSeconds = pod.Number("spec", "terminationGracePeriodSeconds") ?? DefaultGrace,
            RequestedMilliCpu = Requested(pod, "cpu", Quantities.Milli),
            RequestedMemory = Requested(pod, "memory", Quantities.Whole),
            OtherRequests = OtherRequests(pod),
            Placement = Placements.From(pod),
            CreatedAt = pod.CreatedAt(),
        };
    }

    private static string? WaitingOf(JsonElement waiting) => waiting.Text("reason") switch
    {
        null or "ContainerCreating" or "PodInitializing" => null,
        var reason => waiting.Text("message") is { Length: > 0 } message ? $"{reason}: {message}" : reason,
    };

    /// <summary>deletionTimestamp is when the grace period ends: the request came that much earlier.</summary>
    private static DateTimeOffset? DeletionRequestedAt(JsonElement pod) =>
        pod.Time("metadata", "deletionTimestamp") - TimeSpan.FromSeconds(pod.Number("metadata", "deletionGracePeriodSeconds") ?? 0);

    /// <summary>A claim by name, or the claim that was made for a generic ephemeral volume (<c>POD-VOLUME</c>).</summary>
    private static string? ClaimOf(JsonElement pod, JsonElement volume) =>
        volume.Text("persistentVolumeClaim", "claimName")
        ?? (volume.At("ephemeral").ValueKind == JsonValueKind.Object ? $"{pod.Name()}-{volume.Text("name")}" : null);

    private static Dictionary<string, long> OtherRequests(JsonElement pod)
    {
        var containers = pod.At("spec", "containers").Items().Concat(pod.At("spec", "initContainers").Items());
        var names = containers.SelectMany(container => container.Map("resources", "requests").Keys).Concat(pod.Map("spec", "overhead").Keys);
        return names.Except(["cpu", "memory"], StringComparer.Ordinal)
            .ToDictionary(name => name, name => Requested(pod, name, Quantities.Whole), StringComparer.Ordinal);
    }

    /// <summary>What the scheduler counts: containers and sidecars together, or the largest init container, plus the overhead.</summary>
    private static long Requested(JsonElement pod, string resource, Func<string?, long> amount)
    {
        long Of(JsonElement container) => amount(container.Text("resources", "requests", resource));

        var init = pod.At("spec", "initContainers").Items().ToList();
        var sidecars = init.Where(container => container.Text("restartPolicy") == "Always").Sum(Of);
        var running = pod.At("spec", "containers").Items().Sum(Of) + sidecars;
        var starting = init.Select(Of).DefaultIfEmpty().Max();
        return Math.Max(running, starting) + amount(pod.Text("spec", "overhead", resource));
    }
}

/// <summary>Disruption budgets.</summary>
internal static class BudgetSnapshots
{
    // policy/v1: a null selector matches no pods, an empty one all pods of the namespace.
    public static BudgetSnapshot From(JsonElement budget) => new(
        budget.Ref(), budget.At("spec", "selector") is { ValueKind: JsonValueKind.Object } selector ? SelectorReading.From(selector) : LabelSelector.Nothing)
    {
        ResourceVersion = budget.ResourceVersion(),
        DisruptionsAllowed = budget.Number("status", "disruptionsAllowed") ?? 0,
        CurrentHealthy = budget.Number("status", "currentHealthy") ?? 0,
        DesiredHealthy = budget.Number("status", "desiredHealthy") ?? 0,
        ExpectedPods = budget.Number("status", "expectedPods") ?? 0,
        MinAvailable = budget.Text("spec", "minAvailable"),
        MaxUnavailable = budget.Text("spec", "maxUnavailable"),
        IsObserved = (budget.Number("status", "observedGeneration") ?? 0) >= (budget.Number("metadata", "generation") ?? 0),
        AlwaysAllowUnhealthy = budget.Text("spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow",
    };
}

/// <summary>Label selectors as they stand in objects.</summary>
internal static class SelectorReading
{
    public static LabelSelector From(JsonElement selector) => new(selector.Map("matchLabels"), Requirements(selector.At("matchExpressions")));

    public static IReadOnlyList<LabelRequirement> Requirements(JsonElement expressions) =>
    [
        .. expressions.Items().Select(expression => new LabelRequirement(
            expression.Text("key") ?? "", expression.Text("operator") ?? "", expression.Texts("values"))),
    ];
}

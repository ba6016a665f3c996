using Drydock.Api;
using Drydock.Server.Rest;

namespace Drydock.Server.Callers;

/// <summary>What a request needs besides the permission of its endpoint, for what stands in its body.</summary>
internal static class SpecialPermissions
{
    /// <summary>An endpoint filter: asks for them before the endpoint runs.</summary>
    public static async ValueTask<object?> CheckAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var context = invocation.HttpContext;
        var needed = invocation.Arguments.OfType<IBody>().SelectMany(static body => Of(body.Content)).Distinct().ToList();
        if (needed.Count > 0
            && await context.RequestServices.GetRequiredService<AccessGate>().CheckAsync(context, needed) is { } problem)
        {
            return new ProblemResult(problem);
        }

        return await next(invocation);
    }

    /// <summary>The permissions that a body needs.</summary>
    internal static IEnumerable<Permission> Of(object? body) => body switch
    {
        MaintenanceSettings settings => OfSettings(settings),
        RolloutCreate rollout => Of(rollout.Maintenance),
        WindowCreate window => Of(window.Rollout),
        _ => [],
    };

    private static IEnumerable<Permission> OfSettings(MaintenanceSettings settings)
    {
        // No grace at all is what kubectl calls force: the API server removes the pod, wherever its containers are.
        if (Is(settings.Drain?.OnTimeout, "Force")
            || (DurationText.TryParse(settings.Drain?.GracePeriod ?? "", out var grace) && grace < TimeSpan.FromSeconds(1)))
        {
            yield return Permissions.Force;
        }

        HookAction?[] hooks = [.. settings.Hooks?.BeforeDrain ?? [], .. settings.Hooks?.AfterDrain ?? [], .. settings.Hooks?.BeforeUncordon ?? []];
        foreach (var own in hooks.Append<ActionSettings?>(settings.ActionOptions).Where(static action => action?.Manifest is not null))
        {
            // Whoever brings a Job must be able to create it himself: without a namespace it is asked for all of them, and refused as a field later.
            yield return Permissions.CreateJobs(ActionRequests.NamespaceOf(own));
        }

        // None and Hold touch nothing but the drain; whatever else there is acts on the machine itself.
        IEnumerable<string?> kinds = [settings.Action, .. hooks.Select(static hook => hook?.Kind)];
        if (kinds.OfType<string>().Any(static kind => !Is(kind, "None") && !Is(kind, "Hold")))
        {
            yield return Permissions.Privileged;
        }
    }

    private static bool Is(string? text, string name) => string.Equals(text?.Trim(), name, StringComparison.OrdinalIgnoreCase);
}

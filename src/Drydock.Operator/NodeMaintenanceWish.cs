using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Operator;

/// <summary>The annotations of a NodeMaintenance that say more than the Node Maintenance Operator knows.</summary>
public static class NodeMaintenanceAnnotations
{
    /// <summary>
    /// What happens after the drain: <c>Hold</c> (default) or <c>None</c>. Whatever acts on the machine itself needs a permission that an
    /// annotation cannot show: start that by REST.
    /// </summary>
    public const string Action = "drydock.dev/action";

    /// <summary>A Job of one's own: never followed, always refused, since an object does not say who wrote it.</summary>
    public const string Manifest = "drydock.dev/manifest";

    /// <summary>The <see cref="MaintenancePolicy"/> it is under.</summary>
    public const string Policy = "drydock.dev/policy";

    /// <summary>The window in which it may begin.</summary>
    public const string Window = "drydock.dev/window";

    /// <summary><c>true</c>: the node must be healthy before a deletion gives it back. The policy may ask for that too.</summary>
    public const string HealthOnDelete = "drydock.dev/health-on-delete";
}

/// <summary>What the annotations of a NodeMaintenance ask for.</summary>
/// <param name="Action">What happens after the drain.</param>
/// <param name="Policy">The policy it is under, or null.</param>
/// <param name="Problem">Why it cannot be done as it is written, or null.</param>
/// <param name="WaitsFor">What it waits for, one sentence, or null.</param>
/// <param name="WaitsUntil">Until when, or null: it may begin.</param>
internal sealed record NodeMaintenanceWish(
    MaintenanceAction Action, string? Policy = null, string? Problem = null, string? WaitsFor = null, DateTimeOffset? WaitsUntil = null)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(1);
    private static readonly MaintenanceAction[] Allowed = [MaintenanceAction.Hold, MaintenanceAction.None];

    /// <summary>The request with what the annotations ask for.</summary>
    public MaintenanceRequest Apply(MaintenanceRequest request) => request with { Action = Action, Policy = Policy };

    /// <summary>Reads it.</summary>
    public static async Task<NodeMaintenanceWish> ReadAsync(
        NodeMaintenanceSnapshot resource, DurableTaskClient client, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (ActionProblem(resource.Annotations) is { } problem)
        {
            return new(MaintenanceAction.Hold, Problem: problem);
        }

        var wish = new NodeMaintenanceWish(
            ReadAction(resource.Annotations) ?? MaintenanceAction.Hold, resource.Annotations.GetValueOrDefault(NodeMaintenanceAnnotations.Policy));
        return resource.Annotations.GetValueOrDefault(NodeMaintenanceAnnotations.Window) is { } window
            ? await ReadWindowAsync(wish, window, client, now, cancellationToken)
            : wish;
    }

    /// <summary>It is a problem that this found, not how a maintenance ended.</summary>
    public static bool IsProblem(string? text) =>
        text is not null && (text.StartsWith("Annotation ", StringComparison.Ordinal) || text.StartsWith("Window ", StringComparison.Ordinal));

    /// <summary>What is wrong with the action that the annotations ask for, or null.</summary>
    public static string? ActionProblem(IReadOnlyDictionary<string, string> annotations) =>
        annotations.ContainsKey(NodeMaintenanceAnnotations.Manifest)
        ? $"Annotation {NodeMaintenanceAnnotations.Manifest}: a NodeMaintenance brings no Job of its own; start that by REST, as somebody who may create Jobs."
        : ReadAction(annotations) is null
        ? $"Annotation {NodeMaintenanceAnnotations.Action}: '{annotations[NodeMaintenanceAnnotations.Action]}' is not allowed; allowed: {string.Join(", ", Allowed)}."
        : null;

    /// <summary>Nothing that <see cref="ActionProblem"/> looks at is another.</summary>
    public static bool AsksForTheSameAction(IReadOnlyDictionary<string, string> one, IReadOnlyDictionary<string, string> other) =>
        one.GetValueOrDefault(NodeMaintenanceAnnotations.Action) == other.GetValueOrDefault(NodeMaintenanceAnnotations.Action)
        && one.GetValueOrDefault(NodeMaintenanceAnnotations.Manifest) == other.GetValueOrDefault(NodeMaintenanceAnnotations.Manifest);

    private static MaintenanceAction? ReadAction(IReadOnlyDictionary<string, string> annotations) =>
        annotations.GetValueOrDefault(NodeMaintenanceAnnotations.Action) is not { } text ? MaintenanceAction.Hold
        : Array.Find(Allowed, one => one.ToString().Equals(text, StringComparison.OrdinalIgnoreCase)) is var found
            && found.ToString().Equals(text, StringComparison.OrdinalIgnoreCase) ? found
        : null;

    private static async Task<NodeMaintenanceWish> ReadWindowAsync(
        NodeMaintenanceWish wish, string name, DurableTaskClient client, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var instance = await client.GetInstanceAsync(InstanceIds.Window(name), getInputsAndOutputs: true, cancellationToken);
        if (instance is not { IsCompleted: false } || instance.ReadInputAs<WindowRequest>() is not { } window)
        {
            // It may come later: objects are applied in any order.
            return wish with { WaitsFor = $"Waits for window {name}, which does not exist.", WaitsUntil = now + LookAgain };
        }

        if (instance.ReadCustomStatusAs<WindowStatus>() is { IsCancelled: true })
        {
            return wish with { WaitsFor = $"Waits for window {name}, which is being removed: it opens no more until it is set up again.", WaitsUntil = now + LookAgain };
        }

        RolloutOpening? next;
        try
        {
            next = WindowCalendar.Next(window, now);
        }
        catch (FormatException mistake)
        {
            return wish with { Problem = $"Window {name} cannot be followed: {mistake.Message}" };
        }

        return next switch
        {
            null => wish with { Problem = $"Window {name} never opens again." },
            var opening when opening.From > now => wish with
            {
                WaitsFor = $"Waits for window {name}, which opens at {opening.From:u}.", WaitsUntil = Earlier(opening.From, now + LookAgain),
            },
            _ => wish,
        };
    }

    // A window may be replaced meanwhile.
    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;
}

using System.Text.RegularExpressions;
using Drydock.Kubernetes.Api;

namespace Drydock.Kubernetes.Eviction;

/// <summary>
/// Reads what an answer to an eviction means: by HTTP code, by the reason of its causes and by a part of its message, never by the whole
/// message, which differs between versions.
/// </summary>
internal static partial class EvictionAnswers
{
    // One per virtual machine, made by KubeVirt up to 1.5 (facts 2.3.3).
    private const string KubeVirtBudget = "kubevirt-disruption-budget-";

    /// <summary>The outcome, or null for an answer that says nothing about the eviction (401, an unexpected 5xx).</summary>
    public static EvictionOutcome? Classify(ObjectRef pod, ApiAnswer answer) => answer.Code switch
    {
        >= 200 and < 300 => new EvictionOutcome(EvictionAnswer.Accepted),
        401 => null,
        404 => NotFound(answer),
        409 => Conflict(answer),
        429 => TooMany(pod, answer),
        >= 500 => ServerError(pod, answer),
        _ => Denied(answer),
    };

    private static EvictionOutcome NotFound(ApiAnswer answer) =>
        answer.IsStatus && !answer.Message.Contains("could not find the requested resource", StringComparison.Ordinal)
            ? Outcome(EvictionAnswer.Gone, answer)
            : Outcome(EvictionAnswer.Refused, answer);

    private static EvictionOutcome Conflict(ApiAnswer answer) =>
        answer.Message.Contains("UID in the precondition", StringComparison.Ordinal)
            ? Outcome(EvictionAnswer.Gone, answer)
            : Outcome(EvictionAnswer.Refused, answer);

    private static EvictionOutcome TooMany(ObjectRef pod, ApiAnswer answer)
    {
        if (answer.Causes.FirstOrDefault(cause => cause.Reason == "DisruptionBudget") is { Reason: not null } cause)
        {
            return Budget(pod, answer, cause.Message ?? "");
        }

        var message = answer.Message;
        if (message.Contains("riggered evacuation of VMI", StringComparison.Ordinal))
        {
            return Outcome(EvictionAnswer.VmMigrating, answer, VmiIn(pod, message));
        }

        if (message.Contains("not live-migratable", StringComparison.Ordinal))
        {
            return Outcome(EvictionAnswer.VmNotMigratable, answer, VmiIn(pod, message));
        }

        if (message.Contains("Eviction request for target Pod", StringComparison.Ordinal))
        {
            return Outcome(EvictionAnswer.MigrationTarget, answer);
        }

        if (message.Contains("cannot evict hotplug pod", StringComparison.Ordinal))
        {
            return Outcome(EvictionAnswer.HotplugVolumePod, answer);
        }

        return message.Contains("disruption budget", StringComparison.Ordinal)
            ? Outcome(EvictionAnswer.BudgetExhausted, answer)
            : Webhook(answer) ?? Outcome(EvictionAnswer.Throttled, answer);
    }

    private static EvictionOutcome Budget(ObjectRef pod, ApiAnswer answer, string cause)
    {
        var name = BudgetName().Match(cause) is { Success: true } match ? match.Groups["name"].Value : null;
        if (name is not null && name.StartsWith(KubeVirtBudget, StringComparison.Ordinal))
        {
            // Up to 1.2 its webhook marks the instance and lets the request pass, since the budget it made stops it: the machine migrates.
            return new EvictionOutcome(EvictionAnswer.VmMigrating, cause, null, answer.RetryAfter);
        }

        var budget = name is null ? null : $"poddisruptionbudget/{pod.Namespace}/{name}";
        var kind = cause.Contains("still being processed", StringComparison.Ordinal)
            ? EvictionAnswer.BudgetNotObserved
            : EvictionAnswer.BudgetExhausted;
        return new EvictionOutcome(kind, cause.Length == 0 ? answer.Message : cause, budget, answer.RetryAfter);
    }

    private static EvictionOutcome? ServerError(ObjectRef pod, ApiAnswer answer)
    {
        var message = answer.Message;
        if (message.Contains("more than one PodDisruptionBudget", StringComparison.Ordinal))
        {
            return Outcome(EvictionAnswer.SeveralBudgets, answer);
        }

        if (message.Contains("failed calling webhook", StringComparison.Ordinal))
        {
            return Outcome(EvictionAnswer.WebhookUnreachable, answer, WebhookIn(message));
        }

        // 504 "couldn't update PodDisruptionBudget "x" due to conflicts": many evictions at once under one budget.
        return ConflictedBudget().Match(message) is { Success: true } match
            ? Outcome(EvictionAnswer.BudgetNotObserved, answer, $"poddisruptionbudget/{pod.Namespace}/{match.Groups["name"].Value}")
            : Webhook(answer);
    }

    private static EvictionOutcome Denied(ApiAnswer answer)
    {
        if (answer.Causes.Any(cause => cause.Reason == "NamespaceTerminating"))
        {
            return Outcome(EvictionAnswer.NamespaceTerminating, answer);
        }

        if (Webhook(answer) is { } denied)
        {
            return denied;
        }

        if (answer.Code != 403)
        {
            return Outcome(EvictionAnswer.Refused, answer);
        }

        // The eviction handler answers 403 too when the budget's own bookkeeping is out of step; its controller sets that right.
        return answer.Message.Contains("DisruptedPods map too big", StringComparison.Ordinal)
            || answer.Message.Contains("disruptions allowed is negative", StringComparison.Ordinal)
                ? Outcome(EvictionAnswer.BudgetNotObserved, answer)
                : new EvictionOutcome(EvictionAnswer.Forbidden, ApiErrors.From(answer).Message);
    }

    private static EvictionOutcome? Webhook(ApiAnswer answer) =>
        answer.Message.Contains("denied the request", StringComparison.Ordinal)
        || answer.Message.Contains("denied request", StringComparison.Ordinal)
            ? Outcome(EvictionAnswer.WebhookDenied, answer, WebhookIn(answer.Message))
            : null;

    private static string? WebhookIn(string message) =>
        WebhookName().Match(message) is { Success: true } match ? "webhook/" + match.Groups["name"].Value : null;

    private static string? VmiIn(ObjectRef pod, string message)
    {
        var match = VmiName().Match(message);
        if (!match.Success)
        {
            return null;
        }

        var qualified = match.Groups["qualified"];
        return qualified.Success ? $"vmi/{qualified.Value}" : $"vmi/{pod.Namespace}/{match.Groups["name"].Value}";
    }

    private static EvictionOutcome Outcome(EvictionAnswer kind, ApiAnswer answer, string? about = null) =>
        new(kind, answer.Message, about, answer.RetryAfter);

    [GeneratedRegex("""disruption budget (?<name>\S+) """, RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex BudgetName();

    [GeneratedRegex("""PodDisruptionBudget "(?<name>[^"]+)" due to conflicts""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ConflictedBudget();

    [GeneratedRegex("""VMI ("(?<qualified>[^"]+)"|(?<name>\S+) is configured)""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex VmiName();

    [GeneratedRegex("""(webhook "|Policy ')(?<name>[^"']+)["']""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex WebhookName();
}

using Drydock.Api;

namespace Drydock.Cli.Output;

/// <summary>A plan as lines for people: every pod and every VM, what will happen to it and why, then what stands in the way.</summary>
internal static class PlanText
{
    /// <summary>The lines.</summary>
    public static IEnumerable<string> Lines(PlanView plan)
    {
        yield return $"Plan for node {plan.Node}: {Counts(plan)}";
        if (plan.WasCordoned)
        {
            yield return "  The node is cordoned already, by somebody else; it stays cordoned afterwards.";
        }

        foreach (var line in Section("STEPS", plan.Steps.Select(step => new[] { step.Kind, step.Message })))
        {
            yield return line;
        }

        foreach (var line in Section("PODS", plan.Pods.OrderBy(Rank).ThenBy(pod => pod.Order).Select(pod => new[] { Verb(pod.Verdict), $"{pod.Namespace}/{pod.Name}", pod.Reason })))
        {
            yield return line;
        }

        foreach (var line in Section("VIRTUAL MACHINES", plan.Vms.Select(vm => new[] { Verb(vm.Fate), $"{vm.Namespace}/{vm.Name}", Why(vm) })))
        {
            yield return line;
        }

        if (plan.Findings.Count > 0)
        {
            yield return "  IN THE WAY";
            foreach (var line in plan.Findings.SelectMany(FindingLines))
            {
                yield return line;
            }
        }
    }

    /// <summary>The lines of several plans: what follows from draining the nodes together comes first.</summary>
    public static IEnumerable<string> Lines(PlansView plans)
    {
        yield return $"{plans.Plans.Count} nodes drained together: {(plans.CanStart ? "nothing refuses it." : "it would be refused.")}";
        foreach (var line in plans.Findings.SelectMany(FindingLines))
        {
            yield return line;
        }

        foreach (var line in plans.Plans.SelectMany(plan => Lines(plan).Prepend("")))
        {
            yield return line;
        }
    }

    /// <summary>A finding: its sentence, and below it what to do.</summary>
    public static IEnumerable<string> FindingLines(FindingView finding)
    {
        yield return $"    {Severity(finding.Severity),-8}{finding.Message}";
        if (finding.NextStep is { } next)
        {
            yield return $"            -> {next}";
        }
    }

    private static IEnumerable<string> Section(string title, IEnumerable<string[]> rows)
    {
        var lines = Columns.Align("    ", [.. rows]);
        return lines.Any() ? lines.Prepend($"  {title}") : [];
    }

    private static string Counts(PlanView plan)
    {
        var evict = plan.Pods.Count(pod => pod.Verdict == "Evict");
        var keep = plan.Pods.Count(pod => pod.Verdict == "Keep");
        var deny = plan.Pods.Count(pod => pod.Verdict == "Deny");
        var move = plan.Vms.Count(vm => vm.Fate != "Stays");
        return $"{evict} {(evict == 1 ? "pod" : "pods")} to evict, {move} virtual {(move == 1 ? "machine" : "machines")} to move, {keep} {(keep == 1 ? "pod stays" : "pods stay")}"
            + (deny > 0 ? $", {deny} {(deny == 1 ? "refuses" : "refuse")} the drain" : "") + ".";
    }

    private static int Rank(PlannedPod pod) => pod.Verdict switch { "Deny" => 0, "Evict" => 1, "AwaitCompletion" => 2, "MoveVm" => 3, _ => 4 };

    private static string Why(PlannedVm vm) => vm.EvictionStrategy is null
        ? vm.Reason
        : $"{vm.Reason}{(vm.WhyNotMigratable is { } why && !vm.Reason.Contains(why, StringComparison.Ordinal) ? $" {why}" : "")} [{vm.EvictionStrategy}{(vm.StrategySource is null ? "" : $" from {vm.StrategySource}")}{(vm.RunStrategy is null ? "" : $", run strategy {vm.RunStrategy}")}]";

    private static string Verb(string verdict) => verdict switch
    {
        "Evict" => "evict",
        "Keep" => "keep",
        "Deny" => "REFUSES",
        "AwaitCompletion" => "waits for its end",
        "MoveVm" => "with its VM",
        "Migrates" => "migrates",
        "RestartsElsewhere" => "restarts elsewhere",
        "StaysDown" => "stays down",
        "StoppedAndRestored" => "stopped and restored",
        "WaitsForExternal" => "waits for its owner",
        "Blocks" => "BLOCKS",
        "Stays" => "stays",
        _ => verdict,
    };

    private static string Severity(string severity) => severity switch
    {
        "Refuses" => "refuses",
        "Blocks" => "holds",
        "Notes" => "note",
        _ => severity,
    };
}

using Drydock.Api;

namespace Drydock.Cli.Output;

/// <summary>How a maintenance ended, as lines for people: time of each step, what was done to each pod and VM, what is left behind.</summary>
internal static class SummaryText
{
    /// <summary>The lines.</summary>
    public static IEnumerable<string> Lines(MaintenanceView view)
    {
        yield return $"Node {view.Node}: {view.State.ToString().ToLowerInvariant()}{Wall(view)}. {view.Message}";
        foreach (var line in Section("STEPS", [.. view.Steps.Select(step => new[] { step.Step, Elapsed.Format(step.To - step.From) })]))
        {
            yield return line;
        }

        foreach (var line in Section("ACTIONS", [.. view.Actions.Select(ActionRow)]).Concat(Section("APPROVALS", [.. view.Approvals.Select(ApprovalRow)])))
        {
            yield return line;
        }

        foreach (var line in Section("PODS", [.. (view.Report?.Pods ?? []).Select(PodRow)]))
        {
            yield return line;
        }

        foreach (var line in Section("VIRTUAL MACHINES", [.. view.Vms.Select(VmRow)]))
        {
            yield return line;
        }

        if (view.Findings.Count > 0)
        {
            yield return "  WHY";
            foreach (var line in view.Findings.SelectMany(PlanText.FindingLines))
            {
                yield return line;
            }
        }

        yield return "  LEFT BEHIND";
        foreach (var line in view.LeftBehind.DefaultIfEmpty("nothing"))
        {
            yield return $"    {line}";
        }
    }

    private static string Wall(MaintenanceView view) => view.EndedAt is { } end ? $" in {Elapsed.Format(end - view.StartedAt)}" : "";

    private static string[] ActionRow(ActionView action) =>
    [
        $"{action.Point} {action.Kind}{(action.Template is { } template ? $" {template}" : "")}", action.Outcome ?? $"not over ({action.Key})", action.Message,
    ];

    private static string[] ApprovalRow(ApprovalView decision) =>
    [
        decision.Gate, $"{(decision.IsApproved ? "approved" : "REJECTED")} by {decision.By}", decision.Reason ?? "",
    ];

    private static string[] PodRow(PodResultView pod) =>
    [
        $"{pod.Namespace}/{pod.Name}",
        pod switch
        {
            { IsGone: true, AcceptedAt: { } accepted, GoneAt: { } gone } => $"gone {Elapsed.Format(gone - accepted)} after its eviction was accepted",
            { IsGone: true } => "gone",
            { AcceptedAt: not null } => "STILL TERMINATING",
            _ => "STILL THERE",
        },
        $"{pod.Attempts} {(pod.Attempts == 1 ? "eviction" : "evictions")}{(pod.IsGone || pod.LastAnswer is null ? "" : $", last answer {pod.LastAnswer}")}",
    ];

    private static string[] VmRow(VmView vm) =>
    [
        $"{vm.Namespace}/{vm.Name}",
        ProgressLines.VmText(vm),
        vm.Attempts == 0 ? "" : $"{vm.Attempts} {(vm.Attempts == 1 ? "migration" : "migrations")}",
    ];

    private static IEnumerable<string> Section(string title, IReadOnlyList<string[]> rows) =>
        rows.Count == 0 ? [] : Columns.Align("    ", rows).Prepend($"  {title}");
}

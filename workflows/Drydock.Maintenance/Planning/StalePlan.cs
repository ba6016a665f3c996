namespace Drydock.Maintenance.Planning;

/// <summary>A plan that was approved, or whose lease was free, long after it was read: it is read again, and what refuses by now counts. Pure.</summary>
internal static class StalePlan
{
    /// <summary>How long what was read may be believed.</summary>
    public static readonly TimeSpan Lasts = TimeSpan.FromMinutes(10);

    /// <summary>The plan to go by: what is there now; the policy and the steps are those of the plan before, which may have been before.</summary>
    public static MaintenancePlan Renewed(MaintenancePlan before, MaintenancePlan now)
    {
        if (now.NodeUid is not null && now.NodeUid != before.NodeUid)
        {
            return now with
            {
                Findings = [new(FindingSeverity.Refuses, "node-replaced", $"Node {now.Node} is another one of that name by now.", $"node/{now.Node}"), .. now.Findings],
            };
        }

        var known = before.Findings.Select(static finding => finding.Message).ToHashSet(StringComparer.Ordinal);
        var news = now.Findings.Where(finding => finding.Severity != FindingSeverity.Refuses && !known.Contains(finding.Message)).ToList();
        return now with
        {
            Policy = before.Policy,
            Steps = before.Steps,
            Host = before.Host,
            Findings = news.Count == 0 ? now.Findings :
            [
                .. now.Findings,
                new(
                    FindingSeverity.Notes, "plan-changed",
                    $"Since {before.At:u}, when the plan{(before.GoesStale ? " that was approved" : "")} was read, this has come: {string.Join(" ", news.Take(5).Select(static finding => finding.Message))}{(news.Count > 5 ? $" And {news.Count - 5} more." : "")}",
                    $"node/{now.Node}"),
            ],
        };
    }
}

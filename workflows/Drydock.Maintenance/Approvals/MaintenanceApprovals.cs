using Drydock.Maintenance.Actions;

namespace Drydock.Maintenance.Approvals;

/// <summary>The gates of one maintenance: waits until somebody decides, for days if need be, and keeps who, when and why.</summary>
internal sealed class MaintenanceApprovals(
    TaskOrchestrationContext context, MaintenanceRequest request, MaintenanceProgress progress, MaintenanceChildren children, CancelWish cancel)
{
    private readonly HashSet<ApprovalGate> _passed = [];

    /// <summary>Null once it is approved, now or before, or where nobody has to; else how the maintenance ends.</summary>
    public async Task<MaintenanceEnd?> PassAsync(ApprovalGate gate, MaintenancePolicy? policy)
    {
        if (!Resolve.Waits(request, policy, gate) || _passed.Contains(gate))
        {
            return null;
        }

        var (askedAt, deadline) = (context.Now(), context.Now() + request.Approval.Timeout);
        var question = $"Waiting until somebody approves {What(gate)} of node {request.Node}.";
        progress.AwaitApproval(gate, question, deadline);
        var what = $"approval-{Kebab.Of(gate.ToString())}";
        children.StartReminder(what, "ApprovalNeeded", question, request.Approval.RemindEvery);
        var answer = context.WaitForExternalEvent<Approval>(MaintenanceEvents.Approval(gate));
        var end = await children.WaitAsync(answer, untilDeadline: true, cancel);
        children.EndReminder(what);
        if (end is not null)
        {
            return end;
        }

        if (!answer.IsCompleted)
        {
            return Rejected(gate, $"Nobody approved {What(gate)} within {Spoken.Of(progress.Given(request.Approval.Timeout))}.", isDecided: false);
        }

        var decision = await answer;
        progress.Decided(new ApprovalRecord(gate, decision.IsApproved, decision.By, decision.Reason, askedAt, context.Now()));
        return decision.IsApproved && _passed.Add(gate)
            ? null
            : Rejected(gate, $"{decision.By} rejected {What(gate)}{(decision.Reason is { Length: > 0 } why ? $": {why.TrimEnd('.')}" : "")}.", isDecided: true);
    }

    private static string What(ApprovalGate gate) => gate switch
    {
        ApprovalGate.Start => "the maintenance",
        ApprovalGate.Action => "the action",
        _ => "the uncordon",
    };

    // Before the start nothing is changed. A node that somebody did not want to take work stays cordoned. Else it is a person's stop.
    private static MaintenanceEnd Rejected(ApprovalGate gate, string why, bool isDecided) => gate switch
    {
        ApprovalGate.Start => new(MaintenanceOutcome.Refused, why),
        ApprovalGate.Uncordon => new(MaintenanceOutcome.Failed, why, KeepNode: true),
        _ => new(isDecided ? MaintenanceOutcome.Cancelled : MaintenanceOutcome.Failed, why),
    };
}

using Drydock.Maintenance.Approvals;
using Drydock.Maintenance.Node;

namespace Drydock.Maintenance.Actions;

/// <summary>The actions and hooks of one maintenance, one after the other.</summary>
internal sealed class MaintenanceActions(
    TaskOrchestrationContext context,
    MaintenanceRequest request,
    string holder,
    MaintenanceProgress progress,
    MaintenanceChildren children,
    MaintenanceApprovals approvals,
    CancelWish cancel)
{
    /// <summary>When the last action saw a new boot ID; null: it saw none, and whoever is at work on the node may have booted it.</summary>
    public DateTimeOffset? RebootedAt { get; private set; }

    /// <summary>Whoever ended the hold asked for no health check.</summary>
    public bool SkipHealth { get; private set; }

    /// <summary>What is worth knowing of them for the report.</summary>
    public IReadOnlyList<PlanFinding> Findings { get; private set; } = [];

    /// <summary>An action took the machine down, or was about to, and the node was not seen healthy since.</summary>
    public bool MayBeDown => _wentDown is not null;

    private const string NotBegun = "It was not begun.";

    private ActionInput? _wentDown;
    private ActionInput? _held;

    /// <summary>Takes all actions of a point. Null if all did what they should; else how the maintenance ends.</summary>
    public async Task<MaintenanceEnd?> TakeAsync(ActionPoint point, MaintenancePlan plan, string? bootId)
    {
        var steps = ActionPlanner.StepsOf(request).Where(step => step.Point == point).Select(step => step.Step).ToList();
        for (var index = 0; index < steps.Count; index++)
        {
            if ((await children.PassAsync(cancel) ?? await MayGoDownAsync(steps[index], plan)) is { } stopped)
            {
                return stopped;
            }

            var key = point == ActionPoint.Action ? "action" : $"{Kebab.Of(point.ToString())}-{index + 1}";
            var timeout = Resolve.Timeout(steps[index], plan.Policy);
            DateTimeOffset? deadline = timeout is { } span ? context.Now() + span : null;
            progress.Begin(new ActionRecord(key, point, steps[index], "It begins.") { From = context.Now() }, deadline);
            var end = steps[index].Kind == MaintenanceAction.Hold
                ? await HoldAsync(InputOf(key, steps[index], plan, bootId, deadline ?? context.Now(), Resolve.PowerTimeout), point, plan.SeesMachineBack)
                : await BeginAsync(InputOf(key, steps[index], plan, bootId, deadline!.Value, timeout!.Value), plan.SeesMachineBack);
            if (end is not null)
            {
                // What is asked before the uncordon is whether the node may take work: without a yes it does not.
                return point == ActionPoint.BeforeUncordon ? Kept(end) : end;
            }
        }

        return null;
    }

    /// <summary>A machine goes down when that is approved, wherever in the maintenance it does, and under nothing that has come to it meanwhile.</summary>
    private async Task<MaintenanceEnd?> MayGoDownAsync(ActionStep step, MaintenancePlan plan) =>
        plan.GuardsPower && Resolve.TakesDown(step)
            ? await approvals.PassAsync(ApprovalGate.Action, plan.Policy) ?? await children.EmptyAgainAsync(cancel)
            : null;

    /// <summary>Begins an action and sees it through, unless the maintenance is to end, or to begin nothing, by the time that it is ready.</summary>
    private async Task<MaintenanceEnd?> BeginAsync(ActionInput action, bool seesMachineBack)
    {
        try
        {
            action = action with { BootId = await BootIdAsync(action) };
        }
        catch (TaskFailedException failure)
        {
            if (action.EndsPromptly && await cancel.EndAsync() is { } cancelled)
            {
                progress.Over(ActionOutcome.Cancelled, NotBegun);
                return cancelled;
            }

            progress.Over(ActionOutcome.Failed, failure.Sentence());
            throw;
        }

        if (!action.EndsPromptly)
        {
            return await SeeThroughAsync(action, seesMachineBack);
        }

        if ((await children.PassAsync(cancel) ?? await cancel.EndAsync()) is { } stopped)
        {
            progress.Over(ActionOutcome.Cancelled, NotBegun);
            return stopped;
        }

        // It may have been suspended, or given longer, meanwhile.
        var deadline = progress.Deadline ?? action.Deadline;
        return await SeeThroughAsync(action with { Deadline = deadline, Timeout = ActionRun.After(action.Step.Kind, action.Timeout, deadline - action.Deadline) }, seesMachineBack);
    }

    // Read anew: a node that has booted since it was marked, whoever did that, would pass for rebooted before the action has begun.
    private async Task<string?> BootIdAsync(ActionInput action)
    {
        if (!Resolve.TakesDown(action.Step))
        {
            return action.BootId;
        }

        var node = new NodeInput(request.Node, holder);
        var reading = action.EndsPromptly
            ? await context.Do<NodeReading>(Activities.ReadNode, node, cancel.Said)
            : await context.Do<NodeReading>(Activities.ReadNode, node);
        return reading.Baseline?.BootId ?? action.BootId;
    }

    private ActionInput InputOf(string key, ActionStep step, MaintenancePlan plan, string? bootId, DateTimeOffset deadline, TimeSpan timeout) =>
        new(request.Node, holder, context.InstanceId, key, step, deadline)
        {
            Timeout = timeout,
            BootId = bootId,
            Job = Resolve.Job(step, plan.Policy),
            Webhook = Resolve.Webhook(step, plan.Policy),
            Host = plan.Host,
            Reason = request.Reason,
            RequestedBy = request.RequestedBy,
            RetriesGoOn = true,
            IsWatched = step.Kind == MaintenanceAction.PowerCycle && plan.GuardsPower,
            LooksOn = plan.SeesMachineBack,
            EndsPromptly = plan.EndsPromptly,
        };

    /// <summary>Waits until somebody says complete.</summary>
    private async Task<MaintenanceEnd?> HoldAsync(ActionInput input, ActionPoint point, bool seesMachineBack)
    {
        var (key, step) = (input.Key, input.Step);
        _held = seesMachineBack ? input : null;
        var message = $"Node {request.Node} is held until somebody says complete.";
        progress.Hold(message);
        RebootedAt = null;
        children.StartReminder(key, "MaintenanceHeld", message, step.Options.RemindEvery);
        var complete = SaidAsync(key);
        var end = await children.WaitAsync(complete, untilDeadline: true, cancel);
        children.EndReminder(key);
        if (end is not null)
        {
            progress.Over(ActionOutcome.Cancelled, end.Message);
            return Kept(end);
        }

        if (!complete.IsCompleted)
        {
            var why = $"Nobody said complete within {Spoken.Of(progress.Given(step.Options.Timeout ?? TimeSpan.Zero))}.";
            progress.Over(ActionOutcome.Failed, why);
            return Kept(new MaintenanceEnd(MaintenanceOutcome.Failed, why));
        }

        var said = await complete;
        progress.Over(ActionOutcome.Done, $"{said.By} said complete.{Skip(said, point)}");
        return null;
    }

    // Who ends a hold earlier than that says nothing of what is done to the node later.
    private string Skip(Complete said, ActionPoint point)
    {
        SkipHealth |= said.SkipHealth && point is (ActionPoint.Action or ActionPoint.BeforeUncordon);
        return said.SkipHealth && !SkipHealth ? " The node's health is checked all the same: the action comes later." : "";
    }

    // One that was meant for a wait before this says nothing of this one.
    private async Task<Complete> SaidAsync(string key)
    {
        while (true)
        {
            var said = await context.WaitForExternalEvent<Complete>(MaintenanceEvents.Complete);
            if (said.Wait is null || said.Wait == key)
            {
                return said;
            }
        }
    }

    /// <summary>An action in an orchestration of its own, which outlives a cancel until it has let go of whatever it held.</summary>
    private async Task<MaintenanceEnd?> SeeThroughAsync(ActionInput input, bool seesMachineBack)
    {
        if (seesMachineBack && Resolve.TakesDown(input.Step))
        {
            _wentDown = input;
        }

        var running = children.StartAction(input);
        var end = input.Step.Options.PowerOffUntilComplete
            ? await HandOverAsync(input, running)
            : await children.WaitAsync(running, untilDeadline: false, cancel);
        if (end is not null)
        {
            children.EndAction(input.Key);
        }

        if (end is { Outcome: MaintenanceOutcome.Cancelled })
        {
            // Until the action has let go of what it holds may take long.
            await children.StopLeavingAsync(isCancel: true, await cancel.MigrationsAsync(request.VirtualMachines.OnCancel));
        }

        var result = await ResultAsync(running);
        progress.Over(result.Outcome, result.Message);
        RebootedAt = result.RebootedAt;
        end ??= result.Outcome == ActionOutcome.Done ? null : new MaintenanceEnd(MaintenanceOutcome.Failed, result.Message);
        if (end is null || !Resolve.TakesDown(input.Step))
        {
            return end;
        }

        _wentDown = input;
        return Kept(end);
    }

    /// <summary>The node is healthy, whatever its machine went through.</summary>
    public void SeenHealthy() => (_wentDown, _held) = (null, null);

    /// <summary>
    /// After a cancel, before anything is put back: waits for a machine that is down or booting, because of an action of ours or of whoever the
    /// node was held for.
    /// </summary>
    public async Task BackAsync(bool seesMachineBack)
    {
        if ((_wentDown ?? _held) is { } action && await new MachineBack(context, progress, seesMachineBack ? children : null, action).AwaitAsync() is { } why)
        {
            Findings = [new PlanFinding(FindingSeverity.Notes, "machine-not-back", why, $"node/{request.Node}", "Look at the console of the machine.")];
        }
    }

    // Whoever was at the machine may be there still, or it is down: it must neither take work nor be remediated, whatever the failure policy says.
    private static MaintenanceEnd Kept(MaintenanceEnd end) => end with { KeepNode = end.Outcome == MaintenanceOutcome.Failed };

    // A refusal of the cluster that nobody expected ends the action like any other failure, in the report too.
    private static async Task<ActionResult> ResultAsync(Task<ActionResult> running)
    {
        try
        {
            return await running;
        }
        catch (TaskFailedException failure)
        {
            return new ActionResult(ActionOutcome.Failed, failure.Sentence());
        }
    }

    /// <summary>
    /// The machine is off: people work on it until they say complete, which the action is told. Nothing but that, or a person's cancel, has it
    /// switched on under their hands.
    /// </summary>
    private async Task<MaintenanceEnd?> HandOverAsync(ActionInput input, Task<ActionResult> running)
    {
        var off = context.WaitForExternalEvent<string>(ChildEvents.PoweredOff);
        if (await children.WaitAsync(Task.WhenAny(running, off), untilDeadline: false, cancel) is { } end)
        {
            return end;
        }

        if (running.IsCompleted)
        {
            return null;
        }

        progress.Hold($"{await off} It stays off until somebody says complete.");
        var complete = SaidAsync(input.Key);
        children.StartReminder(input.Key, "MachineIsOff", $"The machine of node {input.Node} is off until somebody says complete.", input.Step.Options.RemindEvery);
        MaintenanceEnd? stopped;
        do
        {
            stopped = await children.WaitAsync(Task.WhenAny(running, complete), untilDeadline: false, cancel);
        }
        while (input.LooksOn && stopped is { Outcome: MaintenanceOutcome.Failed } && !running.IsCompleted && !complete.IsCompleted);
        children.EndReminder(input.Key);
        if (stopped is not null || running.IsCompleted)
        {
            return stopped;
        }

        var said = await complete;
        var by = said.By;
        progress.Resume($"{by} said complete: the machine is switched on.{Skip(said, progress.Actions[^1].Point)}");
        context.SendEvent(InstanceIds.Action(context.InstanceId, input.Key), ActionEvents.Complete, by);
        return await children.WaitAsync(running, untilDeadline: false, cancel);
    }
}

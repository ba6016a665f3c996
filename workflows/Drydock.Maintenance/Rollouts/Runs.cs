namespace Drydock.Maintenance.Rollouts;

/// <summary>One node of a rollout, for <see cref="RunNodeOrchestrator"/>.</summary>
internal sealed record RunNodeInput(string Rollout, string InstanceId, MaintenanceRequest Request);

/// <summary>The rollout of an opening, for <see cref="RunRolloutOrchestrator"/>.</summary>
internal sealed record RunRolloutInput(string Window, string InstanceId, RolloutRequest Request);

/// <summary>The maintenance of a node is over.</summary>
/// <param name="Node">The node.</param>
/// <param name="InstanceId">Its maintenance.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Message">One sentence.</param>
/// <param name="IsHeldByOther">It never began: somebody else held the node.</param>
internal sealed record NodeDone(string Node, string InstanceId, MaintenanceOutcome Outcome, string Message, bool IsHeldByOther = false);

/// <summary>The rollout of an opening is over.</summary>
internal sealed record RolloutDone(string InstanceId, string Message);

/// <summary>
/// Runs the maintenance of one node and tells the rollout by an event how it ended. Not a child of the rollout: an orchestration
/// cannot continue with a fresh history while a child runs, and with several nodes at once there is always one.
/// </summary>
internal sealed class RunNodeOrchestrator : TaskOrchestrator<RunNodeInput, string>
{
    public override async Task<string> RunAsync(TaskOrchestrationContext context, RunNodeInput input)
    {
        var cancel = context.WaitForExternalEvent<Cancel>(RolloutEvents.Cancel);
        var running = context.CallSubOrchestratorAsync<MaintenanceReport>(
            Orchestrations.Maintenance, input.Request, new TaskOptions().WithInstanceId(input.InstanceId));
        if (await Task.WhenAny(running, cancel) == cancel)
        {
            context.SendEvent(input.InstanceId, MaintenanceEvents.Cancel, await cancel);
        }

        var done = await DoneAsync(context, input, running);
        context.SendEvent(input.Rollout, ChildEvents.NodeDone, done);
        return done.Message;
    }

    // A virtual machine that does not run where it was restarted counts against the failure budget too, unless somebody wants it down.
    private static async Task<NodeDone> DoneAsync(TaskOrchestrationContext context, RunNodeInput input, Task<MaintenanceReport> running)
    {
        try
        {
            var report = await running;
            var down = report.VirtualMachines.FirstOrDefault(vm => vm is { Outcome: VmOutcome.NotRunningAgain or VmOutcome.Stopped, IsRestored: false, IsUnwanted: false });
            return report.Outcome == MaintenanceOutcome.Completed && down is not null
                ? new(report.Node, input.InstanceId, MaintenanceOutcome.Failed, $"{report.Message} But virtual machine {down.Vmi}: {down.Message}")
                : new(report.Node, input.InstanceId, report.Outcome, report.Message, report.IsHeldByOther());
        }
        catch (TaskFailedException failure)
        {
            var after = await Abandoned.PutBackAsync(context, input);
            return new(input.Request.Node, input.InstanceId, MaintenanceOutcome.Failed, $"{failure.Sentence().TrimEnd('.')}. {after}");
        }
    }
}

/// <summary>Runs the rollout of an opening and tells the window by an event that it is over. Not a child, for the same reason.</summary>
internal sealed class RunRolloutOrchestrator : TaskOrchestrator<RunRolloutInput, string>
{
    public override async Task<string> RunAsync(TaskOrchestrationContext context, RunRolloutInput input)
    {
        string message;
        try
        {
            message = (await context.CallSubOrchestratorAsync<RolloutStatus>(
                Orchestrations.Rollout, input.Request, new TaskOptions().WithInstanceId(input.InstanceId))).Message;
        }
        catch (TaskFailedException failure)
        {
            // The next window is a new chance.
            message = failure.Sentence();
        }

        context.SendEvent(input.Window, ChildEvents.RolloutDone, new RolloutDone(input.InstanceId, message));
        return message;
    }
}

/// <summary>What to start: one of the two.</summary>
internal sealed record StartRunInput(string Parent, string InstanceId, RunNodeInput? Node = null, RunRolloutInput? Rollout = null);

/// <summary>Starts what runs a node or a rollout. Safe to run twice: an instance of that id is started once.</summary>
internal sealed class StartRunActivity(DurableTaskClient client) : TaskActivity<StartRunInput, bool>
{
    public override async Task<bool> RunAsync(TaskActivityContext context, StartRunInput input)
    {
        var options = new StartOrchestrationOptions(InstanceIds.Runner(input.Parent, input.InstanceId)).WithDedupeStatuses(
            OrchestrationRuntimeStatus.Pending,
            OrchestrationRuntimeStatus.Running,
            OrchestrationRuntimeStatus.Suspended,
            OrchestrationRuntimeStatus.Completed,
            OrchestrationRuntimeStatus.Failed,
            OrchestrationRuntimeStatus.Terminated);
        try
        {
            await HubCalls.DoAsync(() => client.ScheduleNewOrchestrationInstanceAsync(
                input.Node is null ? Orchestrations.RunRollout : Orchestrations.RunNode, (object?)input.Node ?? input.Rollout, options));
        }
        catch (OrchestrationAlreadyExistsException)
        {
            // This activity ran before and the process died before its result was on disk.
        }

        return true;
    }
}

using Drydock.Kubernetes;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Maintenance;

/// <content>What waits for KubeVirt's answer, and is told meanwhile.</content>
internal sealed partial class RestoreOrchestrator
{
    /// <summary>Tells machines that were asked to leave the node to stay, for two hours where nobody answers.</summary>
    private async Task TellToStayAsync(TaskOrchestrationContext context, RestoreRequest input)
    {
        if (!input.TellsToStay && input.Evacuated is null)
        {
            return;
        }

        foreach (var vm in input.Evacuated ?? [])
        {
            var why = "It is told to stay: its evacuation is withdrawn as soon as KubeVirt answers, for two hours.";
            Tell(context, new VmStatus(vm, VmProgress.Blocked, why) { Since = context.Now(), Deadline = context.Now() + LongestWaitToStart });
        }

        try
        {
            var what = new TellToStayInput(new Node.UndoInput(input.Node, input.Holder, input.UnderLease), input.Evacuated);
            var told = await AskAsync<Node.UndoResult>(context, Activities.TellToStay, what, input.Holder, static result => result.Verdict);
            Note(told, $"the evacuation of virtual machines of node {input.Node}", input.Node);
        }
        catch (TaskFailedException failure)
        {
            _leftBehind.Add($"Virtual machines of node {input.Node} that were asked to leave it may leave later: {failure.Sentence()}");
        }

        foreach (var vm in input.Evacuated ?? [])
        {
            TellOver(context, vm);
        }
    }

    /// <summary>It is being put back: nothing is known yet of what may be in the way.</summary>
    private void TellBegun(TaskOrchestrationContext context, ObjectRef vm) => Tell(context, new VmStatus(vm, VmProgress.Starting, "It is put back as soon as KubeVirt answers, for two hours.")
    {
        Since = context.Now(),
        Deadline = context.Now() + LongestWaitToStart,
    });

    /// <summary>There is nothing more to tell of it.</summary>
    private void TellOver(TaskOrchestrationContext context, ObjectRef vm)
    {
        _starting.Remove(vm.ToString());
        context.SetCustomStatus(new RestoreStatus([.. _starting.Values]));
    }

    private void Tell(TaskOrchestrationContext context, VmStatus status)
    {
        _starting[status.Vmi.ToString()] = status;
        context.SetCustomStatus(new RestoreStatus([.. _starting.Values]));
    }
}

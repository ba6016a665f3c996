using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.Drain;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>A virtual machine to move off a node.</summary>
/// <param name="Node">The node.</param>
/// <param name="Holder">Whose maintenance it is.</param>
/// <param name="Vm">The machine.</param>
/// <param name="Policy">How it leaves.</param>
/// <param name="GracePeriod">Grace period of the launcher pod, or null: its own.</param>
/// <param name="Deadline">When the node must be empty.</param>
/// <param name="OnTimeout">What then.</param>
/// <param name="State">What was done in earlier generations.</param>
internal sealed record MoveVmInput(
    string Node, string Holder, ObjectRef Vm, VirtualMachinePolicy Policy, TimeSpan? GracePeriod, DateTimeOffset Deadline, DeadlinePolicy OnTimeout,
    MoveVmState State)
{
    /// <summary>How many evictions of the node may be under way at once, of pods and of launchers together.</summary>
    public int AtOnce { get; init; } = EvictionSlots.DefaultOfNode;

    /// <summary>
    /// It came when the node was empty already, where somebody may be at work: whatever keeps it there is told, and looked at again, and fails
    /// nothing. False in what was stored before that was so.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool FailsNothing { get; init; }

    /// <summary>Nothing is begun for it any more once it is to end or is suspended, also between two tries; false in what was stored before that: its history must replay.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool EndsPromptly { get; init; }

    /// <summary>How long after the deadline one that was to go by force and does not is waited for; null where it fails nothing, and in what was stored before that: until it goes.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public TimeSpan? ForceEndsAfter { get; init; }

    /// <summary>
    /// What was asked of KubeVirt and is not withdrawn within minutes is withdrawn when the node is put back, which must not wait for that: what
    /// answers may run on it. False in what was stored before that: its history must replay.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool LeavesToRestore { get; init; }
}

/// <summary>What a move carries from generation to generation.</summary>
internal sealed record MoveVmState
{
    public VmLadderState Ladder { get; init; } = new();

    /// <summary>What was seen last.</summary>
    public VmObservation? Seen { get; init; }

    /// <summary>The run strategy it had when we stopped it.</summary>
    public string? StoppedStrategy { get; init; }

    /// <summary>What its mark says that it was then; null in what was stored before this was kept.</summary>
    public string? StoppedLedger { get; init; }

    /// <summary>What the status says and since when.</summary>
    public VmStatus? Told { get; init; }

    /// <summary>The last change was not made, since the lease was not ours.</summary>
    public bool IsLeaseLost { get; init; }

    /// <summary>The maintenance is suspended since then: nothing new is begun and no deadline passes.</summary>
    public DateTimeOffset? SuspendedAt { get; init; }
}

/// <summary>What became of it.</summary>
/// <param name="Result">For the report.</param>
/// <param name="IsFailure">The policy says that the maintenance fails.</param>
internal sealed record MoveVmResult(VmResult Result, bool IsFailure)
{
    /// <summary>What could not be withdrawn from a machine that stays, one sentence, or null.</summary>
    public string? LeftBehind { get; init; }

    /// <summary>It is asked to leave still, and is to be told to stay when the node is put back.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsStillAsked { get; init; }

    /// <summary>It was marked to be stopped by us: what it was before; else null.</summary>
    public StoppedVm? Stopped { get; init; }
}

/// <summary>Moves one virtual machine off a node: look, decide by the ladder, act or wait, look again.</summary>
internal sealed class MoveVmOrchestrator : TaskOrchestrator<MoveVmInput, MoveVmResult>
{
    private const int RoundsBeforeNew = 80;

    public override async Task<MoveVmResult> RunAsync(TaskOrchestrationContext context, MoveVmInput input)
    {
        var run = new MoveVmRun(context, input);
        try
        {
            return await run.RunAsync(RoundsBeforeNew);
        }
        catch (TaskFailedException failure) when (input.FailsNothing)
        {
            return await run.LookAgainAsync(failure.Sentence());
        }
        catch (TaskFailedException failure)
        {
            // What was asked of KubeVirt would go on by itself, on a node that is in use by then, and the report would not know the machine.
            return await run.GiveUpAsync(failure.Sentence());
        }
    }
}

using Drydock.Kubernetes;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>What a call of a virtual machine comes to, by KubeVirt's table of transitions (observed f), and what to tell. Pure.</summary>
internal static class VmCallRules
{
    /// <summary>The answer where no call is made: it is so already, or a maintenance holds it. Null: call.</summary>
    public static VmCallReport? WithoutCall(VmCallRequest request, VmReading before)
    {
        var vm = request.Vm;
        return before switch
        {
            { Exists: false } => new(VmCallEnd.NotFound, $"There is no virtual machine {vm}."),
            { HasBothKeys: true } => Told(
                VmCallEnd.Refused, before,
                $"Virtual machine {vm}: Running and RunStrategy are mutually exclusive. Remove spec.running or spec.runStrategy first."),
            { HeldBy: { } holder, EvictedFrom: { } node } when OfEvicted(request.Call, before, $"{Holder.Describe(holder)}, which empties node {node} and starts it again elsewhere") is { } refused =>
                Told(VmCallEnd.Refused, before, $"Virtual machine {vm} {refused}"),
            { HeldBy: { } holder, EvictedFrom: null } => Told(
                VmCallEnd.Refused, before,
                $"Virtual machine {vm} was stopped by {Holder.Describe(holder)}, which starts it again with its run strategy. {WaitFor(before.StoppedFor)}"),
            { IsStopping: true, StartsAgain: false } when request.Call == VmCall.Start => Told(
                VmCallEnd.Refused, before, $"Virtual machine {vm} is still being stopped. When it is down: drydock vm start {vm}"),
            _ => Already(request, before) is { } already ? Told(VmCallEnd.Already, before, already) : null,
        };
    }

    /// <summary>A call that was made before a crash has left this behind.</summary>
    public static bool IsDone(VmCall call, VmReading before, VmReading now) => call switch
    {
        VmCall.Start => now.IsAlive || now.HasRequests || (before.RunStrategy == "Halted" && now.RunStrategy == "Always"),
        VmCall.Stop => !now.IsAlive || now.InstanceUid != before.InstanceUid || (now.HasRequests && !before.HasRequests)
            || (now.RunStrategy == "Halted" && before.RunStrategy != "Halted"),
        VmCall.Restart => now.InstanceUid != before.InstanceUid || (now.HasRequests && !before.HasRequests),
        VmCall.Migrate => now.MigrationUid != before.MigrationUid,
        _ => false,
    };

    /// <summary>What an accepted call came to: told from what the API shows after it.</summary>
    public static VmCallReport Report(VmCallRequest request, VmReading before, VmReading after)
    {
        var vm = request.Vm;
        var isWithoutEffect = request.Call == VmCall.Stop && after is { IsAlive: true, HasRequests: false } && after.RunStrategy == before.RunStrategy
            && after.InstanceUid == before.InstanceUid && after.Status is not "Stopping" && before.RunStrategy == "WaitAsReceiver";
        if (isWithoutEffect)
        {
            return Told(
                VmCallEnd.Refused, before,
                $"KubeVirt accepts a stop of virtual machine {vm} and does nothing: with run strategy WaitAsReceiver it knows none. Set the run strategy to Halted.");
        }

        var strategy = before.RunStrategy == after.RunStrategy
            ? $"Its run strategy stays {after.RunStrategy}."
            : $"Its run strategy was {before.RunStrategy} and is {after.RunStrategy} now.";
        var sentence = request.Call switch
        {
            VmCall.Start => $"Virtual machine {vm} is being started. {strategy}",
            VmCall.Stop => $"Virtual machine {vm} is being stopped. {strategy}",
            VmCall.Restart => $"Virtual machine {vm} is being restarted. {strategy}",
            _ => $"Virtual machine {vm} is being migrated{(request.ToNode is { } to ? $" to {to}" : "")} without a stop.",
        };
        return new VmCallReport(VmCallEnd.Done, sentence)
        {
            RunStrategyBefore = before.RunStrategy,
            RunStrategyAfter = after.RunStrategy,
            Status = after.Status,
        };
    }

    /// <summary>A refusal in KubeVirt's words, without its preamble, and what to do instead.</summary>
    public static string Explain(VmCallRequest request, VmReading before, VmCallOutcome answer)
    {
        var words = Words(answer.Message);
        var next = (request.Call, before) switch
        {
            (VmCall.Start, { RunStrategy: "Always", IsAlive: false }) => "KubeVirt starts it by itself; look at why it does not run.",
            (VmCall.Start, { RunStrategy: "Once" }) => "With run strategy Once it runs once; give it another run strategy to run it again.",
            (VmCall.Start, { RunStrategy: "RerunOnFailure", Phase: "Failed" }) => "KubeVirt starts it again by itself after a failure.",
            (VmCall.Restart, { IsStopping: true, StartsAgain: false }) => $"It is still being stopped. When it is down: drydock vm start {request.Vm}",
            (VmCall.Restart, { RunStrategy: "Halted" }) or (VmCall.Restart, { IsAlive: false, RunStrategy: not "Once" }) =>
                $"It is not running: drydock vm start {request.Vm}",
            (VmCall.Restart, { RunStrategy: "Once" }) => "With run strategy Once it runs once and is not restarted.",
            (VmCall.Migrate, { IsAlive: false }) => "Only a running machine migrates.",
            (VmCall.Migrate, { Phase: not "Running", IsAlive: true }) => "Only a running machine migrates; wait until it runs.",
            (VmCall.Migrate, _) when words.Contains("Cannot migrate", StringComparison.Ordinal) => "Stop it instead, or make it migratable.",
            _ => null,
        };
        return $"Virtual machine {request.Vm}: {words.TrimEnd('.')}.{(next is null ? "" : " " + next)}";
    }

    // As long as it runs it may leave by itself: whoever waits for it is glad of that.
    private static string? OfEvicted(VmCall call, VmReading before, string who) => before switch
    {
        { IsAlive: false } => $"was shut down by {who}. {WaitFor(before.EvictedFrom)}",
        { IsLeaving: true } or { IsStopping: true } => $"is being shut down by {who}. {WaitFor(before.EvictedFrom)}",
        _ when call == VmCall.Migrate => null,
        _ => $"is about to be shut down by {who}. {WaitFor(before.EvictedFrom, "Migrate it, cancel")}",
    };

    // The mark stays where a maintenance ended and could not put the machine back, was ended by force, or is lost with its hub.
    private static string WaitFor(string? node, string cancel = "Cancel") => $"{cancel} that, or wait for it{(node is null ? "." : $"; if it is over: drydock restore {node}")}";

    private static string? Already(VmCallRequest request, VmReading before) => (request.Call, before) switch
    {
        (VmCall.Start, { IsStopping: true, StartsAgain: true }) => $"Virtual machine {request.Vm} is being restarted already.",
        (VmCall.Start, { IsAlive: true, Phase: "Running" }) => $"Virtual machine {request.Vm} runs already.",
        (VmCall.Start, { IsAlive: true }) => $"Virtual machine {request.Vm} is starting already ({before.Phase}).",
        (VmCall.Stop, { IsStopping: true, StartsAgain: false } or { RunStrategy: "Halted", IsAlive: true }) when request.GracePeriod is null => $"Virtual machine {request.Vm} is being stopped already.",
        (VmCall.Stop, { RunStrategy: "Halted" or "Manual" or "RerunOnFailure", IsAlive: false }) => $"Virtual machine {request.Vm} is stopped already.",
        (VmCall.Migrate, { Migrating: { } phase }) => $"Virtual machine {request.Vm} is migrating already ({(phase.Length == 0 ? "Pending" : phase)}).",
        _ => null,
    };

    private static VmCallReport Told(VmCallEnd end, VmReading before, string message) => new(end, message)
    {
        RunStrategyBefore = before.RunStrategy,
        RunStrategyAfter = before.RunStrategy,
        Status = before.Status,
    };

    private static string Words(string? message)
    {
        // Operation cannot be fulfilled on virtualmachine.kubevirt.io "NAME": …, and of a webhook: … denied the request: …
        foreach (var preamble in (string[])["denied the request: ", "\": "])
        {
            if (message?.LastIndexOf(preamble, StringComparison.Ordinal) is { } at and >= 0)
            {
                return message[(at + preamble.Length)..];
            }
        }

        return message ?? "KubeVirt refused without a reason";
    }
}

using System.Text.Json.Serialization;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>What somebody asked for one virtual machine: the input of <c>vm.call</c>. Persisted; only ever gains optional members.</summary>
/// <param name="Vm">The machine.</param>
/// <param name="Call">What is to be done.</param>
public sealed record VmCallRequest(ObjectRef Vm, VmCall Call)
{
    /// <summary>Who asked.</summary>
    public string? RequestedBy { get; init; }

    /// <summary>The address that he asked from, or null: from within.</summary>
    public string? RequestedFrom { get; init; }

    /// <summary>Why, in his words, or null.</summary>
    public string? Reason { get; init; }

    /// <summary>Of a stop: its grace period, or null: the machine's own. Of a restart: zero is by force, anything else is not known to KubeVirt.</summary>
    public TimeSpan? GracePeriod { get; init; }

    /// <summary>Of a migration: the node to go to, or null: the scheduler's choice.</summary>
    public string? ToNode { get; init; }
}

/// <summary>How a call ended. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<VmCallEnd>))]
public enum VmCallEnd
{
    /// <summary>KubeVirt accepted it, and the machine shows it.</summary>
    Done,

    /// <summary>It was so already; nothing was changed.</summary>
    Already,

    /// <summary>KubeVirt, or a maintenance that holds the machine, refused it; nothing was changed.</summary>
    Refused,

    /// <summary>There is no such machine.</summary>
    NotFound,
}

/// <summary>What came of a call: the output of <c>vm.call</c>.</summary>
/// <param name="End">How it ended.</param>
/// <param name="Message">One sentence, with the next step where there is one.</param>
public sealed record VmCallReport(VmCallEnd End, string Message)
{
    /// <summary>The run strategy before.</summary>
    public string? RunStrategyBefore { get; init; }

    /// <summary>The run strategy after, as the API says: KubeVirt's versions differ.</summary>
    public string? RunStrategyAfter { get; init; }

    /// <summary>What KubeVirt prints about the machine after it.</summary>
    public string? Status { get; init; }
}

/// <summary>Calls start, stop, restart or migrate of a virtual machine: look, then act once.</summary>
internal sealed class CallVmOrchestrator : TaskOrchestrator<VmCallRequest, VmCallReport>
{
    public override async Task<VmCallReport> RunAsync(TaskOrchestrationContext context, VmCallRequest input)
    {
        // Not retried: whoever asked waits, and would be surprised by a stop that comes minutes after they were told that it failed.
        var before = await context.CallActivityAsync<VmReading>(Activities.ReadVm, input.Vm);
        return VmCallRules.WithoutCall(input, before)
            ?? await context.CallActivityAsync<VmCallReport>(Activities.CallVm, new VmCallInput(input, before));
    }
}

/// <summary>A machine before a call: the ledger that lets a rerun know its own work.</summary>
internal sealed record VmReading
{
    public bool Exists { get; init; }

    /// <summary>The run strategy; <c>running</c> told by the name it stands for.</summary>
    public string? RunStrategy { get; init; }

    public bool HasBothKeys { get; init; }

    public bool HasRequests { get; init; }

    /// <summary>It runs and is told to stop, or is going down.</summary>
    public bool IsStopping { get; init; }

    /// <summary>KubeVirt starts it again when it is down.</summary>
    public bool StartsAgain { get; init; }

    public string? HeldBy { get; init; }

    /// <summary>The node whose maintenance that is, where the drain of it is to shut the machine down by an eviction; else null: it was stopped.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? EvictedFrom { get; init; }

    /// <summary>The node whose maintenance stopped it; null: none did, or the mark does not say, or it was read before that was told.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? StoppedFor { get; init; }

    /// <summary>Its launcher pod goes: its guest is being shut down.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsLeaving { get; init; }

    public string? Status { get; init; }

    public string? InstanceUid { get; init; }

    public string? Phase { get; init; }

    /// <summary>The newest migration, or null.</summary>
    public string? MigrationUid { get; init; }

    /// <summary>Its phase if it is under way.</summary>
    public string? Migrating { get; init; }

    [JsonIgnore]
    public bool IsAlive => Phase is not (null or "Succeeded" or "Failed");

    public static async Task<VmReading> ReadAsync(ICluster cluster, ObjectRef name, CancellationToken cancellationToken)
    {
        if (await cluster.GetVmAsync(name, cancellationToken) is not { } vm)
        {
            return new VmReading();
        }

        var vmi = await cluster.GetVmiAsync(name, cancellationToken);
        var newest = await cluster.ListMigrationsAsync(name, cancellationToken) is [var first, ..] ? first : null;
        var strategy = Planning.VmForecasts.RunStrategyOf(vm);
        var prior = vm.Mark is { } mark ? LedgerJson.Read<VmPrior>(mark.Prior) : null;
        var evicted = prior is { IsEvicted: true } ? prior : null;
        return new VmReading
        {
            Exists = true,
            RunStrategy = strategy,
            IsStopping = vmi is { Phase: not ("Succeeded" or "Failed") }
                && (vmi.IsBeingDeleted || strategy == "Halted" || vm.StateChangeRequests.Contains("Stop")),
            StartsAgain = strategy == "Always" || vm.StateChangeRequests.Contains("Start"),
            HasBothKeys = vm is { Running: not null, RunStrategy: not null },
            HasRequests = vm.HasStateChangeRequests,
            HeldBy = vm.Mark?.HeldBy,
            EvictedFrom = evicted?.Node,
            StoppedFor = prior is { IsEvicted: false } ? prior.Node : null,
            IsLeaving = evicted is not null && vmi is not null && (await cluster.ListLaunchersAsync(vmi.Ref, vmi.Uid, cancellationToken))
                .Any(pod => pod is { IsFinished: false, DeletionRequestedAt: not null } && pod.Node == vmi.Node),
            Status = vm.PrintableStatus,
            InstanceUid = vmi?.Uid,
            Phase = vmi?.Phase,
            MigrationUid = newest?.Uid,
            Migrating = newest is { IsFinished: false } ? newest.Phase : null,
        };
    }
}

/// <summary>Reads a machine.</summary>
internal sealed class ReadVmActivity(ICluster cluster) : ClusterActivity<ObjectRef, VmReading>
{
    protected override Task<VmReading> RunAsync(ObjectRef input, CancellationToken cancellationToken) =>
        VmReading.ReadAsync(cluster, input, cancellationToken);
}

/// <summary>A call with what was there before it.</summary>
internal sealed record VmCallInput(VmCallRequest Request, VmReading Before);

/// <summary>Makes the call, once. Safe to run twice: what the call leaves behind is known from what was there before it.</summary>
internal sealed class CallVmActivity(ICluster cluster) : ClusterActivity<VmCallInput, VmCallReport>
{
    protected override async Task<VmCallReport> RunAsync(VmCallInput input, CancellationToken cancellationToken)
    {
        var (request, before) = (input.Request, input.Before);
        if (VmCallRules.IsDone(request.Call, before, await VmReading.ReadAsync(cluster, request.Vm, cancellationToken)))
        {
            return await ReportAsync(input, cancellationToken);
        }

        var answer = await AnswerAsync(request, cancellationToken);
        return answer.IsAccepted
            ? await ReportAsync(input, cancellationToken)
            : new VmCallReport(answer.Code == 404 && !before.Exists ? VmCallEnd.NotFound : VmCallEnd.Refused, VmCallRules.Explain(request, before, answer))
            {
                RunStrategyBefore = before.RunStrategy,
                RunStrategyAfter = before.RunStrategy,
                Status = before.Status,
            };
    }

    private async Task<VmCallOutcome> AnswerAsync(VmCallRequest request, CancellationToken cancellationToken)
    {
        if (request.ToNode is not { } to)
        {
            return await cluster.CallVmAsync(request.Vm, request.Call, request.GracePeriod, cancellationToken);
        }

        var node = await cluster.GetNodeAsync(to, cancellationToken);
        return await WhyNotToAsync(request.Vm, to, node, cancellationToken) is { } why
            ? new VmCallOutcome(false, 400, why)
            : await cluster.MigrateVmAsync(
                request.Vm,
                new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    ["kubernetes.io/hostname"] = node!.Labels.GetValueOrDefault("kubernetes.io/hostname") ?? to,
                },
                cancellationToken);
    }

    // KubeVirt takes any name: what it cannot know or cannot do ends as a migration that fails after five minutes, or goes elsewhere.
    private async Task<string?> WhyNotToAsync(ObjectRef vm, string to, NodeSnapshot? node, CancellationToken cancellationToken) =>
        node is null ? $"There is no node named {to}."
        : (await cluster.GetKubeVirtAsync(cancellationToken))?.IsOlderThan(1, 6) == true ? "This KubeVirt cannot be told where to migrate it (before 1.6): leave the node out."
        : (await cluster.GetVmiAsync(vm, cancellationToken))?.Node == to ? $"It runs on node {to} already."
        : node.Unschedulable ? $"Node {to} is cordoned and takes no migration."
        : !node.IsReady ? $"Node {to} is not Ready."
        : node.KubeVirtSchedulable is not true ? $"Node {to} takes no virtual machines: its label kubevirt.io/schedulable is not true."
        : null;

    private async Task<VmCallReport> ReportAsync(VmCallInput input, CancellationToken cancellationToken)
    {
        var after = await VmReading.ReadAsync(cluster, input.Request.Vm, cancellationToken);
        return VmCallRules.Report(input.Request, input.Before, after);
    }
}

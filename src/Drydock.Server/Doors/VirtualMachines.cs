using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Planning;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Server;

/// <summary>Reads the virtual machines of the cluster, and has one started, stopped, restarted or migrated by a durable call.</summary>
public sealed class VirtualMachines
{
    // Whoever asked waits that long for the answer; the call itself is recorded and goes on.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DurableTaskClient _client;
    private readonly ICluster _cluster;
    private readonly TimeProvider _clock;

    internal VirtualMachines(DurableTaskClient client, ICluster cluster, TimeProvider clock) => (_client, _cluster, _clock) = (client, cluster, clock);

    /// <summary>All of them by namespace and name; of one namespace, or on one node, if that is said.</summary>
    public async Task<IReadOnlyList<VirtualMachineView>> ListAsync(string? @namespace, string? node, CancellationToken cancellationToken)
    {
        var vms = (await _cluster.ListVmsAsync(cancellationToken)).ToDictionary(vm => vm.Ref);
        var vmis = (await _cluster.ListVmisAsync(cancellationToken)).ToDictionary(vmi => vmi.Ref);
        var migrations = (await _cluster.ListMigrationsAsync(null, cancellationToken)).Where(one => !one.IsFinished).ToLookup(one => one.Vmi);
        var kubeVirt = await _cluster.GetKubeVirtAsync(cancellationToken);
        return
        [
            .. vms.Keys.Union(vmis.Keys).Where(vm => @namespace is null || vm.Namespace == @namespace)
                .OrderBy(vm => vm.Namespace, StringComparer.Ordinal).ThenBy(vm => vm.Name, StringComparer.Ordinal)
                .Select(vm => View(vm, vms.GetValueOrDefault(vm), vmis.GetValueOrDefault(vm), migrations[vm].FirstOrDefault(), kubeVirt))
                .Where(vm => node is null || vm.Node == node),
        ];
    }

    /// <summary>One of them.</summary>
    public async Task<Answer<VirtualMachineView>> FindAsync(string @namespace, string name, CancellationToken cancellationToken)
    {
        if (Name(@namespace, name) is { Problem: { } wrong })
        {
            return wrong;
        }

        var vm = new ObjectRef(@namespace, name);
        var (machine, instance) = (await _cluster.GetVmAsync(vm, cancellationToken), await _cluster.GetVmiAsync(vm, cancellationToken));
        var migration = (await _cluster.ListMigrationsAsync(vm, cancellationToken)).FirstOrDefault(one => !one.IsFinished);
        return machine is null && instance is null
            ? Problems.NotFound("virtual machine", vm.ToString())
            : View(vm, machine, instance, migration, await _cluster.GetKubeVirtAsync(cancellationToken));
    }

    /// <summary>
    /// Makes the call and waits for KubeVirt's answer. To ask again for what is so already is harmless; the same idempotency key with the same
    /// request waits for the answer of the first, so that a restart is one restart.
    /// </summary>
    public async Task<Answer<VirtualMachineCallView>> CallAsync(
        string @namespace, string name, VmCall call, VirtualMachineCall options, Requester requestedBy, string? idempotencyKey, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(requestedBy);
        if (Problems.OfKey(idempotencyKey) is { } badKey)
        {
            return badKey;
        }

        var request = Read(@namespace, name, call, options);
        if (!request.IsOk)
        {
            return request.Problem;
        }

        var prefix = $"vm-{call.ToString().ToLowerInvariant()}";
        var id = idempotencyKey is null ? Instances.NewId(prefix, _clock) : Instances.KeyedId(prefix, idempotencyKey);
        try
        {
            await _client.ScheduleNewOrchestrationInstanceAsync(
                Orchestrations.CallVm, request.Value with { RequestedBy = requestedBy.Name, RequestedFrom = requestedBy.Address }, Instances.StartOnce(id), cancellationToken);
        }
        catch (OrchestrationAlreadyExistsException) when (idempotencyKey is not null)
        {
            var before = (await _client.GetInstanceAsync(id, getInputsAndOutputs: true, cancellationToken))?.ReadInputAs<VmCallRequest>();
            if (before is null || before with { RequestedBy = null, RequestedFrom = null } != request.Value)
            {
                return Problems.KeyReused(idempotencyKey, id);
            }
        }

        using var patience = new CancellationTokenSource(Patience, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            return Told(id, request.Value.Vm, await _client.WaitForInstanceCompletionAsync(id, getInputsAndOutputs: true, either.Token));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new Problem(
                ProblemTypes.Unavailable, "No answer yet", 503, $"The cluster has not answered the call {id} within {Patience.TotalSeconds:0} s. Look at the machine before asking again.")
            { SubjectId = id };
        }
    }

    private static Answer<VmCallRequest> Read(string @namespace, string name, VmCall call, VirtualMachineCall options)
    {
        var reader = Reader(@namespace, name);
        var grace = reader.OptionalDuration("gracePeriod", options.GracePeriod, TimeSpan.Zero, call == VmCall.Restart ? TimeSpan.Zero : TimeSpan.FromDays(1));
        if (grace is not null && call is not (VmCall.Stop or VmCall.Restart))
        {
            reader.Fail("gracePeriod", options.GracePeriod, "only for a stop or a restart");
        }

        if (options.ToNode is not null && call != VmCall.Migrate)
        {
            reader.Fail("toNode", options.ToNode, "only for a migration");
        }

        var reason = reader.Reason("reason", options.Reason);
        var to = options.ToNode is null ? null : reader.NodeName("toNode", options.ToNode);
        return reader.Errors.Count > 0
            ? Problems.Invalid(reader.Errors)
            : new VmCallRequest(new ObjectRef(@namespace, name), call) { GracePeriod = grace, ToNode = to, Reason = reason };
    }

    private static Answer<VirtualMachineCallView> Told(string id, ObjectRef vm, OrchestrationMetadata end)
    {
        if (end.RuntimeStatus != OrchestrationRuntimeStatus.Completed || end.ReadOutputAs<VmCallReport>() is not { } report)
        {
            return new Problem(
                ProblemTypes.Cluster, "The call failed", 502, end.FailureDetails?.InnerFailure?.ErrorMessage ?? end.FailureDetails?.ErrorMessage ?? $"The call {id} ended as {end.RuntimeStatus}.")
            { SubjectId = id };
        }

        return report.End switch
        {
            VmCallEnd.NotFound => Problems.NotFound("virtual machine", vm.ToString()),
            VmCallEnd.Refused => Problems.WrongState(vm.ToString(), report.Message),
            _ => new VirtualMachineCallView(id, vm.Namespace, vm.Name, report.End == VmCallEnd.Done, report.Message)
            {
                RunStrategyBefore = report.RunStrategyBefore,
                RunStrategyAfter = report.RunStrategyAfter,
                Status = report.Status,
            },
        };
    }

    private static Answer<VirtualMachineView> Name(string @namespace, string name) =>
        Reader(@namespace, name) is { Errors: { Count: > 0 } errors } ? Problems.Invalid(errors) : new VirtualMachineView(@namespace, name);

    private static FieldReader Reader(string @namespace, string name)
    {
        var reader = new FieldReader();
        if (!KubernetesName.IsLabel(@namespace))
        {
            reader.Fail("namespace", @namespace, "the name of a namespace");
        }

        if (!KubernetesName.IsSubdomain(name))
        {
            reader.Fail("name", name, "the name of a virtual machine");
        }

        return reader;
    }

    private static VirtualMachineView View(ObjectRef name, VmSnapshot? vm, VmiSnapshot? vmi, MigrationSnapshot? migration, KubeVirtSnapshot? kubeVirt) =>
        new(name.Namespace, name.Name)
        {
            RunStrategy = VmForecasts.RunStrategyOf(vm),
            Status = vm?.PrintableStatus,
            Phase = vmi?.Phase,
            Node = vmi?.Node,
            EvictionStrategy = vmi is null ? null : VmForecasts.Effective(vmi.EvictionStrategy, kubeVirt).Strategy,
            IsLiveMigratable = vmi?.IsLiveMigratable,
            WhyNotMigratable = vmi is null or { IsLiveMigratable: true } ? null
                : vmi.LiveMigratable is { } why ? $"{why.Reason}: {why.Message}" : "KubeVirt says that when it runs.",
            Migrating = migration?.Phase,
            HeldBy = vm?.Mark?.HeldBy,
        };
}

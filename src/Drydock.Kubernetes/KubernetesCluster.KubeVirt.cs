using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes;

/// <summary>The part that speaks with KubeVirt.</summary>
public sealed partial class KubernetesCluster
{
    /// <inheritdoc/>
    public async Task<KubeVirtSnapshot?> GetKubeVirtAsync(CancellationToken cancellationToken) =>
        (await _api.ListAllAsync(Resource.KubeVirts, selector: null, cancellationToken)).Select(KubeVirtSnapshots.KubeVirt).FirstOrDefault();

    /// <inheritdoc/>
    public async Task<VmiSnapshot?> GetVmiAsync(ObjectRef vmi, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.Vmis, vmi.Namespace, vmi.Name, cancellationToken) is { } found ? KubeVirtSnapshots.Vmi(found) : null;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<VmiSnapshot>> ListVmisOnNodeAsync(string node, CancellationToken cancellationToken)
    {
        // KubeVirt keeps the label equal to status.nodeName; a CRD cannot be selected by a status field.
        var vmis = await _api.ListAllAsync(Resource.Vmis, Selectors.Label("kubevirt.io/nodeName", node), cancellationToken);
        return InOrder(vmis.Select(KubeVirtSnapshots.Vmi).Where(vmi => vmi.Node == node), vmi => vmi.Ref);
    }

    /// <inheritdoc/>
    public async Task<VmSnapshot?> GetVmAsync(ObjectRef vm, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.Vms, vm.Namespace, vm.Name, cancellationToken) is { } found ? KubeVirtSnapshots.Vm(found) : null;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<VmSnapshot>> ListMarkedVmsAsync(string? heldBy, CancellationToken cancellationToken)
    {
        var vms = await _api.ListAllAsync(Resource.Vms, selector: null, cancellationToken);
        return InOrder(
            vms.Select(KubeVirtSnapshots.Vm).Where(vm => vm.Mark is { } mark && (heldBy is null || mark.HeldBy == heldBy)), vm => vm.Ref);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<MigrationSnapshot>> ListMigrationsAsync(ObjectRef? vmi, CancellationToken cancellationToken)
    {
        var selector = vmi is { Name.Length: <= Selectors.LongestLabel } named ? Selectors.Label("kubevirt.io/vmi-name", named.Name) : null;
        var found = await _api.ListAsync(Resource.Migrations, vmi?.Namespace, selector, cancellationToken);
        return
        [
            .. (found?.Items ?? []).Select(KubeVirtSnapshots.Migration).Where(migration => vmi is null || migration.Vmi == vmi)
                .OrderByDescending(migration => migration.CreatedAt).ThenBy(migration => migration.IsFinished)
                .ThenBy(migration => migration.Ref.Name, StringComparer.Ordinal),
        ];
    }

    /// <inheritdoc/>
    public Task<VmSnapshot?> MarkVmAsync(VmSnapshot vm, HoldMark? mark, CancellationToken cancellationToken) =>
        _vms.MarkAsync(vm, mark, cancellationToken);

    /// <inheritdoc/>
    public Task<VmCallOutcome> CallVmAsync(ObjectRef vm, VmCall call, TimeSpan? gracePeriod, CancellationToken cancellationToken) =>
        _vms.CallAsync(vm, call, gracePeriod, cancellationToken);

    /// <inheritdoc/>
    public Task<VmSnapshot?> SetRunStrategyAsync(VmSnapshot vm, string runStrategy, CancellationToken cancellationToken) =>
        _vms.SetRunStrategyAsync(vm, runStrategy, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> CancelEvacuationAsync(VmiSnapshot vmi, CancellationToken cancellationToken) =>
        _vms.CancelEvacuationAsync(vmi, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteMigrationAsync(ObjectRef migration, string uid, CancellationToken cancellationToken) =>
        _vms.DeleteMigrationAsync(migration, uid, cancellationToken);
}

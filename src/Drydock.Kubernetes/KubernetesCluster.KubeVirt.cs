using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes;

/// <summary>The part that speaks with KubeVirt.</summary>
public sealed partial class KubernetesCluster
{
    /// <inheritdoc/>
    public async Task<KubeVirtSnapshot?> GetKubeVirtAsync(CancellationToken cancellationToken) =>
        await _api.ListAllAsync(Resource.KubeVirts, selector: null, KubeVirtSnapshots.KubeVirt, cancellationToken) is [var first, ..] ? first : null;

    /// <inheritdoc/>
    public async Task<VmiSnapshot?> GetVmiAsync(ObjectRef vmi, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.Vmis, vmi.Namespace, vmi.Name, cancellationToken) is { } found ? KubeVirtSnapshots.Vmi(found) : null;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<VmiSnapshot>> ListVmisOnNodeAsync(string node, CancellationToken cancellationToken)
    {
        // KubeVirt keeps the label equal to status.nodeName; a CRD cannot be selected by a status field.
        var vmis = await _api.ListAllAsync(Resource.Vmis, Selectors.Label("kubevirt.io/nodeName", node), KubeVirtSnapshots.Vmi, cancellationToken);
        return InOrder(vmis.Where(vmi => vmi.Node == node), vmi => vmi.Ref);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<VmiSnapshot>> ListVmisAsync(CancellationToken cancellationToken) =>
        InOrder(await _api.ListAllAsync(Resource.Vmis, selector: null, KubeVirtSnapshots.Vmi, cancellationToken), vmi => vmi.Ref);

    /// <inheritdoc/>
    public async Task<int?> FindVmiReplicasAsync(ObjectRef replicaSet, CancellationToken cancellationToken)
    {
        try
        {
            return await _api.GetAsync(Resource.VmiReplicaSets, replicaSet.Namespace, replicaSet.Name, cancellationToken) is { } found
                ? found.Number("spec", "replicas") ?? 1
                : 0;
        }
        catch (ClusterException refusal) when (refusal.Kind == ClusterErrorKind.Forbidden || refusal.Code == 404)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<VmSnapshot>> ListVmsAsync(CancellationToken cancellationToken) =>
        InOrder(await _api.ListAllAsync(Resource.Vms, selector: null, KubeVirtSnapshots.Vm, cancellationToken), vm => vm.Ref);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PodSnapshot>> ListLaunchersAsync(ObjectRef vmi, string uid, CancellationToken cancellationToken)
    {
        var launchers = Selectors.Label("kubevirt.io/created-by", uid);
        return InOrder((await _api.ListAsync(Resource.Pods, vmi.Namespace, launchers, PodSnapshots.From, cancellationToken))?.Items ?? [], pod => pod.Ref);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PodSnapshot>> ListLaunchersOnNodeAsync(string node, CancellationToken cancellationToken)
    {
        var pods = await _api.ListAllAsync(
            Resource.Pods, $"{Selectors.OnNode(node)}&{Selectors.Label("kubevirt.io", "virt-launcher")}", PodSnapshots.From, cancellationToken);
        return InOrder(pods, pod => pod.Ref);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<EventSnapshot>> ListEventsAsync(string @namespace, string uid, CancellationToken cancellationToken)
    {
        var events = await _api.ListAsync(Resource.Events, @namespace, Selectors.About(uid), KubeVirtSnapshots.Event, cancellationToken);
        return [.. (events?.Items ?? []).OrderByDescending(one => one.At)];
    }

    /// <inheritdoc/>
    public async Task<VmSnapshot?> GetVmAsync(ObjectRef vm, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.Vms, vm.Namespace, vm.Name, cancellationToken) is { } found ? KubeVirtSnapshots.Vm(found) : null;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<VmSnapshot>> ListMarkedVmsAsync(string? heldBy, CancellationToken cancellationToken) =>
        [.. (await ListVmsAsync(cancellationToken)).Where(vm => vm.Mark is { } mark && (heldBy is null || mark.HeldBy == heldBy))];

    /// <inheritdoc/>
    public async Task<IReadOnlyList<MigrationSnapshot>> ListMigrationsAsync(ObjectRef? vmi, CancellationToken cancellationToken)
    {
        var selector = vmi is { Name.Length: <= Selectors.LongestLabel } named ? Selectors.Label("kubevirt.io/vmi-name", named.Name) : null;
        var found = await _api.ListAsync(Resource.Migrations, vmi?.Namespace, selector, KubeVirtSnapshots.Migration, cancellationToken);
        return NewestFirst((found?.Items ?? []).Where(migration => vmi is null || migration.Vmi == vmi));
    }

    /// <inheritdoc/>
    public IReadOnlyList<MigrationSnapshot>? WatchedMigrations => _changes.Migrations is { } migrations ? NewestFirst(migrations) : null;

    /// <inheritdoc/>
    public Task<VmSnapshot?> MarkVmAsync(VmSnapshot vm, HoldMark? mark, CancellationToken cancellationToken) =>
        _vms.MarkAsync(vm, mark, cancellationToken);

    /// <inheritdoc/>
    public Task<VmCallOutcome> CallVmAsync(ObjectRef vm, VmCall call, TimeSpan? gracePeriod, CancellationToken cancellationToken) =>
        _vms.CallAsync(vm, call, gracePeriod, cancellationToken);

    /// <inheritdoc/>
    public Task<VmCallOutcome> MigrateVmAsync(
        ObjectRef vm, IReadOnlyDictionary<string, string> addedNodeSelector, CancellationToken cancellationToken) =>
        _vms.MigrateAsync(vm, addedNodeSelector, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteVmiAsync(ObjectRef vmi, string uid, CancellationToken cancellationToken) => _vms.DeleteVmiAsync(vmi, uid, cancellationToken);

    /// <inheritdoc/>
    public Task<VmSnapshot?> SetRunStrategyAsync(VmSnapshot vm, string runStrategy, CancellationToken cancellationToken) =>
        _vms.SetRunStrategyAsync(vm, runStrategy, cancellationToken);

    /// <inheritdoc/>
    public Task<VmCallOutcome> CancelEvacuationAsync(VmiSnapshot vmi, CancellationToken cancellationToken) =>
        _vms.CancelEvacuationAsync(vmi, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteMigrationAsync(ObjectRef migration, string uid, CancellationToken cancellationToken) =>
        _vms.DeleteMigrationAsync(migration, uid, cancellationToken);

    private static IReadOnlyList<MigrationSnapshot> NewestFirst(IEnumerable<MigrationSnapshot> migrations) =>
    [
        .. migrations.OrderByDescending(migration => migration.CreatedAt).ThenBy(migration => migration.IsFinished)
            .ThenBy(migration => migration.Ref.Name, StringComparer.Ordinal),
    ];
}

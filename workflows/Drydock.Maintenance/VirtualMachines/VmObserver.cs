using Drydock.Kubernetes;
using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>Reads one virtual machine, its launcher pods, its migration and the state of the queue of migrations.</summary>
internal sealed class VmObserver(ICluster cluster, TimeProvider clock)
{
    public async Task<VmObservation> ReadAsync(string node, ObjectRef name, CancellationToken cancellationToken)
    {
        var vmi = await cluster.GetVmiAsync(name, cancellationToken);
        var vm = await cluster.GetVmAsync(name, cancellationToken);
        var migrations = await cluster.ListMigrationsAsync(null, cancellationToken);
        var kubeVirt = await cluster.GetKubeVirtAsync(cancellationToken);
        var launcher = (await cluster.ListPodsOnNodeAsync(node, cancellationToken))
            .FirstOrDefault(pod => pod is { IsVirtLauncher: true, IsFinished: false } && pod.Vmi == name);
        var active = migrations.Where(migration => migration.IsActive && migration.Vmi != name).ToList();
        var fromHere = active.Where(migration => migration.SourceNode == node).ToList();

        var observation = new VmObservation(clock.GetUtcNow())
        {
            Instance = vmi is null ? null : InstanceOf(vmi, kubeVirt),
            Launcher = launcher is null ? null : new(launcher.Ref, launcher.Uid, launcher.DeletionRequestedAt is not null),
            Migration = MigrationOf(migrations.Where(migration => migration.Vmi == name)),
            Machine = vm is null ? null : new(VmForecasts.RunStrategyOf(vm)!, vm.PrintableStatus),
            HasFreeSlot = kubeVirt is null
                || (active.Count < kubeVirt.ParallelMigrationsPerCluster && fromHere.Count < kubeVirt.ParallelOutboundMigrationsPerNode),
            Ahead = [.. (fromHere.Count > 0 ? fromHere : active).Select(migration => migration.Vmi.ToString()).Take(5)],
        };
        return observation with { Unschedulable = WhyUnschedulable(observation, vmi) };
    }

    private static ObservedInstance InstanceOf(VmiSnapshot vmi, KubeVirtSnapshot? kubeVirt) =>
        new(vmi.Uid, vmi.Node, vmi.Phase, VmForecasts.Effective(vmi.EvictionStrategy, kubeVirt).Strategy, vmi.IsLiveMigratable)
        {
            WhyNot = vmi.IsLiveMigratable ? null : $"{vmi.LiveMigratable?.Reason ?? "no reason given"}: {vmi.LiveMigratable?.Message}",
            EvacuationNode = vmi.EvacuationNode,
            OtherOwner = vmi.Controller is { Kind: not "VirtualMachine" } owner ? owner.Kind : null,
        };

    private static ObservedMigration? MigrationOf(IEnumerable<MigrationSnapshot> migrations) =>
        migrations.OrderBy(migration => migration.IsFinished).ThenByDescending(migration => migration.CreatedAt)
            .Select(migration => new ObservedMigration(
                migration.Ref.Name, migration.Uid, migration.Phase, migration.PhaseSince ?? migration.CreatedAt)
            {
                TargetNode = migration.TargetNode,
                FailureReason = migration.FailureReason,
                IsBeingDeleted = migration.IsBeingDeleted,
            })
            .FirstOrDefault();

    // The instance itself says why its pod is not scheduled; a migration's target pod is on no node yet and is not looked for.
    private static string? WhyUnschedulable(VmObservation observation, VmiSnapshot? vmi) =>
        observation.Instance is { Phase: "Pending" or "Scheduling" or "" } ? vmi?.Ready?.Message : null;
}

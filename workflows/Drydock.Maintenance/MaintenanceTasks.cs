using Drydock.Kubernetes;
using Drydock.Maintenance.Actions;
using Drydock.Maintenance.Approvals;
using Drydock.Maintenance.Drain;
using Drydock.Maintenance.Health;
using Drydock.Maintenance.Lease;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.Rollouts;
using Drydock.Maintenance.VirtualMachines;
using Microsoft.Extensions.DependencyInjection;

namespace Drydock.Maintenance;

/// <summary>Registers the orchestrations and activities of node maintenance.</summary>
public static class MaintenanceTasks
{
    /// <summary>
    /// Adds all of them under the names of <see cref="Orchestrations"/>. The activities take <see cref="ICluster"/> and
    /// <see cref="TimeProvider"/> from the container.
    /// </summary>
    public static DurableTaskRegistry AddMaintenance(this DurableTaskRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);

        // One for all waits of the worker, so that a wake-up reaches them.
        Wakeups? wakeups = null;
        var isMade = false;
        object? gate = null;
        Wakeups Shared(IServiceProvider services) =>
            LazyInitializer.EnsureInitialized<Wakeups>(ref wakeups!, ref isMade, ref gate, () => new Wakeups(
                services.GetRequiredService<TimeProvider>(),
                services.GetService<WaitsEnd>()?.Stopping ?? CancellationToken.None,
                services.GetService<IWakeupRelay>()));
        return registry.AddOrchestrations().AddActivities(Shared).AddActionActivities(Shared);
    }

    private static DurableTaskRegistry AddOrchestrations(this DurableTaskRegistry registry) => registry
        .AddOrchestrator<MaintenanceOrchestrator>(Orchestrations.Maintenance)
        .AddOrchestrator<HoldLeaseOrchestrator>(Orchestrations.HoldLease)
        .AddOrchestrator<DrainOrchestrator>(Orchestrations.Drain)
        .AddOrchestrator<MoveVmOrchestrator>(Orchestrations.MoveVm)
        .AddOrchestrator<CallVmOrchestrator>(Orchestrations.CallVm)
        .AddOrchestrator<RestoreOrchestrator>(Orchestrations.Restore)
        .AddOrchestrator<ActionOrchestrator>(Orchestrations.Action)
        .AddOrchestrator<HealthGateOrchestrator>(Orchestrations.HealthGate)
        .AddOrchestrator<HoldNodeOrchestrator>(Orchestrations.HoldNode)
        .AddOrchestrator<RemindOrchestrator>(Orchestrations.Remind)
        .AddOrchestrator<RolloutOrchestrator>(Orchestrations.Rollout)
        .AddOrchestrator<RunNodeOrchestrator>(Orchestrations.RunNode)
        .AddOrchestrator<WindowOrchestrator>(Orchestrations.Window)
        .AddOrchestrator<RunRolloutOrchestrator>(Orchestrations.RunRollout);

    private static DurableTaskRegistry AddActivities(this DurableTaskRegistry registry, Func<IServiceProvider, Wakeups> wakeups)
    {
        EvictionSlots? slots = null;
        EvictionSlots Slots(IServiceProvider services) =>
            services.GetService<EvictionSlots>() ?? LazyInitializer.EnsureInitialized(ref slots, static () => new EvictionSlots());
        DurableTaskRegistry Add(string name, Func<ICluster, TimeProvider, Wakeups, ITaskActivity> create) => registry.AddActivity(
            name,
            services => create(services.GetRequiredService<ICluster>(), services.GetRequiredService<TimeProvider>(), wakeups(services)));

        // What goes on for as long as its maintenance does, and no longer.
        DurableTaskRegistry AddPart(string name, Func<ICluster, TimeProvider, Wakeups, LeftRunning, ITaskActivity> create) => registry.AddActivity(
            name,
            services =>
            {
                var (cluster, wakes) = (services.GetRequiredService<ICluster>(), wakeups(services));
                var left = new LeftRunning(cluster, services.GetRequiredService<DurableTaskClient>(), wakes);
                return create(cluster, services.GetRequiredService<TimeProvider>(), wakes, left);
            });

        Add(Activities.MarkNode, static (cluster, clock, _) => new MarkNodeActivity(cluster, clock));
        Add(Activities.UnmarkNode, static (cluster, clock, _) => new UnmarkNodeActivity(cluster, clock));
        AddPart(Activities.AcquireLease, static (cluster, _, _, left) => new AcquireLeaseActivity(cluster, left));
        AddPart(Activities.RenewLease, static (cluster, _, _, left) => new RenewLeaseActivity(cluster, left));
        AddPart(Activities.AwaitMarks, static (cluster, clock, wakes, left) => new AwaitMarksActivity(cluster, clock, wakes, left));
        AddPart(Activities.Remind, static (cluster, _, _, left) => new RemindActivity(cluster, left));
        AddPart(Activities.EndLeftRunning, static (_, _, _, left) => new EndLeftRunningActivity(left));
        Add(Activities.CancelLease, static (cluster, _, wakeups) => new CancelLeaseActivity(cluster, wakeups));
        Add(Activities.ReleaseLease, static (cluster, _, _) => new ReleaseLeaseActivity(cluster));
        registry.AddActivity(Activities.AwaitPods, services => new AwaitPodsActivity(
            services.GetRequiredService<ICluster>(), services.GetRequiredService<TimeProvider>(), Slots(services), wakeups(services)));
        registry.AddActivity(Activities.EvictPods, services => new EvictPodsActivity(
            services.GetRequiredService<ICluster>(), services.GetRequiredService<TimeProvider>(), Slots(services), wakeups(services)));
        Add(Activities.AwaitVm, static (cluster, clock, wakeups) => new AwaitVmActivity(cluster, clock, wakeups));
        InboundGate? inbound = null;
        InboundGate Inbound(TimeProvider clock) => LazyInitializer.EnsureInitialized(ref inbound, () => new InboundGate(clock));
        registry.AddActivity(Activities.EvictLauncher, services =>
        {
            var clock = services.GetRequiredService<TimeProvider>();
            return new EvictLauncherActivity(services.GetRequiredService<ICluster>(), clock, Inbound(clock), Slots(services), wakeups(services));
        });
        Add(Activities.MigrateVm, (cluster, clock, waits) => new MigrateVmActivity(cluster, clock, Inbound(clock), waits));
        Add(Activities.ReadVm, static (cluster, _, _) => new ReadVmActivity(cluster));
        Add(Activities.CallVm, static (cluster, _, _) => new CallVmActivity(cluster));
        Add(Activities.DeleteVmi, static (cluster, clock, _) => new DeleteVmiActivity(cluster, clock));
        Add(Activities.CancelEvacuation, static (cluster, clock, _) => new CancelEvacuationActivity(cluster, clock));
        Add(Activities.TellToStay, static (cluster, clock, _) => new TellToStayActivity(cluster, clock));
        Add(Activities.DeleteMigration, static (cluster, clock, _) => new DeleteMigrationActivity(cluster, clock));
        Add(Activities.MarkVm, static (cluster, clock, _) => new MarkVmActivity(cluster, clock));
        Add(Activities.StopVm, static (cluster, clock, _) => new StopVmActivity(cluster, clock));
        Add(Activities.RestoreVm, static (cluster, clock, _) => new RestoreVmActivity(cluster, clock));
        Add(Activities.ListHeldVms, static (cluster, _, _) => new ListHeldVmsActivity(cluster));
        Add(Activities.AwaitRunning, static (cluster, _, wakeups) => new AwaitRunningActivity(cluster, wakeups));
        Add(Activities.WakeWaits, static (_, _, wakeups) => new WakeWaitsActivity(wakeups));
        Add(Activities.RecordEvent, static (cluster, _, _) => new RecordEventActivity(cluster));
        Add(Activities.CheckRestore, static (cluster, clock, _) => new CheckRestoreActivity(cluster, clock));
        Add(Activities.ReadNodes, static (cluster, clock, _) => new ReadNodesActivity(cluster, clock));
        registry.AddActivity(Activities.StartRun, static services => new StartRunActivity(services.GetRequiredService<DurableTaskClient>()));
        registry.AddActivity(Activities.EndParts, static services => new EndPartsActivity(services.GetRequiredService<DurableTaskClient>()));
        return registry.AddActivity<NextWindowActivity>(Activities.NextWindow);
    }
}

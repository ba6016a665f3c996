using Drydock.Kubernetes;
using Drydock.Maintenance.Actions;
using Drydock.Maintenance.Health;
using Drydock.Maintenance.Node;
using Microsoft.Extensions.DependencyInjection;

namespace Drydock.Maintenance;

/// <summary>Registers the activities of actions, health gate and neighbours, which need more than the cluster.</summary>
internal static class ActionTasks
{
    public static DurableTaskRegistry AddActionActivities(this DurableTaskRegistry registry, Func<IServiceProvider, Wakeups> wakeups)
    {
        DurableTaskRegistry Add(string name, Func<ActionServices, ITaskActivity> create) =>
            registry.AddActivity(name, services => create(new ActionServices(services, wakeups(services))));

        Add(Activities.Plan, static with => new PlanActivity(with.Cluster, with.Clock, with.Services.GetActionPlanner()));
        Add(Activities.ReadNode, static with => new ReadNodeActivity(with.Cluster, with.Neighbours));
        Add(Activities.ReassertNode, static with => new ReassertNodeActivity(with.Cluster, with.Clock));
        Add(Activities.ReadNeighbours, static with => new ReadNeighboursActivity(with.Cluster, with.Neighbours));
        Add(Activities.HoldNeighbours, static with => new HoldNeighboursActivity(with.Cluster, with.Neighbours, with.Clock));
        Add(Activities.ReleaseNeighbours, static with => new ReleaseNeighboursActivity(with.Cluster, with.Neighbours, with.Clock));
        Add(Activities.StartJob, static with => new StartJobActivity(with.Cluster, with.Neighbours, with.Clock));
        Add(Activities.AwaitJob, static with => new AwaitJobActivity(with.Cluster, with.Neighbours, with.Clock, with.Wakeups));
        Add(Activities.EndJob, static with => new EndJobActivity(with.Neighbours));
        Add(Activities.AwaitBoot, static with => new AwaitBootActivity(with.Cluster, with.Neighbours, with.Clock, with.Wakeups));
        Add(Activities.PowerOff, static with => new PowerOffActivity(with.Cluster, with.Neighbours, with.Clock));
        Add(Activities.PowerOn, static with => new PowerOnActivity(with.Neighbours));
        Add(Activities.AwaitPower, static with => new AwaitPowerActivity(with.Cluster, with.Neighbours, with.Clock, with.Wakeups));
        Add(Activities.CallWebhook, static with => new CallWebhookActivity(with.Cluster, with.Targets, with.Secrets, with.Callbacks, with.Clock));
        Add(Activities.AwaitHealth, static with => new AwaitHealthActivity(with.Cluster, with.Neighbours, with.Clock, with.Wakeups));
        Add(Activities.Probe, static with => new ProbeActivity(with.Neighbours, with.Targets, with.Secrets));
        return Add(Activities.ReadProbes, static with => new ReadProbesActivity(with.Neighbours));
    }

    private sealed record ActionServices(IServiceProvider Services, Wakeups Wakeups)
    {
        public ICluster Cluster => Services.GetRequiredService<ICluster>();

        public INeighbours Neighbours => Services.GetRequiredService<INeighbours>();

        public TimeProvider Clock => Services.GetRequiredService<TimeProvider>();

        public IHttpTargets Targets => Services.GetService<IHttpTargets>() ?? NothingMounted.Instance;

        public ISecretFiles Secrets => Services.GetService<ISecretFiles>() ?? NothingMounted.Instance;

        public CallbackAddress Callbacks => Services.GetService<CallbackAddress>() ?? new CallbackAddress(null);
    }
}

/// <summary>Makes the planner of actions from what is registered.</summary>
public static class ActionPlanning
{
    /// <summary>A planner; policies, HTTP targets and secrets that are not registered count as none.</summary>
    public static ActionPlanner GetActionPlanner(this IServiceProvider services) => new(
        services.GetRequiredService<ICluster>(),
        services.GetRequiredService<INeighbours>(),
        services.GetService<IMaintenancePolicies>() ?? FixedPolicies.None,
        services.GetService<IHttpTargets>() ?? NothingMounted.Instance,
        services.GetService<ISecretFiles>() ?? NothingMounted.Instance,
        services.GetService<CallbackAddress>() ?? new CallbackAddress(null));
}

/// <summary>No secret and no address: where nobody set any up.</summary>
internal sealed class NothingMounted : IHttpTargets, ISecretFiles
{
    public static NothingMounted Instance { get; } = new();

    public string Problem(string url) => $"{url} must not be called: this Drydock has no list of addresses that may be.";

    public Task<HttpTargetAnswer> SendAsync(HttpTargetCall call, CancellationToken cancellationToken) =>
        Task.FromResult(new HttpTargetAnswer(null, Problem(call.Url)));

    public Task<string?> ReadAsync(string name, CancellationToken cancellationToken) => Task.FromResult<string?>(null);
}

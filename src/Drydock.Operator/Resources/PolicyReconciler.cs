using Drydock.Kubernetes;

namespace Drydock.Operator.Resources;

/// <summary>MaintenancePolicy: nothing is started; its status says whether maintenances can be under it.</summary>
internal sealed class PolicyReconciler(IDrydockResources resources, IResourceRequests requests, TimeProvider clock) : IReconciler
{
    public string Kind => "MaintenancePolicy";

    public IAsyncEnumerable<string> WatchAsync(CancellationToken cancellationToken) => resources.WatchAsync(DrydockKind.Policy, cancellationToken);

    public async Task<ReconcileResult> ReconcileAsync(string name, CancellationToken cancellationToken)
    {
        if (await resources.GetAsync(DrydockKind.Policy, name, cancellationToken) is { DeletionRequestedAt: null } policy)
        {
            var problem = requests.PolicyProblem(name, policy.Spec);
            var status = problem is null
                ? ResourceStatus.Of(policy, "Ready", "Maintenances can be under it.")
                    .With(policy, clock.GetUtcNow(), new ResourceCondition("Accepted", true, "Read", "It was read."))
                : ResourceStatus.Of(policy, "Invalid", problem)
                    .With(policy, clock.GetUtcNow(), new ResourceCondition("Accepted", false, "Invalid", problem));
            await resources.WriteStatusAsync(policy, status, cancellationToken);
        }

        return new ReconcileResult(null);
    }

    public Task EndOrphansAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

using System.Security.Cryptography;
using System.Text;
using Drydock.DurableTask.Remote;
using Drydock.DurableTask.TaskHub;

namespace Drydock.Server;

/// <summary>
/// A hub in another process, such as the Durable Task Scheduler. What the protocol has no call for is kept where it can be: the cluster in
/// an instance that waits for ever, who acts on resources in a lease of the cluster. Nothing tells the other servers that a wait is over,
/// so a wait of theirs goes on until it looks again by itself, a minute at the longest, and a batch of evictions for ten seconds.
/// </summary>
internal sealed class RemoteServerHub(RemoteTaskHub hub, TaskHubAddress address, DurableTaskClient client, OperatorLeadership leadership) : IServerHub
{
    private const string BindingId = "drydock-cluster";

    // The protocol has no identity of a hub: it is the one at this address, for whoever uses this address.
    private readonly Guid _id = new(SHA256.HashData(Encoding.UTF8.GetBytes($"{address.Endpoint}\n{address.TaskHub}")).AsSpan(0, 16));

    /// <inheritdoc/>
    public Guid Id => _id;

    /// <summary>The protocol has no word for the others: each server counts as the only one.</summary>
    public int Servers => 1;

    /// <inheritdoc/>
    public Action<string>? Woken { get; set; }

    /// <inheritdoc/>
    public async Task BelongToAsync(string cluster, CancellationToken cancellationToken)
    {
        try
        {
            await hub.HelloAsync(cancellationToken);
            var bound = await ReadAsync(cancellationToken) ?? await WriteAsync(cluster, cancellationToken);
            if (bound != cluster)
            {
                throw new TaskHubBindingException("cluster", bound, cluster);
            }
        }
        catch (TaskHubException error)
        {
            throw new TaskHubOpenException(
                TaskHubOpenProblem.Unreachable,
                address.Endpoint.ToString(),
                $"The task hub at {address.Endpoint} cannot be used ({error.Status}): {error.Message.TrimEnd('.')}. Check Endpoint, TaskHub and Authentication, and whether it runs.",
                error);
        }
    }

    /// <inheritdoc/>
    public Task ProveAsync(CancellationToken cancellationToken) => hub.HelloAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<CancellationToken> LeadAsync(CancellationToken cancellationToken) => leadership.LeadAsync(cancellationToken);

    /// <inheritdoc/>
    public Task WakeAsync(string node, CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<string?> ReadAsync(CancellationToken cancellationToken) =>
        (await client.GetInstanceAsync(BindingId, getInputsAndOutputs: true, cancellationToken))?.ReadInputAs<string>();

    private async Task<string> WriteAsync(string cluster, CancellationToken cancellationToken)
    {
        try
        {
            await client.ScheduleNewOrchestrationInstanceAsync(HubBindingOrchestrator.Name, cluster, Instances.StartOnce(BindingId), cancellationToken);
        }
        catch (OrchestrationAlreadyExistsException)
        {
            // Another server was faster; what it wrote counts.
        }

        return await ReadAsync(cancellationToken) ?? "";
    }
}

/// <summary>Never ends: its input says for as long as the hub lives which cluster the hub serves.</summary>
internal sealed class HubBindingOrchestrator : TaskOrchestrator<string, object?>
{
    /// <summary>Its name in the hub.</summary>
    public const string Name = "hub.binding";

    /// <inheritdoc/>
    public override Task<object?> RunAsync(TaskOrchestrationContext context, string input) => context.WaitForExternalEvent<object?>("never");
}

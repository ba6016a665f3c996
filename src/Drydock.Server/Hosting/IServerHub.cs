using Drydock.Maintenance;
using Drydock.Operator;

namespace Drydock.Server;

/// <summary>
/// What a server needs of its task hub beyond the protocol: whose it is, and what the servers on one hub agree on (who acts on resources,
/// and that waits end).
/// </summary>
internal interface IServerHub : ILeadership, IWakeupRelay
{
    /// <summary>Which hub this is; the same for all servers on it and for as long as it lives.</summary>
    Guid Id { get; }

    /// <summary>How many servers are on the hub, this one among them, as far as this one sees; at least one.</summary>
    int Servers { get; }

    /// <summary>The hub serves this cluster from now on, and never another one.</summary>
    /// <exception cref="DurableTask.TaskHub.TaskHubBindingException">It serves another cluster.</exception>
    /// <exception cref="DurableTask.TaskHub.TaskHubOpenException">It cannot be used.</exception>
    Task BelongToAsync(string cluster, CancellationToken cancellationToken);

    /// <summary>Returns when the hub has shown that it works.</summary>
    /// <exception cref="TaskHubException">It does not.</exception>
    Task ProveAsync(CancellationToken cancellationToken);
}

using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub;

/// <summary>
/// A task hub inside this process: what the calls of the protocol mean, over whichever store. What it acknowledged is durable.
/// </summary>
/// <remarks>Instance ids are compared exactly. There is nothing to ping in one process, so its streams carry no health pings.</remarks>
public abstract partial class EmbeddedTaskHub : ITaskHub, ITaskHubExtensions, ISpeculativeTaskHub, IHostedLifecycleService, IAsyncDisposable
{
    private readonly TaskHubOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;

    private protected EmbeddedTaskHub(TaskHubOptions options, TimeProvider clock, ILogger logger)
    {
        _options = options;
        _clock = clock;
        _logger = logger;
    }

    /// <summary>Where the hub is, for people; without secrets.</summary>
    public abstract string Description { get; }

    /// <summary>The identity of this hub: a GUID that was made with its store and stays with it.</summary>
    public abstract Guid HubId { get; }

    /// <summary>What is in the hub just now; of a hub that several processes share, the part of this one.</summary>
    public abstract TaskHubCounts Counts { get; }

    /// <summary>Another process of the same hub has told something; see <see cref="TellAsync"/>.</summary>
    public Action<string>? Told { get; set; }

    private protected abstract IHubLoop Loop { get; }

    private protected abstract IHubReads Reads { get; }

    /// <summary>Opens the hub; it is usable when this returns. Opening an open hub does nothing.</summary>
    /// <exception cref="TaskHubOpenException">The store cannot be used; nothing in it was changed.</exception>
    public abstract Task OpenAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Binds the hub to a thing outside, such as <c>("cluster", uid)</c>: the first use stores the value, later ones must give the same.
    /// </summary>
    /// <exception cref="TaskHubBindingException">The hub is bound to another value.</exception>
    public abstract Task BindAsync(string key, string value, CancellationToken cancellationToken);

    /// <summary>Returns when something was written durably: a store that cannot be written, or a hub that hangs, shows here and not at the next maintenance.</summary>
    /// <exception cref="TaskHubException">It could not be written.</exception>
    public abstract Task ProveWritableAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Returns when this process is the one of the hub's that should do what only one should do; the token is cancelled when it may not
    /// be any more. A hub of one process answers at once, with a token that never is.
    /// </summary>
    public virtual Task<CancellationToken> LeadAsync(CancellationToken cancellationToken) => Task.FromResult(CancellationToken.None);

    /// <summary>How many processes are on the hub, this one among them, as far as it is seen: one that comes or ends is seen a second later.</summary>
    public virtual int Processes => 1;

    /// <summary>Tells the other processes of the hub something short that is no loss if it gets lost. A hub of one process has no others.</summary>
    public virtual Task TellAsync(string message, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Commits what was asked before, ends the streams and lets go of the store.</summary>
    public abstract ValueTask DisposeAsync();

    private protected void Hear(string message) => Told?.Invoke(message);

    Task IHostedLifecycleService.StartingAsync(CancellationToken cancellationToken) => OpenAsync(cancellationToken);

    Task IHostedService.StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedService.StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StoppedAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();
}

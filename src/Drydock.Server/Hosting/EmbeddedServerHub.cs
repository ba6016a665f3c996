using Drydock.DurableTask.TaskHub;

namespace Drydock.Server;

/// <summary>A hub in this process: the servers on one database agree by it. On a file of its own a server is alone.</summary>
internal sealed class EmbeddedServerHub : IServerHub, IDisposable
{
    private const string WakePrefix = "wake:";
    private readonly EmbeddedTaskHub _hub;
    private readonly ILogger<EmbeddedServerHub> _logger;

    public EmbeddedServerHub(EmbeddedTaskHub hub, ILogger<EmbeddedServerHub> logger)
    {
        (_hub, _logger) = (hub, logger);
        hub.Told += Hear;
    }

    /// <inheritdoc/>
    public Guid Id => _hub.HubId;

    /// <inheritdoc/>
    public int Servers => _hub.Processes;

    /// <inheritdoc/>
    public Action<string>? Woken { get; set; }

    /// <inheritdoc/>
    public Task BelongToAsync(string cluster, CancellationToken cancellationToken) => _hub.BindAsync("cluster", cluster, cancellationToken);

    /// <inheritdoc/>
    public Task ProveAsync(CancellationToken cancellationToken) => _hub.ProveWritableAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<CancellationToken> LeadAsync(CancellationToken cancellationToken) => _hub.LeadAsync(cancellationToken);

    /// <inheritdoc/>
    public async Task WakeAsync(string node, CancellationToken cancellationToken)
    {
        try
        {
            await _hub.TellAsync(WakePrefix + node, cancellationToken);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // A wait elsewhere then ends by itself, after a minute at the latest.
            _logger.LogWarning(error, "The other servers could not be told that waits for {Node} are over.", node);
        }
    }

    public void Dispose() => _hub.Told -= Hear;

    private void Hear(string message)
    {
        if (message.StartsWith(WakePrefix, StringComparison.Ordinal))
        {
            Woken?.Invoke(message[WakePrefix.Length..]);
        }
    }
}

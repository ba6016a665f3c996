using Drydock.DurableTask.TaskHub;
using Drydock.Maintenance;
using Drydock.Operator;

namespace Drydock.Server;

/// <summary>What the servers on one task hub agree on: who acts on resources, and that waits end. With a hub of its own a server is alone.</summary>
internal sealed class HubReplicas : ILeadership, IWakeupRelay, IDisposable
{
    private const string WakePrefix = "wake:";
    private readonly EmbeddedTaskHub _hub;
    private readonly ILogger<HubReplicas> _logger;

    public HubReplicas(EmbeddedTaskHub hub, ILogger<HubReplicas> logger)
    {
        (_hub, _logger) = (hub, logger);
        hub.Told += Hear;
    }

    /// <inheritdoc/>
    public Action<string>? Woken { get; set; }

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

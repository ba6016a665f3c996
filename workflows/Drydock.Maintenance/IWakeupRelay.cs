namespace Drydock.Maintenance;

/// <summary>Carries the news that waits for a node are over between the processes that share the work of one task hub.</summary>
public interface IWakeupRelay
{
    /// <summary>Another process says that the waits for this node are over.</summary>
    Action<string>? Woken { get; set; }

    /// <summary>Tells the other processes, as well as it can.</summary>
    Task WakeAsync(string node, CancellationToken cancellationToken);
}

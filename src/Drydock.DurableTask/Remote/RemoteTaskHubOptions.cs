namespace Drydock.DurableTask.Remote;

/// <summary>Where a remote task hub is, and when its silence means that it is gone.</summary>
public sealed class RemoteTaskHubOptions
{
    /// <summary>Where it is.</summary>
    public required TaskHubAddress Address { get; set; }

    /// <summary>
    /// A stream of work items that is silent for so long is given up and opened again: hubs send health pings far more often. The
    /// default is 120 seconds, as in the official SDK.
    /// </summary>
    public TimeSpan Silence { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>After so many streams in a row that brought nothing, the connection is made anew. The default is 5.</summary>
    public int FailuresBeforeReconnect { get; set; } = 5;

    /// <summary>How long the hub may take to say hello. The default is 30 seconds.</summary>
    public TimeSpan HelloTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The largest message that is sent, in bytes. The default is 4,089,446: what a hub with default limits takes.</summary>
    public int MaximumSentBytes { get; set; } = 4_089_446;

    /// <summary>The largest message that is received, in bytes. The default is 64 MiB.</summary>
    public int MaximumReceivedBytes { get; set; } = 64 * 1024 * 1024;
}

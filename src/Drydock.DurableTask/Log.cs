using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask;

/// <summary>What the engine logs: ids 1000 to 1099.</summary>
internal static partial class Log
{
    [LoggerMessage(1001, LogLevel.Warning,
        "Orchestrator {Orchestrator} ({InstanceId}) awaited something that is not a durable task; it does not go on from there. "
        + "Await only what the context gives, and do everything else in activities.")]
    public static partial void AwaitedSomethingElse(ILogger logger, string orchestrator, string instanceId);
}

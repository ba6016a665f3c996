using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>What the endpoint logs: ids 1100 to 1149.</summary>
internal static partial class Log
{
    [LoggerMessage(1100, LogLevel.Warning, "A {Kind} of {Size} bytes is too large for its worker, which takes {Limit}; it was failed.")]
    public static partial void ItemTooLarge(ILogger logger, string kind, int size, int limit);

    [LoggerMessage(1101, LogLevel.Error, "{Method} failed inside the task hub.")]
    public static partial void CallFailed(ILogger logger, Exception exception, string method);

    [LoggerMessage(1102, LogLevel.Information, "Worker {Worker} takes work from task hub {Hub}.")]
    public static partial void WorkerCame(ILogger logger, string worker, string hub);

    [LoggerMessage(1103, LogLevel.Information, "Worker {Worker} has left task hub {Hub}.")]
    public static partial void WorkerLeft(ILogger logger, string worker, string hub);

    [LoggerMessage(1104, LogLevel.Warning, "Workers still hold {Count} items after {Timeout}; they are handed out again at the next start.")]
    public static partial void DrainTimedOut(ILogger logger, int count, TimeSpan timeout);
}

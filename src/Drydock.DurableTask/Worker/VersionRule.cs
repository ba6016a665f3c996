using Drydock.DurableTask.Abstractions;

namespace Drydock.DurableTask.Worker;

/// <summary>Which versions a worker runs.</summary>
internal static class VersionRule
{
    /// <summary>The error type of tasks of a version that the worker must not run.</summary>
    public const string ErrorType = "VersionMismatch";

    /// <summary>Why the worker must not run a version; null if it may.</summary>
    public static string? Objection(DurableTaskWorkerOptions.VersioningOptions? versioning, string? version) =>
        versioning?.MatchStrategy switch
        {
            DurableTaskWorkerOptions.VersionMatchStrategy.Strict when Compare(version, versioning.Version) != 0 =>
                $"The task's version '{version}' is not the worker's version '{versioning.Version}'.",
            DurableTaskWorkerOptions.VersionMatchStrategy.CurrentOrOlder when Compare(version, versioning.Version) > 0 =>
                $"The task's version '{version}' is newer than the worker's version '{versioning.Version}'.",
            _ => null,
        };

    private static int Compare(string? version, string workerVersion) =>
        TaskOrchestrationVersioningUtils.CompareVersions(version ?? string.Empty, workerVersion);
}

using Drydock.DurableTask.Converters;

namespace Drydock.DurableTask.Client;

/// <summary>How a client works.</summary>
public class DurableTaskClientOptions
{
    /// <summary>Turns inputs and payloads into text. The default is JSON.</summary>
    public DataConverter DataConverter { get; set; } = JsonDataConverter.Default;

    /// <summary>The version of started orchestrations that name none. The default is empty: unversioned.</summary>
    public string DefaultVersion { get; set; } = string.Empty;

    /// <summary>Whether entities can be used. The default is false; they are not supported yet.</summary>
    public bool EnableEntitySupport { get; set; }
}

/// <summary>Which orchestrations a query wants.</summary>
/// <param name="CreatedFrom">Created at or after this moment.</param>
/// <param name="CreatedTo">Created at or before this moment.</param>
/// <param name="Statuses">In one of these states.</param>
/// <param name="TaskHubNames">In one of these hubs, where the hub knows others.</param>
/// <param name="InstanceIdPrefix">With an id that begins so.</param>
/// <param name="PageSize">How many to fetch at once.</param>
/// <param name="FetchInputsAndOutputs">Whether to fetch inputs, outputs and custom status.</param>
/// <param name="ContinuationToken">Where to go on.</param>
public record OrchestrationQuery(
    DateTimeOffset? CreatedFrom = null,
    DateTimeOffset? CreatedTo = null,
    IEnumerable<OrchestrationRuntimeStatus>? Statuses = null,
    IEnumerable<string>? TaskHubNames = null,
    string? InstanceIdPrefix = null,
    int PageSize = OrchestrationQuery.DefaultPageSize,
    bool FetchInputsAndOutputs = false,
    string? ContinuationToken = null)
{
    /// <summary>How many are fetched at once unless said otherwise.</summary>
    public const int DefaultPageSize = 100;
}

/// <summary>How an instance is purged.</summary>
/// <param name="Recursive">Whether its sub-orchestrations go too.</param>
public record PurgeInstanceOptions(bool Recursive = false);

/// <summary>Which ended instances are purged.</summary>
/// <param name="CreatedFrom">Created at or after this moment.</param>
/// <param name="CreatedTo">Created at or before this moment.</param>
/// <param name="Statuses">In one of these states.</param>
public record PurgeInstancesFilter(
    DateTimeOffset? CreatedFrom = null,
    DateTimeOffset? CreatedTo = null,
    IEnumerable<OrchestrationRuntimeStatus>? Statuses = null)
{
    /// <summary>Stop after this time, with an incomplete result; null means never.</summary>
    public TimeSpan? Timeout { get; init; }
}

/// <summary>What a purge did.</summary>
public class PurgeResult(int count, bool? isComplete)
{
    /// <summary>So many instances were deleted.</summary>
    public PurgeResult(int count)
        : this(count, isComplete: null)
    {
    }

    /// <summary>How many instances were deleted.</summary>
    public int PurgedInstanceCount { get; } = count;

    /// <summary>Whether nothing is left to purge; null if the hub does not say.</summary>
    public bool? IsComplete { get; } = isComplete;
}

/// <summary>How an instance is terminated.</summary>
/// <param name="Output">Its output.</param>
/// <param name="Recursive">Whether its sub-orchestrations are terminated too.</param>
public record TerminateInstanceOptions(object? Output = null, bool Recursive = false);

/// <summary>Which states of an existing instance forbid to start another one under its id.</summary>
public static class StartOrchestrationOptionsExtensions
{
    /// <summary>The states that can be named.</summary>
    public static readonly IReadOnlyList<OrchestrationRuntimeStatus> ValidDedupeStatuses =
    [
        OrchestrationRuntimeStatus.Completed,
        OrchestrationRuntimeStatus.Failed,
        OrchestrationRuntimeStatus.Terminated,
#pragma warning disable CS0618 // The protocol still has the state.
        OrchestrationRuntimeStatus.Canceled,
#pragma warning restore CS0618
        OrchestrationRuntimeStatus.Pending,
        OrchestrationRuntimeStatus.Running,
        OrchestrationRuntimeStatus.Suspended,
    ];

    /// <summary>The start fails if an instance of that id is in one of these states, and replaces it in any other.</summary>
    public static StartOrchestrationOptions WithDedupeStatuses(
        this StartOrchestrationOptions options, params OrchestrationRuntimeStatus[] dedupeStatuses)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options with { DedupeStatuses = [.. dedupeStatuses.Select(static status => status.ToString())] };
    }
}

/// <summary>An instance of that id exists, in a state that forbids to replace it; nothing was started.</summary>
public sealed class OrchestrationAlreadyExistsException(string message, Exception? innerException = null)
    : Exception(message, innerException);

namespace Drydock.DurableTask;

/// <summary>How an activity or a sub-orchestration is to be run.</summary>
public record TaskOptions
{
    /// <summary>Sets retries only.</summary>
    public TaskOptions(TaskRetryOptions? retry)
        : this(retry, tags: null)
    {
    }

    /// <summary>Sets retries and tags; the default is no retries and no tags.</summary>
    public TaskOptions(TaskRetryOptions? retry = null, IDictionary<string, string>? tags = null)
    {
        Retry = retry;
        Tags = tags;
    }

    /// <summary>Copies options.</summary>
    public TaskOptions(TaskOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Retry = options.Retry;
        Tags = options.Tags;
        Version = options.Version;
    }

    /// <summary>How failures are retried; null means not at all.</summary>
    public TaskRetryOptions? Retry { get; init; }

    /// <summary>Tags that travel with the task.</summary>
    public IDictionary<string, string>? Tags { get; init; }

    /// <summary>The version to run; null means the version of the orchestration for activities, the worker's default for children.</summary>
    public TaskVersion? Version { get; init; }

    /// <summary>Retries by a policy.</summary>
    public static TaskOptions FromRetryPolicy(RetryPolicy policy) => new(policy);

    /// <summary>Retries for as long as the handler says so.</summary>
    public static TaskOptions FromRetryHandler(AsyncRetryHandler handler) => new(handler);

    /// <summary>Retries for as long as the handler says so.</summary>
    public static TaskOptions FromRetryHandler(RetryHandler handler) => new(handler);

    /// <summary>The same options for a child with a given instance id.</summary>
    public SubOrchestrationOptions WithInstanceId(string instanceId) => new(this, instanceId);
}

/// <summary>How a sub-orchestration is to be run.</summary>
public record SubOrchestrationOptions : TaskOptions
{
    /// <summary>Sets retries and the instance id; the default is no retries and an id of the context's choice.</summary>
    public SubOrchestrationOptions(TaskRetryOptions? retry = null, string? instanceId = null)
        : base(retry) => InstanceId = instanceId;

    /// <summary>Copies options and sets the instance id, keeping an id the options already have if none is given.</summary>
    public SubOrchestrationOptions(TaskOptions options, string? instanceId = null)
        : base(options)
    {
        InstanceId = instanceId ?? (options as SubOrchestrationOptions)?.InstanceId;
        Version = (options as SubOrchestrationOptions)?.Version ?? options.Version;
    }

    /// <summary>Copies options.</summary>
    public SubOrchestrationOptions(SubOrchestrationOptions options)
        : base(options)
    {
        InstanceId = options.InstanceId;
        Version = options.Version;
    }

    /// <summary>The instance id of the child; null lets the context choose.</summary>
    public string? InstanceId { get; init; }

    /// <summary>The version of the child; null means the worker's default version.</summary>
    public new TaskVersion? Version { get; init; }
}

/// <summary>How a new orchestration is to be started.</summary>
public record StartOrchestrationOptions
{
    /// <summary>Sets instance id and start time; the default is an id of the client's choice and a start at once.</summary>
    public StartOrchestrationOptions(string? InstanceId = null, DateTimeOffset? StartAt = null)
    {
        this.InstanceId = InstanceId;
        this.StartAt = StartAt;
    }

    /// <summary>Copies options.</summary>
    public StartOrchestrationOptions(StartOrchestrationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        InstanceId = options.InstanceId;
        StartAt = options.StartAt;
        Tags = options.Tags;
        Version = options.Version;
        DedupeStatuses = options.DedupeStatuses;
    }

    /// <summary>The id of the new instance; null lets the client choose.</summary>
    public string? InstanceId { get; init; }

    /// <summary>Not to be started before this moment; null means at once.</summary>
    public DateTimeOffset? StartAt { get; init; }

    /// <summary>Tags of the instance.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = System.Collections.Immutable.ImmutableDictionary<string, string>.Empty;

    /// <summary>The version to start; null means the client's default version.</summary>
    public TaskVersion? Version { get; init; }

    /// <summary>Names of the states in which an existing instance of that id makes the start fail; null lets the hub decide.</summary>
    public IReadOnlyList<string>? DedupeStatuses { get; init; }
}

/// <summary>What the next generation of an orchestration begins with.</summary>
public class ContinueAsNewOptions
{
    /// <summary>The input of the next generation.</summary>
    public object? NewInput { get; set; }

    /// <summary>Whether events that were not waited for go to the next generation. The default is true.</summary>
    public bool PreserveUnprocessedEvents { get; set; } = true;

    /// <summary>The version of the next generation; null keeps the version.</summary>
    public string? NewVersion { get; set; }
}

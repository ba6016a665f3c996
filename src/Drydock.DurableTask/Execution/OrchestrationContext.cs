using System.Collections.Immutable;
using Drydock.DurableTask.Entities;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.Execution;

/// <summary>The context of one execution: what the orchestrator asks for goes to its schedule.</summary>
internal sealed class OrchestrationContext : TaskOrchestrationContext
{
    private readonly Schedule _schedule;
    private readonly DurableTaskWorkerOptions _options;
    private readonly string? _serializedInput;
    private readonly object? _input;
    private readonly OrchestrationEntities _entities;
    private object? _customStatus;
    private int _guids;

    public OrchestrationContext(
        ExecutionStartedEvent started, Type inputType, Schedule schedule, DurableTaskWorkerOptions options, ILoggerFactory loggers)
    {
        _schedule = schedule;
        _options = options;
        _serializedInput = started.Input;
        LoggerFactory = loggers;
        Name = started.Name;
        InstanceId = started.OrchestrationInstance?.InstanceId ?? string.Empty;
        Version = started.Version ?? string.Empty;
        Parent = started.ParentInstance is { } parent
            ? new ParentOrchestrationInstance(parent.Name ?? string.Empty, parent.OrchestrationInstance?.InstanceId ?? string.Empty)
            : null;
        IsDrydock = started.Tags.ContainsKey(Semantics.Tag);
        _entities = new OrchestrationEntities(this, schedule, options.DataConverter);
        Events = new ExternalEvents(options.DataConverter, skipCancelled: IsDrydock);
        _input = options.DataConverter.Deserialize(started.Input, inputType);
    }

    public override TaskName Name { get; }

    public override string InstanceId { get; }

    public override ParentOrchestrationInstance? Parent { get; }

    public override string Version { get; }

    public override DateTime CurrentUtcDateTime => Now;

    public override bool IsReplaying => Replaying;

    public override IReadOnlyDictionary<string, object?> Properties => ImmutableDictionary<string, object?>.Empty;

    public override TaskOrchestrationEntityFeature Entities => _options.EnableEntitySupport
        ? _entities
        : throw new NotSupportedException("Durable entities are disabled because DurableTaskWorkerOptions.EnableEntitySupport=false");

    /// <summary>Entities, for the executor: history may tell of them whatever the options say.</summary>
    public OrchestrationEntities EntityMessages => _entities;

    /// <summary>Whether the execution was started by Drydock, so that faults of the official SDK need not be repeated.</summary>
    public bool IsDrydock { get; }

    /// <summary>When the turn in hand began.</summary>
    public DateTime Now { get; set; }

    /// <summary>Whether history is being replayed.</summary>
    public bool Replaying { get; set; }

    /// <summary>Events from outside.</summary>
    public ExternalEvents Events { get; }

    /// <summary>What comes after the orchestrator returns; null for its end.</summary>
    public NextGeneration? Next { get; private set; }

    protected override ILoggerFactory LoggerFactory { get; }

    private DataConverter Converter => _options.DataConverter;

    public override T? GetInput<T>()
        where T : default => _input switch
        {
            T input => input,
            null => default,
            _ => Converter.Deserialize<T>(_serializedInput),
        };

    public override Task<TResult> CallActivityAsync<TResult>(TaskName name, object? input = null, TaskOptions? options = null)
    {
        if (input is TaskOptions && options is null)
        {
            throw new ArgumentException(
                "TaskOptions were given as the activity's input and nothing as its options. "
                + "Were they meant to be the options? Then write 'options:' before them.",
                nameof(input));
        }

        var version = options?.Version is { } asked ? asked.Version : Version;

        // An activity's parameters are an array, of which there is only ever one: so the official SDK writes them.
        var parameters = Converter.Serialize(new[] { input });
        string? progress = null;
        return options?.Retry is null ? CallOnceAsync() : Retries.RunAsync(this, options.Retry, AttemptAsync);

        Task<TResult> CallOnceAsync() => CallAsync<TResult>(Actions.Activity(name, version, parameters, options?.Tags, progress), name);

        async Task<TResult> AttemptAsync()
        {
            try
            {
                return await CallOnceAsync();
            }
            catch (TaskFailedException failed)
            {
                // What it had said before it failed is for the next attempt.
                progress = failed.FailureDetails.Properties?.TryGetValue(ActivityLimits.ProgressTag, out var said) == true ? said as string : progress;
                throw;
            }
        }
    }

    public override Task<TResult> CallSubOrchestratorAsync<TResult>(
        TaskName orchestratorName, object? input = null, TaskOptions? options = null)
    {
        _entities.CheckNoCriticalSection();
        var sub = options as SubOrchestrationOptions;
        var instanceId = sub?.InstanceId ?? NewGuid().ToString("N");
        var version = (sub?.Version ?? options?.Version)?.Version ?? _options.Versioning?.DefaultVersion ?? string.Empty;
        var serialized = Converter.Serialize(input);
        var tags = ChildTags(options?.Tags);
        return Retries.RunAsync(this, options?.Retry, () => CallAsync<TResult>(
            Actions.SubOrchestration(instanceId, orchestratorName, version, serialized, tags), orchestratorName));
    }

    public override async Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken)
    {
        // An unspecified kind means UTC here: the zone of this machine must not decide when a timer fires.
        var end = fireAt.Kind == DateTimeKind.Local ? fireAt.ToUniversalTime() : DateTime.SpecifyKind(fireAt, DateTimeKind.Utc);
        while (end - Now > _options.MaximumTimerInterval && !cancellationToken.IsCancellationRequested)
        {
            await _schedule.AddTimerAsync(Now + _options.MaximumTimerInterval, cancellationToken);
        }

        await _schedule.AddTimerAsync(end, cancellationToken);
    }

    /// <summary>A timer of the engine's own: never split.</summary>
    public Task CreateRetryTimerAsync(DateTime fireAt) => _schedule.AddTimerAsync(fireAt, CancellationToken.None);

    public override Task<T> WaitForExternalEvent<T>(string eventName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(eventName);
        return Events.WaitAsync<T>(eventName, cancellationToken);
    }

    public override void SendEvent(string instanceId, string eventName, object payload)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        ArgumentException.ThrowIfNullOrEmpty(eventName);
        _schedule.Add(Actions.Event(instanceId, eventName, Converter.Serialize(payload)));
    }

    public override void SetCustomStatus(object? customStatus) => _customStatus = customStatus;

    public override void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true) =>
        ContinueAsNew(new ContinueAsNewOptions { NewInput = newInput, PreserveUnprocessedEvents = preserveUnprocessedEvents });

    public override void ContinueAsNew(ContinueAsNewOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var version = string.IsNullOrWhiteSpace(options.NewVersion) ? null : options.NewVersion;
        Next = new NextGeneration(Converter.Serialize(options.NewInput), version);
        if (options.PreserveUnprocessedEvents)
        {
            foreach (var (name, payload) in Events.TakeBuffered())
            {
                _schedule.Add(Actions.Event(InstanceId, name, payload));
            }
        }
    }

    public override Guid NewGuid() => DeterministicGuid.Create(InstanceId, Now, _guids++);

    /// <summary>The input as the orchestrator declared it.</summary>
    public object? Input => _input;

    /// <summary>The custom status as text; null if there is none.</summary>
    public string? SerializeCustomStatus() => Converter.Serialize(_customStatus);

    // What Drydock started behaves the same all the way down.
    private IDictionary<string, string>? ChildTags(IDictionary<string, string>? tags) => IsDrydock
        ? new Dictionary<string, string>(tags ?? ImmutableDictionary<string, string>.Empty) { [Semantics.Tag] = Semantics.Current }
        : tags;

    private async Task<TResult> CallAsync<TResult>(OrchestratorAction action, string name)
    {
        var result = await _schedule.AddTask(action, name);
        return Converter.Deserialize<TResult>(result)!;
    }
}

/// <summary>What an orchestration continues with.</summary>
internal sealed record NextGeneration(string? Input, string? Version);

/// <summary>What tells Drydock's executions from those of other SDKs.</summary>
internal static class Semantics
{
    /// <summary>A tag of executions that Drydock started: faults of the official SDK are not repeated in them.</summary>
    public const string Tag = "drydock.semantics";

    /// <summary>The present value of the tag.</summary>
    public const string Current = "1";
}

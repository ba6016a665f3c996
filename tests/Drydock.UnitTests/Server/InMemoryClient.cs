using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.Converters;

namespace Drydock.UnitTests.Server;

/// <summary>A client over a dictionary: what doors start, signal and read, without an engine.</summary>
internal sealed class InMemoryClient(TimeProvider clock) : DurableTaskClient("fake")
{
    private readonly Dictionary<string, OrchestrationMetadata> _instances = new(StringComparer.Ordinal);

    /// <summary>Everything that was started, in order.</summary>
    public List<string> Started { get; } = [];

    /// <summary>Every event that was raised, in order.</summary>
    public List<(string Instance, string Name, object? Payload)> Raised { get; } = [];

    /// <summary>Once: of an instance that is to be started, what another server starts under the same id in the moment before.</summary>
    public Func<object?, object?>? Before { get; set; }

    /// <summary>What an orchestrator brings about as soon as it hears of an event.</summary>
    public Action<string, string>? Heard { get; set; }

    /// <summary>Why nothing can be read, if so.</summary>
    public Exception? Away { get; set; }

    /// <summary>What an orchestrator would have brought about.</summary>
    public void Set(
        string id, object? customStatus = null, object? output = null, OrchestrationRuntimeStatus status = OrchestrationRuntimeStatus.Running, string? name = null)
    {
        var before = _instances.GetValueOrDefault(id);
        _instances[id] = new OrchestrationMetadata(name ?? before?.Name ?? "", id)
        {
            RuntimeStatus = status,
            CreatedAt = before?.CreatedAt ?? clock.GetUtcNow(),
            LastUpdatedAt = clock.GetUtcNow(),
            SerializedInput = before?.SerializedInput,
            SerializedOutput = JsonDataConverter.Default.Serialize(output),
            SerializedCustomStatus = JsonDataConverter.Default.Serialize(customStatus) ?? before?.SerializedCustomStatus,
        };
    }

    /// <summary>The input with which it continued as new.</summary>
    public void SetInput(string id, object input)
    {
        var before = _instances[id];
        _instances[id] = new OrchestrationMetadata(before.Name, id)
        {
            RuntimeStatus = before.RuntimeStatus,
            CreatedAt = before.CreatedAt,
            LastUpdatedAt = clock.GetUtcNow(),
            SerializedInput = JsonDataConverter.Default.Serialize(input),
            SerializedCustomStatus = before.SerializedCustomStatus,
        };
    }

    /// <summary>What ended long ago is purged.</summary>
    public void Forget(string id) => _instances.Remove(id);

    public T InputOf<T>(string id) => _instances[id].ReadInputAs<T>()!;

    public override Task<string> ScheduleNewOrchestrationInstanceAsync(
        TaskName orchestratorName, object? input = null, StartOrchestrationOptions? options = null, CancellationToken cancellation = default)
    {
        var id = options?.InstanceId ?? throw new ArgumentException("Doors name their instances.", nameof(options));
        if (Before is { } others)
        {
            Before = null;
            return ScheduleNewOrchestrationInstanceAsync(orchestratorName, others(input), options, cancellation)
                .ContinueWith(_ => ScheduleNewOrchestrationInstanceAsync(orchestratorName, input, options, cancellation), TaskScheduler.Default).Unwrap();
        }

        if (_instances.TryGetValue(id, out var before) && options.DedupeStatuses?.Contains(before.RuntimeStatus.ToString()) == true)
        {
            throw new OrchestrationAlreadyExistsException($"Instance '{id}' exists.");
        }

        Started.Add(id);
        _instances[id] = new OrchestrationMetadata(orchestratorName.Name, id)
        {
            RuntimeStatus = OrchestrationRuntimeStatus.Pending,
            CreatedAt = clock.GetUtcNow(),
            LastUpdatedAt = clock.GetUtcNow(),
            SerializedInput = JsonDataConverter.Default.Serialize(input),
        };
        return Task.FromResult(id);
    }

    public override Task RaiseEventAsync(
        string instanceId, string eventName, object? eventPayload = null, CancellationToken cancellation = default)
    {
        Raised.Add((instanceId, eventName, eventPayload));
        Heard?.Invoke(instanceId, eventName);
        return Task.CompletedTask;
    }

    public override Task<OrchestrationMetadata?> GetInstancesAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) =>
        Away is { } away ? Task.FromException<OrchestrationMetadata?>(away) : Task.FromResult(_instances.GetValueOrDefault(instanceId));

    public override AsyncPageable<OrchestrationMetadata> GetAllInstancesAsync(OrchestrationQuery? filter = null)
    {
        var found = _instances.Values
            .Where(instance => filter?.InstanceIdPrefix is not { } prefix || instance.InstanceId.StartsWith(prefix, StringComparison.Ordinal))
            .Where(instance => filter?.Statuses?.Contains(instance.RuntimeStatus) != false)
            .ToList();
        return Pageable.Create<OrchestrationMetadata>((_, _) => Task.FromResult(new Page<OrchestrationMetadata>(found)));
    }

    public override Task<OrchestrationMetadata> WaitForInstanceStartAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) => throw new NotSupportedException();

    public override Task<OrchestrationMetadata> WaitForInstanceCompletionAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) => throw new NotSupportedException();

    public override Task SuspendInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    public override Task ResumeInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

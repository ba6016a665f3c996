using System.Collections.Immutable;
using Drydock.DurableTask.Converters;

namespace Drydock.DurableTask.Client;

/// <summary>The state of an orchestration at one moment.</summary>
public sealed class OrchestrationMetadata(string name, string instanceId)
{
    /// <summary>The name under which it was started.</summary>
    public string Name { get; } = name;

    /// <summary>The id of the instance.</summary>
    public string InstanceId { get; } = instanceId;

    /// <summary>Reads the texts below; null means the default converter.</summary>
    public DataConverter? DataConverter { get; init; }

    /// <summary>Its state.</summary>
    public OrchestrationRuntimeStatus RuntimeStatus { get; init; }

    /// <summary>When it was created.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public DateTimeOffset LastUpdatedAt { get; init; }

    /// <summary>Its input, if it was asked for.</summary>
    public string? SerializedInput { get; init; }

    /// <summary>Its output, or the message of its failure, if it was asked for.</summary>
    public string? SerializedOutput { get; init; }

    /// <summary>Its custom status, if it was asked for.</summary>
    public string? SerializedCustomStatus { get; init; }

    /// <summary>How it failed, if it did and it was asked for.</summary>
    public TaskFailureDetails? FailureDetails { get; init; }

    /// <summary>Its tags.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Whether it is running.</summary>
    public bool IsRunning => RuntimeStatus == OrchestrationRuntimeStatus.Running;

    /// <summary>Whether it has ended: completed, failed or terminated.</summary>
    public bool IsCompleted => RuntimeStatus
        is OrchestrationRuntimeStatus.Completed or OrchestrationRuntimeStatus.Failed or OrchestrationRuntimeStatus.Terminated;

    /// <summary>Its input as a value.</summary>
    public T? ReadInputAs<T>() => Read<T>(SerializedInput);

    /// <summary>Its output as a value.</summary>
    public T? ReadOutputAs<T>() => Read<T>(SerializedOutput);

    /// <summary>Its custom status as a value.</summary>
    public T? ReadCustomStatusAs<T>() => Read<T>(SerializedCustomStatus);

    /// <inheritdoc/>
    public override string ToString() => $"[Name: '{Name}', ID: '{InstanceId}', RuntimeStatus: {RuntimeStatus}, "
        + $"CreatedAt: {CreatedAt:s}, LastUpdatedAt: {LastUpdatedAt:s}]";

    private T? Read<T>(string? text) => (DataConverter ?? JsonDataConverter.Default).Deserialize<T>(text);
}

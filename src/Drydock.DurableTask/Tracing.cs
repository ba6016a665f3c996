using System.Diagnostics;
using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask;

/// <summary>
/// The spans of client, orchestrations, activities and timers: one W3C trace goes from whoever started an orchestration through all that
/// it led to. Names and tags are those of the official SDK. A span cannot outlive the process that began it, so those of orchestrations
/// and timers are emitted when they are over, with the time at which they began; everything that one start led to is below the span of
/// that start.
/// </summary>
internal static class Tracing
{
    /// <summary>The name of the source, for whoever exports its spans.</summary>
    public const string SourceName = "Drydock.DurableTask";

    private const string Type = "durabletask.type";
    private const string TaskName = "durabletask.task.name";
    private const string TaskVersion = "durabletask.task.version";
    private const string InstanceId = "durabletask.task.instance_id";
    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>Whether anybody listens.</summary>
    public static bool IsOn => Source.HasListeners();

    /// <summary>The trace this code runs in, or null.</summary>
    private static TraceContext? Current => Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } id } current
        ? new TraceContext { TraceParent = id, TraceState = current.TraceStateString }
        : null;

    /// <summary>Begins the span in which an orchestration is started, if anybody listens, and puts the request into the trace.</summary>
    public static Activity? StartNewOrchestration(CreateInstanceRequest request)
    {
        var span = Source.StartActivity($"create_orchestration:{request.Name}", ActivityKind.Producer);
        Tag(span, "orchestration", request.Name, request.Version, request.InstanceId);
        request.ParentTraceContext = Current;
        return span;
    }

    /// <summary>Begins the span in which a client sends an event, or null if nobody listens.</summary>
    public static Activity? StartEvent(string name, string instanceId) => Source.StartActivity($"orchestration_event:{name}", ActivityKind.Producer)?
        .SetTag(Type, "event").SetTag(TaskName, name).SetTag("durabletask.event.target_instance_id", instanceId);

    /// <summary>A span for the run of an activity, or null if nobody listens.</summary>
    public static Activity? StartActivityTask(ActivityRequest request)
    {
        var span = Source.StartActivity($"activity:{request.Name}", ActivityKind.Internal, Read(request.ParentTraceContext) ?? default);
        Tag(span, "activity", request.Name, request.Version, request.OrchestrationInstance.InstanceId);
        return span;
    }

    /// <summary>Emits the span of an execution that has ended.</summary>
    public static void EmitOrchestration(TracedExecution execution, string instanceId, CompleteOrchestrationAction end, DateTimeOffset now)
    {
        using var span = Source.StartActivity($"orchestration:{execution.Name}", ActivityKind.Server, execution.Parent, startTime: execution.Began);
        Tag(span, "orchestration", execution.Name, execution.Version, instanceId);
        span?.SetTag("durabletask.task.status", end.OrchestrationStatus.ToString());
        if (end.OrchestrationStatus == OrchestrationStatus.Failed)
        {
            span?.SetStatus(ActivityStatusCode.Error, end.FailureDetails?.ErrorMessage);
        }

        span?.SetEndTime(now.UtcDateTime);
    }

    /// <summary>Emits the span of a timer that has fired.</summary>
    public static void EmitTimer(TracedExecution execution, string instanceId, DateTimeOffset began, TimerFiredEvent fired, DateTimeOffset now)
    {
        using var span = Source.StartActivity($"orchestration:{execution.Name}:timer", ActivityKind.Internal, execution.Parent, startTime: began);
        Tag(span, "timer", execution.Name, execution.Version, instanceId);
        span?.SetTag("durabletask.task.task_id", fired.TimerId).SetTag("durabletask.fire_at", fired.FireAt.ToDateTime().ToString("O"));
        span?.SetEndTime(now.UtcDateTime);
    }

    /// <summary>The context that a message carries; null if it carries none.</summary>
    public static System.Diagnostics.ActivityContext? Read(TraceContext? carried) =>
        carried is { TraceParent: { Length: > 0 } id } && System.Diagnostics.ActivityContext.TryParse(id, carried.TraceState, isRemote: true, out var context)
            ? context
            : null;

    private static void Tag(Activity? span, string type, string name, string? version, string instanceId)
    {
        span?.SetTag(Type, type).SetTag(TaskName, name).SetTag(InstanceId, instanceId);
        if (!string.IsNullOrEmpty(version))
        {
            span?.SetTag(TaskVersion, version);
        }
    }
}

/// <summary>An execution that is in a trace.</summary>
/// <param name="Name">The orchestrator.</param>
/// <param name="Version">Its version.</param>
/// <param name="Parent">The span that led to it.</param>
/// <param name="Began">When it began.</param>
internal sealed record TracedExecution(string Name, string? Version, System.Diagnostics.ActivityContext Parent, DateTimeOffset Began);

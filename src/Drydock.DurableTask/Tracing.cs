using System.Diagnostics;
using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask;

/// <summary>Carries a trace (W3C trace context) from whoever started an orchestration to the activities that it led to.</summary>
internal static class Tracing
{
    /// <summary>The name of the source, for whoever exports its spans.</summary>
    public const string SourceName = "Drydock.DurableTask";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>The trace this code runs in, or null.</summary>
    public static TraceContext? Current => Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } id } current
        ? new TraceContext { TraceParent = id, TraceState = current.TraceStateString }
        : null;

    /// <summary>A span for the run of an activity, or null if nobody listens.</summary>
    public static Activity? StartActivityTask(ActivityRequest request)
    {
        var parent = request.ParentTraceContext is { TraceParent: { Length: > 0 } id }
            && ActivityContext.TryParse(id, request.ParentTraceContext.TraceState, isRemote: true, out var context) ? context : default;
        var span = Source.StartActivity($"activity:{request.Name}", ActivityKind.Internal, parent);
        span?.SetTag("durabletask.type", "activity");
        span?.SetTag("durabletask.task.name", request.Name);
        span?.SetTag("durabletask.task.instance_id", request.OrchestrationInstance.InstanceId);
        return span;
    }
}

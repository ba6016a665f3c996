using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.Execution;

/// <summary>Compares what two executors made of the same events. Stack traces may differ: a replay comes another way.</summary>
internal static class TurnComparison
{
    /// <summary>The first difference, for people; null if there is none.</summary>
    public static string? Difference(OrchestrationTurn one, OrchestrationTurn other)
    {
        if (one.CustomStatus != other.CustomStatus)
        {
            return $"custom status {one.CustomStatus ?? "(none)"} / {other.CustomStatus ?? "(none)"}";
        }

        for (var i = 0; i < Math.Max(one.Actions.Count, other.Actions.Count); i++)
        {
            var left = WithoutStackTraces(one.Actions.ElementAtOrDefault(i));
            var right = WithoutStackTraces(other.Actions.ElementAtOrDefault(i));
            if (!Equals(left, right))
            {
                return $"action {left?.ToString() ?? "(none)"} / {right?.ToString() ?? "(none)"}";
            }
        }

        return null;
    }

    private static OrchestratorAction? WithoutStackTraces(OrchestratorAction? action)
    {
        var copy = action?.Clone();
        for (var failure = copy?.CompleteOrchestration?.FailureDetails; failure is not null; failure = failure.InnerFailure)
        {
            failure.StackTrace = null;
        }

        return copy;
    }
}

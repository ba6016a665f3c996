using System.Text.Json.Nodes;
using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Kind = Drydock.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Drydock.DurableTask.Testing;

/// <summary>Compares what a turn decided then with what it decides now.</summary>
internal sealed class ReplayComparison
{
    private readonly Dictionary<int, HistoryEvent> _recorded;
    private readonly HashSet<int> _seen = [];

    public ReplayComparison(IReadOnlyList<HistoryEvent> history) =>
        _recorded = history.Where(static e => IsDecision(e) && e.EventId >= 0 && e.ExecutionCompleted is null)
            .GroupBy(static e => e.EventId).ToDictionary(static group => group.Key, static group => group.Last());

    /// <summary>Whether an event tells what the code asked for, and not what happened to it.</summary>
    public static bool IsDecision(HistoryEvent item) => item.EventTypeCase is Kind.TaskScheduled or Kind.TimerCreated
        or Kind.SubOrchestrationInstanceCreated or Kind.EventSent or Kind.ExecutionCompleted or Kind.OrchestratorCompleted
        or (>= Kind.EntityOperationSignaled and <= Kind.EntityUnlockSent and not Kind.EntityOperationCompleted and not Kind.EntityOperationFailed and not Kind.EntityLockGranted);

    /// <summary>The first difference of a turn; null if there is none.</summary>
    public string? Difference(IReadOnlyList<HistoryEvent> then, IReadOnlyList<OrchestratorAction> now)
    {
        foreach (var action in now.Where(static action => action.CompleteOrchestration is null))
        {
            // A rewound history has steps in a later turn than the code first took them in.
            if (!_recorded.TryGetValue(action.Id, out var step))
            {
                return $"today's code {Actions.Describe(action)} as step {action.Id}; then it did not.";
            }

            _seen.Add(action.Id);
            if (Difference(step, action) is { } difference)
            {
                return difference;
            }
        }

        return then.FirstOrDefault(step => step.EventId >= 0 && step.ExecutionCompleted is null && !_seen.Contains(step.EventId)) is { } missing
            ? $"then {Describe(missing)} as step {missing.EventId}; today's code does not."
            : EndDifference(
                then.Select(static e => e.ExecutionCompleted).FirstOrDefault(static end => end is not null),
                now.Select(static action => action.CompleteOrchestration).FirstOrDefault(static end => end is not null));
    }

    private static string? EndDifference(ExecutionCompletedEvent? then, CompleteOrchestrationAction? now)
    {
        if (then is null || now is null)
        {
            return then is null && now is null ? null
                : now is null ? $"then the execution ended as {then!.OrchestrationStatus}; today's code goes on."
                : $"today's code ends the execution as {now.OrchestrationStatus}{Why(now)}; then it went on.";
        }

        return then.OrchestrationStatus != now.OrchestrationStatus
            ? $"then the execution ended as {then.OrchestrationStatus}; today as {now.OrchestrationStatus}{Why(now)}."
            : Value("the execution's result", then.Result, now.Result);
    }

    private static string Why(CompleteOrchestrationAction now) => now.FailureDetails is { } failure ? $" ({failure.ErrorMessage})" : string.Empty;

    private static string? Difference(HistoryEvent step, OrchestratorAction action)
    {
        var id = step.EventId;
        return (step.EventTypeCase, action) switch
        {
            (Kind.TaskScheduled, { ScheduleTask: { } today }) when IsName(step.TaskScheduled.Name, today.Name) =>
                Text($"step {id}, the version of activity '{today.Name}'", step.TaskScheduled.Version, today.Version)
                ?? Value($"step {id}, the input of activity '{today.Name}'", step.TaskScheduled.Input, today.Input),
            (Kind.TimerCreated, { CreateTimer: { } today }) =>
                Text($"step {id}, the time of a timer", step.TimerCreated.FireAt.ToDateTime().ToString("o"), today.FireAt.ToDateTime().ToString("o")),
            (Kind.SubOrchestrationInstanceCreated, { CreateSubOrchestration: { } today }) when IsName(step.SubOrchestrationInstanceCreated.Name, today.Name) =>
                Text($"step {id}, the id of sub-orchestration '{today.Name}'", step.SubOrchestrationInstanceCreated.InstanceId, today.InstanceId)
                ?? Text($"step {id}, the version of sub-orchestration '{today.Name}'", step.SubOrchestrationInstanceCreated.Version, today.Version)
                ?? Value($"step {id}, the input of sub-orchestration '{today.Name}'", step.SubOrchestrationInstanceCreated.Input, today.Input),
            (Kind.EventSent, { SendEvent: { } today }) when IsName(step.EventSent.Name, today.Name) =>
                Text($"step {id}, the receiver of event '{today.Name}'", step.EventSent.InstanceId, today.Instance.InstanceId)
                ?? Value($"step {id}, the payload of event '{today.Name}'", step.EventSent.Input, today.Data),
            (_, { SendEntityMessage: not null }) when IsDecision(step) => null,
            _ => $"step {id}: then {Describe(step)}; today's code {Actions.Describe(action)}.",
        };
    }

    private static bool IsName(string then, string now) => string.Equals(then, now, StringComparison.OrdinalIgnoreCase);

    private static string? Text(string what, string? then, string? now) =>
        (then ?? string.Empty) == (now ?? string.Empty) ? null : $"{what}: then {Show(then)}, today {Show(now)}.";

    private static string? Value(string what, string? then, string? now) => IsSame(then, now) ? null : $"{what}: then {Show(then)}, today {Show(now)}.";

    private static string Show(string? text) => text switch
    {
        null => "nothing",
        { Length: > 300 } => text[..300] + "…",
        _ => text,
    };

    private static bool IsSame(string? then, string? now)
    {
        if (then == now)
        {
            return true;
        }

        try
        {
            return then is not null && now is not null && Contains(JsonNode.Parse(now), JsonNode.Parse(then));
        }
        catch (System.Text.Json.JsonException)
        {
            // The payloads of other data converters are text.
            return false;
        }
    }

    private static bool Contains(JsonNode? now, JsonNode? then) => (now, then) switch
    {
        (JsonObject today, JsonObject before) => before.All(member => today.TryGetPropertyValue(member.Key, out var value) && Contains(value, member.Value)),
        (JsonArray today, JsonArray before) => today.Count == before.Count && today.Zip(before).All(static pair => Contains(pair.First, pair.Second)),
        _ => JsonNode.DeepEquals(now, then),
    };

    private static string Describe(HistoryEvent step) => step.EventTypeCase switch
    {
        Kind.TaskScheduled => $"activity '{step.TaskScheduled.Name}' was called",
        Kind.TimerCreated => $"a timer for {step.TimerCreated.FireAt.ToDateTime():u} was made",
        Kind.SubOrchestrationInstanceCreated => $"sub-orchestration '{step.SubOrchestrationInstanceCreated.Name}' was called",
        Kind.EventSent => $"event '{step.EventSent.Name}' was sent to '{step.EventSent.InstanceId}'",
        _ => $"{step.EventTypeCase} was recorded",
    };
}

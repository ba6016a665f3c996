using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>
/// The older form of messages to and from entities: events whose payload is JSON, as the .NET SDK sends them to hubs other than the
/// Durable Task Scheduler. What comes in becomes the typed form; what goes back is the form that was asked in.
/// </summary>
internal static class EntityMessages
{
    private const string ReleaseName = "release";
    private const string LockGranted = "Lock Acquisition Completed";

    /// <summary>The typed form of an event to an entity.</summary>
    /// <returns>Null if the event is no message for an entity.</returns>
    public static HistoryEvent? Read(string name, string? data, string target)
    {
        if (Parse(data) is not { } json)
        {
            return null;
        }

        var message = new HistoryEvent { EventId = -1 };
        var parent = Text(json, "parent");
        var id = Text(json, "id") ?? string.Empty;
        if (name == ReleaseName)
        {
            message.EntityUnlockSent = new() { CriticalSectionId = id, ParentInstanceId = parent, TargetInstanceId = target };
        }
        else if (json["lockset"] is JsonArray locks)
        {
            message.EntityLockRequested = new()
            {
                CriticalSectionId = id,
                ParentInstanceId = parent is not null && Text(json, "parentExecution") is { Length: > 0 } execution
                    ? LockOwner.Write(parent, execution)
                    : parent,
                Position = json["pos"]?.GetValue<int>() ?? 0,
                LockSet = { locks.Select(entity => $"@{Text(entity!.AsObject(), "name")}@{Text(entity.AsObject(), "key")}") },
            };
        }
        else if (json["signal"]?.GetValue<bool>() == true)
        {
            message.EntityOperationSignaled = new()
            {
                RequestId = id, Operation = Text(json, "op"), Input = Text(json, "input"), TargetInstanceId = target, ScheduledTime = Due(name),
            };
        }
        else
        {
            message.EntityOperationCalled = new()
            {
                RequestId = id,
                Operation = Text(json, "op"),
                Input = Text(json, "input"),
                ParentInstanceId = parent,
                ParentExecutionId = Text(json, "parentExecution"),
                TargetInstanceId = target,
                ScheduledTime = Due(name),
            };
        }

        return message;
    }

    /// <summary>The answer to an operation, or the grant of a lock, as an event.</summary>
    public static EventRaisedEvent Write(HistoryEvent answer) => answer.EventTypeCase switch
    {
        HistoryEvent.EventTypeOneofCase.EntityLockGranted => Raised(
            answer.EntityLockGranted.CriticalSectionId, new JsonObject { ["result"] = LockGranted }),
        HistoryEvent.EventTypeOneofCase.EntityOperationCompleted => Raised(
            answer.EntityOperationCompleted.RequestId, new JsonObject { ["result"] = answer.EntityOperationCompleted.Output }),
        _ => Raised(
            answer.EntityOperationFailed.RequestId,
            new JsonObject
            {
                ["result"] = answer.EntityOperationFailed.FailureDetails.ErrorMessage,
                ["exceptionType"] = answer.EntityOperationFailed.FailureDetails.ErrorType,
                ["failureDetails"] = Write(answer.EntityOperationFailed.FailureDetails),
            }),
    };

    private static EventRaisedEvent Raised(string name, JsonObject payload) => new() { Name = name, Input = payload.ToJsonString() };

    // The names of DurableTask.Core's FailureDetails.
    private static JsonObject? Write(Failure? failure) => failure is null ? null : new JsonObject
    {
        ["ErrorType"] = failure.ErrorType,
        ["ErrorMessage"] = failure.ErrorMessage,
        ["StackTrace"] = failure.StackTrace,
        ["InnerFailure"] = Write(failure.InnerFailure),
        ["IsNonRetriable"] = failure.IsNonRetriable,
    };

    private static Timestamp? Due(string name) =>
        name.IndexOf('@', StringComparison.Ordinal) is > 0 and var at
        && DateTime.TryParse(name[(at + 1)..], CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var due)
            ? Timestamp.FromDateTime(due.ToUniversalTime())
            : null;

    private static string? Text(JsonObject json, string name) => json[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static JsonObject? Parse(string? data)
    {
        try
        {
            return data is null ? null : JsonNode.Parse(data) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Kind = Drydock.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>
/// Keeps large payloads of an orchestration apart: rows that need one hold a token, and the payload is stored once for all of them,
/// in the transaction of the first. Payloads go with their instance, or when it continues as new and nothing refers to them any more.
/// Entities keep everything in their rows: their messages have no history to stay in.
/// </summary>
internal sealed class LargePayloads(IHubStore store, int threshold)
{
    /// <summary>The key of the custom status, of which only the last one counts.</summary>
    public const string CustomStatus = "status";

    // Not the beginning of any JSON text; what begins so all the same is stored apart, whatever its size, so that no payload is taken for a token.
    private const string Prefix = "\u0001payload:";

    /// <summary>How a token begins, as an expression of PostgreSQL.</summary>
    public const string PrefixInSql = "chr(1) || 'payload:'";

    /// <summary>The key under which a payload is stored, from the text in a row; null if the row has the payload itself.</summary>
    public static string? KeyIn(string? text) => text?.StartsWith(Prefix, StringComparison.Ordinal) == true ? text[Prefix.Length..] : null;

    /// <summary>Likewise, from an event.</summary>
    public static string? KeyIn(HistoryEvent historyEvent) => KeyIn(Payload(historyEvent));

    /// <summary>How many characters an event has apart from its row.</summary>
    public static int CharactersApart(HistoryEvent historyEvent) =>
        KeyIn(historyEvent) is { } key ? int.Parse(key.AsSpan(key.IndexOf(':', StringComparison.Ordinal) + 1), CultureInfo.InvariantCulture) : 0;

    /// <summary>Puts the payload into an event that was read with a token.</summary>
    public static void Fill(HistoryEvent historyEvent, string payload) => SetPayload(historyEvent, payload);

    /// <summary>An event as its row holds it: itself, or a copy with a token.</summary>
    public HistoryEvent Keep(Instance instance, HistoryEvent historyEvent)
    {
        if (IsEntity(instance) || Payload(historyEvent) is not { } text || !IsApart(text))
        {
            return historyEvent;
        }

        var copy = historyEvent.Clone();
        SetPayload(copy, Write(instance.Key, text));
        return copy;
    }

    /// <summary>A text as its row holds it: itself, or a token.</summary>
    public string? Keep(long key, string? text) => text is not null && IsApart(text) ? Write(key, text) : text;

    /// <summary>Likewise a custom status, which takes the place of the one before.</summary>
    public string? KeepStatus(long key, string? text)
    {
        if (text is null || !IsApart(text))
        {
            return text;
        }

        store.WritePayload(key, CustomStatus, text);
        return Prefix + CustomStatus;
    }

    /// <summary>The text that a row stands for.</summary>
    public string? Read(long key, string? text) => KeyIn(text) is { } payload ? store.ReadPayload(key, payload) : text;

    /// <summary>Puts the payload into an event as it was read.</summary>
    public HistoryEvent Read(long key, HistoryEvent historyEvent)
    {
        if (KeyIn(historyEvent) is { } payload)
        {
            SetPayload(historyEvent, store.ReadPayload(key, payload));
        }

        return historyEvent;
    }

    private static bool IsEntity(Instance instance) => instance.Id.StartsWith('@');

    private bool IsApart(string text) => text.Length > threshold || text.StartsWith(Prefix, StringComparison.Ordinal);

    private string Write(long key, string text)
    {
        // By content: what is passed on from step to step is stored once.
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        var payload = string.Create(CultureInfo.InvariantCulture, $"{hash}:{text.Length}");
        store.WritePayload(key, payload, text);
        return Prefix + payload;
    }

    // An event has at most one text that belongs to the user.
    private static string? Payload(HistoryEvent historyEvent) => historyEvent.EventTypeCase switch
    {
        Kind.ExecutionStarted => historyEvent.ExecutionStarted.Input,
        Kind.ExecutionCompleted => historyEvent.ExecutionCompleted.Result,
        Kind.ExecutionTerminated => historyEvent.ExecutionTerminated.Input,
        Kind.TaskScheduled => historyEvent.TaskScheduled.Input,
        Kind.TaskCompleted => historyEvent.TaskCompleted.Result,
        Kind.SubOrchestrationInstanceCreated => historyEvent.SubOrchestrationInstanceCreated.Input,
        Kind.SubOrchestrationInstanceCompleted => historyEvent.SubOrchestrationInstanceCompleted.Result,
        Kind.EventSent => historyEvent.EventSent.Input,
        Kind.EventRaised => historyEvent.EventRaised.Input,
        Kind.EntityOperationSignaled => historyEvent.EntityOperationSignaled.Input,
        Kind.EntityOperationCalled => historyEvent.EntityOperationCalled.Input,
        Kind.EntityOperationCompleted => historyEvent.EntityOperationCompleted.Output,
        _ => null,
    };

    private static void SetPayload(HistoryEvent historyEvent, string text)
    {
        switch (historyEvent.EventTypeCase)
        {
            case Kind.ExecutionStarted:
                historyEvent.ExecutionStarted.Input = text;
                break;
            case Kind.ExecutionCompleted:
                historyEvent.ExecutionCompleted.Result = text;
                break;
            case Kind.ExecutionTerminated:
                historyEvent.ExecutionTerminated.Input = text;
                break;
            case Kind.TaskScheduled:
                historyEvent.TaskScheduled.Input = text;
                break;
            case Kind.TaskCompleted:
                historyEvent.TaskCompleted.Result = text;
                break;
            case Kind.SubOrchestrationInstanceCreated:
                historyEvent.SubOrchestrationInstanceCreated.Input = text;
                break;
            case Kind.SubOrchestrationInstanceCompleted:
                historyEvent.SubOrchestrationInstanceCompleted.Result = text;
                break;
            case Kind.EventSent:
                historyEvent.EventSent.Input = text;
                break;
            case Kind.EventRaised:
                historyEvent.EventRaised.Input = text;
                break;
            case Kind.EntityOperationSignaled:
                historyEvent.EntityOperationSignaled.Input = text;
                break;
            case Kind.EntityOperationCalled:
                historyEvent.EntityOperationCalled.Input = text;
                break;
            case Kind.EntityOperationCompleted:
                historyEvent.EntityOperationCompleted.Output = text;
                break;
        }
    }
}

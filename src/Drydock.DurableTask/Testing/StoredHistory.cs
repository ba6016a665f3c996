using Drydock.DurableTask.Protobuf;
using Google.Protobuf;

namespace Drydock.DurableTask.Testing;

/// <summary>The history of one execution as JSON, to be kept in a file and replayed by a later version of the code.</summary>
/// <param name="InstanceId">The instance.</param>
/// <param name="Events">What happened, in order; the events are those of the protocol.</param>
public sealed record StoredHistory(string InstanceId, IReadOnlyList<HistoryEvent> Events)
{
    private const string EventsProperty = "events";
    private static readonly JsonFormatter _writer = new(JsonFormatter.Settings.Default);
    private static readonly JsonParser _reader = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <summary>The orchestration that the history is of; empty if the history has no beginning.</summary>
    public string Name => Events.Select(static e => e.ExecutionStarted).FirstOrDefault(static started => started is not null)?.Name ?? string.Empty;

    /// <summary>Reads the present history of an instance from its hub.</summary>
    /// <exception cref="TaskHubException"><c>NotFound</c>: there is no such instance.</exception>
    public static async Task<StoredHistory> ReadAsync(ITaskHub hub, string instanceId, CancellationToken cancellationToken)
    {
        List<HistoryEvent> events = [];
        await foreach (var chunk in hub.StreamInstanceHistoryAsync(new StreamInstanceHistoryRequest { InstanceId = instanceId }, cancellationToken))
        {
            events.AddRange(chunk.Events);
        }

        return new StoredHistory(instanceId, events);
    }

    /// <summary>Reads what <see cref="ToJson"/> wrote: one history, or an array of them.</summary>
    /// <exception cref="FormatException">The text is something else.</exception>
    public static IReadOnlyList<StoredHistory> FromJson(string json)
    {
        try
        {
            using var document = System.Text.Json.JsonDocument.Parse(json);
            return document.RootElement.ValueKind == System.Text.Json.JsonValueKind.Array
                ? [.. document.RootElement.EnumerateArray().Select(Read)]
                : [Read(document.RootElement)];
        }
        catch (Exception exception) when (exception is System.Text.Json.JsonException or InvalidProtocolBufferException or KeyNotFoundException)
        {
            throw new FormatException($"This is not a stored history: {exception.Message}", exception);
        }
    }

    /// <summary>One event per line, so that two of them can be compared by eye.</summary>
    public string ToJson()
    {
        var events = string.Join(",\n", Events.Select(static e => "    " + _writer.Format(e)));
        return $"{{\n  \"instanceId\": {System.Text.Json.JsonSerializer.Serialize(InstanceId)},\n  \"{EventsProperty}\": [\n{events}\n  ]\n}}";
    }

    private static StoredHistory Read(System.Text.Json.JsonElement element) => new(
        element.GetProperty("instanceId").GetString()!,
        [.. element.GetProperty(EventsProperty).EnumerateArray().Select(static e => _reader.Parse<HistoryEvent>(e.GetRawText()))]);
}

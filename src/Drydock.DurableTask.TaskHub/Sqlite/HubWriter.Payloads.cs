namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>Payloads that are stored apart from the rows that refer to them.</summary>
internal sealed partial class HubWriter
{
    private Statement _writePayload = null!;
    private Statement _readPayload = null!;
    private Statement _movePayloads = null!;
    private Statement _deleteUnusedPayloads = null!;
    private Statement _deletePayloads = null!;

    public void WritePayload(long instanceKey, string payloadKey, string content)
    {
        Begin();
        _writePayload.Bind(1, instanceKey).Bind(2, payloadKey).Bind(3, content).Execute();
    }

    public string ReadPayload(long instanceKey, string payloadKey) => ReadPayload(_readPayload, instanceKey, payloadKey);

    public void MovePayloads(long from, long to)
    {
        Begin();
        _movePayloads.Bind(1, from).Bind(2, to).Execute();
        DeletePayloads(from);
    }

    public void DeleteUnusedPayloads(long instanceKey)
    {
        Store(instanceKey);
        Begin();
        _deleteUnusedPayloads.Bind(1, instanceKey).Execute();
    }

    public void DeletePayloads(long instanceKey)
    {
        Begin();
        _deletePayloads.Bind(1, instanceKey).Execute();
    }

    /// <summary>Reads one with a statement that was prepared for it.</summary>
    internal static string ReadPayload(Statement statement, long instanceKey, string payloadKey)
    {
        var content = statement.Bind(1, instanceKey).Bind(2, payloadKey).Step() ? statement.Text(0) : null;
        statement.Reset();
        return content ?? throw new InvalidDataException(
            $"The payload '{payloadKey}' is missing in the task hub: something else has changed its database.");
    }

    internal const string SelectPayload = "SELECT content FROM payloads WHERE instance_key = ?1 AND payload_key = ?2";

    private void PreparePayloads()
    {
        _writePayload = Prepare(
            """
            INSERT INTO payloads (instance_key, payload_key, content) VALUES (?1, ?2, ?3)
            ON CONFLICT DO UPDATE SET content = excluded.content WHERE payload_key = 'status' AND content <> excluded.content
            """);
        _readPayload = Prepare(SelectPayload);
        _movePayloads = Prepare("UPDATE OR IGNORE payloads SET instance_key = ?2 WHERE instance_key = ?1");
        _deleteUnusedPayloads = Prepare(
            """
            DELETE FROM payloads WHERE instance_key = ?1
              AND payload_key NOT IN (SELECT payload_key FROM inbox WHERE instance_key = ?1 AND payload_key IS NOT NULL)
              AND payload_key NOT IN (SELECT payload_key FROM tasks WHERE instance_key = ?1 AND payload_key IS NOT NULL)
            """);
        _deletePayloads = Prepare("DELETE FROM payloads WHERE instance_key = ?1");
    }
}

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>Payloads that are stored apart from the rows that refer to them. Whoever writes them has locked their instance.</summary>
internal sealed partial class PostgreSqlStore
{
    public void WritePayload(long instanceKey, string payloadKey, string content) => Add(
        """
        INSERT INTO payloads (instance_key, payload_key, content) VALUES ($1, $2, $3)
        ON CONFLICT (instance_key, payload_key) DO UPDATE SET content = excluded.content
          WHERE payloads.payload_key = 'status' AND payloads.content <> excluded.content
        """,
        instanceKey,
        payloadKey,
        content);

    public string ReadPayload(long instanceKey, string payloadKey)
    {
        using var reader = Query("SELECT content FROM payloads WHERE instance_key = $1 AND payload_key = $2", instanceKey, payloadKey);
        return reader.Read()
            ? reader.GetString(0)
            : throw new InvalidDataException($"The payload '{payloadKey}' is missing in the task hub: something else has changed its database.");
    }

    public void MovePayloads(long from, long to)
    {
        Add(
            """
            INSERT INTO payloads (instance_key, payload_key, content) SELECT $2, payload_key, content FROM payloads WHERE instance_key = $1
            ON CONFLICT DO NOTHING
            """,
            from,
            to);
        DeletePayloads(from);
    }

    public void DeleteUnusedPayloads(long instanceKey) => Add(
        """
        DELETE FROM payloads WHERE instance_key = $1
          AND payload_key NOT IN (SELECT payload_key FROM inbox WHERE instance_key = $1 AND payload_key IS NOT NULL)
          AND payload_key NOT IN (SELECT payload_key FROM tasks WHERE instance_key = $1 AND payload_key IS NOT NULL)
        """,
        instanceKey);

    public void DeletePayloads(long instanceKey) => Add("DELETE FROM payloads WHERE instance_key = $1", instanceKey);
}

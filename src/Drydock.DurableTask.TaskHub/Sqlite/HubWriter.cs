using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.State;
using Google.Protobuf;
using Microsoft.Data.Sqlite;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>
/// The statements of the one connection that writes. They see what they wrote before the commit. Used by the hub's thread only.
/// </summary>
internal sealed partial class HubWriter : IHubStore, IDisposable
{
    private readonly ICrashPoints _crashPoints;
    private readonly List<Statement> _all = [];
    private readonly SqliteConnection _connection;
    private readonly Statement _begin;
    private readonly Statement _commit;
    private readonly Statement _rollback;

    public HubWriter(SqliteConnection connection, ICrashPoints crashPoints)
    {
        _connection = connection;
        _crashPoints = crashPoints;
        _begin = Prepare("BEGIN IMMEDIATE");
        _commit = Prepare("COMMIT");
        _rollback = Prepare("ROLLBACK");
        PrepareInstances();
        PrepareMessages();
        PrepareEntities();
        PrepareDeliveries();
        PreparePayloads();
    }

    public bool IsInTransaction { get; private set; }

    public void Commit()
    {
        StoreAll();
        if (!IsInTransaction)
        {
            return;
        }

        _crashPoints.Hit(CrashPoints.CommitBeforeCommit);
        _commit.Execute();
        IsInTransaction = false;
        _crashPoints.Hit(CrashPoints.CommitAfterCommit);
    }

    public void Rollback()
    {
        _unstored.Clear();
        if (!IsInTransaction)
        {
            return;
        }

        IsInTransaction = false;
        try
        {
            _rollback.Execute();
        }
        catch (SqliteException)
        {
            // SQLite has already rolled back by itself after some errors, and then says that there is no transaction.
        }
    }

    public string? Info(string key)
    {
        using var statement = new Statement(_connection, "SELECT value FROM hub_info WHERE key = ?1");
        return statement.Bind(1, key).Step() ? statement.Text(0) : null;
    }

    public void SetInfo(string key, string value)
    {
        Begin();
        using var statement = new Statement(_connection, "INSERT INTO hub_info (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
        statement.Bind(1, key).Bind(2, value).Execute();
    }

    public void Dispose() => _all.ForEach(statement => statement.Dispose());

    private Statement Prepare(string sql)
    {
        var statement = new Statement(_connection, sql);
        _all.Add(statement);
        return statement;
    }

    /// <summary>Opens the transaction with the first statement that writes, so that a batch without writes costs no commit.</summary>
    private void Begin()
    {
        if (IsInTransaction)
        {
            return;
        }

        _crashPoints.Hit(CrashPoints.CommitBeforeBegin);
        _begin.Execute();
        IsInTransaction = true;
        _crashPoints.Hit(CrashPoints.CommitAfterBegin);
    }

    private static byte[]? Bytes(IMessage? message) => message?.ToByteArray();

    private static OrchestrationTraceContext? Trace(byte[]? bytes) =>
        bytes is null ? null : OrchestrationTraceContext.Parser.ParseFrom(bytes);
}

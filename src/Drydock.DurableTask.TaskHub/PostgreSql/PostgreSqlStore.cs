using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.State;
using Npgsql;
using NpgsqlTypes;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>
/// The store in one transaction on one connection. An instance is locked when it is found and stays so until the end, so that whatever
/// is decided rests on what is true. Writes are gathered and sent with the next read, or with the commit. Used by the hub's thread only.
/// </summary>
internal sealed partial class PostgreSqlStore(ICrashPoints crashPoints) : IHubStore
{
    private const int BlockOfNumbers = 1000;
    private const int BlockOfKeys = 32;

    private readonly Dictionary<long, InstanceRow> _rows = [];
    private readonly Dictionary<string, InstanceRow?> _byId = new(StringComparer.Ordinal);
    private readonly Queue<long> _keys = [];
    private NpgsqlConnection? _connection;
    private NpgsqlBatch? _pending;
    private DateTime _now;
    private long _nextNumber;
    private long _lastNumber = -1;

    /// <summary>Whether a transaction is open that has written or locked something.</summary>
    public bool IsInTransaction { get; private set; }

    /// <summary>The activities in hand elsewhere whose result nobody waits for any more because of the transaction.</summary>
    public List<long> LostTokens { get; } = [];

    /// <summary>Whether the transaction made something ready.</summary>
    public bool MadeReady { get; private set; }

    private NpgsqlConnection Connection => _connection ?? throw new InvalidOperationException("The store has no connection.");

    /// <summary>Works on this connection from now on, outside of any transaction.</summary>
    public void Use(NpgsqlConnection? connection)
    {
        _connection = connection;
        Forget();
    }

    /// <summary>Opens a transaction and locks, in the order of their keys, the instances that it is known to be about.</summary>
    /// <returns>The number by which the database remembers what became of the transaction.</returns>
    public string Begin(DateTime now, string[] ids, long[] keys)
    {
        Forget();
        _now = now;
        crashPoints.Hit(CrashPoints.CommitBeforeBegin);
        Add("BEGIN");
        Add("SELECT pg_current_xact_id()::text");
        Add($"SELECT {InstanceRow.Columns} FROM instances WHERE id = ANY($1) OR key = ANY($2) ORDER BY key FOR UPDATE", ids, keys);
        IsInTransaction = true;
        using var reader = Send();
        reader.Read();
        var number = reader.GetString(0);
        reader.NextResult();
        while (reader.Read())
        {
            Remember(InstanceRow.Read(reader));
        }

        foreach (var id in ids)
        {
            _byId.TryAdd(id, null);
        }

        reader.Close();
        crashPoints.Hit(CrashPoints.CommitAfterBegin);
        return number;
    }

    /// <summary>Opens a transaction that only takes work.</summary>
    public void Begin(DateTime now)
    {
        Forget();
        _now = now;
        Add("BEGIN");
        IsInTransaction = true;
    }

    /// <summary>Forgets what was gathered and read; a transaction that is open is undone.</summary>
    public void Rollback()
    {
        var open = IsInTransaction;
        Forget();
        if (open && _connection is { State: System.Data.ConnectionState.Open } connection)
        {
            using var command = new NpgsqlCommand("ROLLBACK", connection);
            command.ExecuteNonQuery();
        }
    }

    /// <summary>Sends what is left, takes work if there is room for some, tells the others, and commits: one round trip.</summary>
    public void Commit(WorkTaker? taker, string? notice, string channel)
    {
        WriteRows();
        taker?.AddTo(this);
        if (notice is not null)
        {
            Add("SELECT pg_notify($1, $2)", channel, notice);
        }

        crashPoints.Hit(CrashPoints.CommitBeforeCommit);
        Add("COMMIT");
        using (var reader = Send())
        {
            taker?.Read(reader);

            // An error of a later statement shows only when it is reached.
            while (reader.NextResult())
            {
            }
        }

        IsInTransaction = false;
        crashPoints.Hit(CrashPoints.CommitAfterCommit);
    }

    /// <summary>Adds a statement to what is sent next. The types of the values decide the types of the parameters.</summary>
    public void Add(string sql, params object?[] values)
    {
        _pending ??= new NpgsqlBatch(Connection);
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(Parameter(value));
        }

        _pending.BatchCommands.Add(command);
    }

    public long NextSeq()
    {
        if (_nextNumber > _lastNumber)
        {
            using var reader = Query("SELECT nextval('hub_numbers')");
            reader.Read();
            _nextNumber = reader.GetInt64(0);
            _lastNumber = _nextNumber + BlockOfNumbers - 1;
        }

        return _nextNumber++;
    }

    public (IReadOnlyList<long> Instances, IReadOnlyList<ActivityUnit> Activities) LoadActive(DateTime now) => ([], []);

    public bool TryTakeDue(DateTime now, out TimerQueue.Entry due)
    {
        due = default;
        return false;
    }

    /// <summary>Proves that something can be written.</summary>
    public void Probe(long replica) => Add("UPDATE replicas SET probed_at = clock_timestamp() WHERE id = $1", replica);

    /// <summary>Sends everything that was gathered, and a question whose rows come back.</summary>
    private NpgsqlDataReader Query(string sql, params object?[] values)
    {
        WriteRows();
        Add(sql, values);
        return Send();
    }

    private NpgsqlDataReader Send()
    {
        var batch = _pending!;
        _pending = null;
        return batch.ExecuteReader();
    }

    private void Forget()
    {
        _pending = null;
        IsInTransaction = false;
        MadeReady = false;
        _rows.Clear();
        _byId.Clear();
        LostTokens.Clear();
        _tasks.Clear();
    }

    private void Remember(InstanceRow row)
    {
        _rows[row.Instance!.Key] = row;
        _byId[row.Instance.Id] = row;
    }

    private long NextKey()
    {
        if (_keys.Count == 0)
        {
            using var reader = Query($"SELECT nextval('hub_keys') FROM generate_series(1, {BlockOfKeys})");
            while (reader.Read())
            {
                _keys.Enqueue(reader.GetInt64(0));
            }
        }

        return _keys.Dequeue();
    }

    private static NpgsqlParameter Parameter(object? value) => value switch
    {
        long number => new NpgsqlParameter<long> { TypedValue = number },
        int number => new NpgsqlParameter<int> { TypedValue = number },
        short number => new NpgsqlParameter<short> { TypedValue = number },
        bool flag => new NpgsqlParameter<bool> { TypedValue = flag },
        string text => new NpgsqlParameter<string> { TypedValue = text },
        byte[] bytes => new NpgsqlParameter<byte[]> { TypedValue = bytes },
        long[] numbers => new NpgsqlParameter<long[]> { TypedValue = numbers },
        string[] texts => new NpgsqlParameter<string[]> { TypedValue = texts },
        Null nothing => new NpgsqlParameter { NpgsqlDbType = nothing.Type, Value = DBNull.Value },
        null => throw new ArgumentException("A value that is null needs its type.", nameof(value)),
        _ => throw new ArgumentException($"A {value.GetType()} is no parameter.", nameof(value)),
    };

    private static object OrNull(string? text) => (object?)text ?? Null.Text;

    private static object OrNull(long? number) => (object?)number ?? Null.Number;

    private static object OrNull(byte[]? bytes) => (object?)bytes ?? Null.Bytes;

    private static object OrNull(Google.Protobuf.IMessage? message) => message is null ? Null.Bytes : Google.Protobuf.MessageExtensions.ToByteArray(message);

    /// <summary>A null of a type: a prepared statement has one type for each parameter.</summary>
    private sealed record Null(NpgsqlDbType Type)
    {
        public static readonly Null Text = new(NpgsqlDbType.Text);

        public static readonly Null Number = new(NpgsqlDbType.Bigint);

        public static readonly Null Bytes = new(NpgsqlDbType.Bytea);
    }
}

using System.Globalization;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>The file of a hub: locked, checked, migrated and durable; or refused with a sentence that says what to do.</summary>
internal sealed class HubDatabase : IDisposable
{
    private readonly HubFileLock _lock;
    private readonly string _connectionString;

    private HubDatabase(string path, HubFileLock held, SqliteConnection writer)
    {
        _lock = held;
        _connectionString = ConnectionString(path);
        Path = path;
        Writer = writer;
    }

    public string Path { get; }

    /// <summary>The only connection that writes.</summary>
    public SqliteConnection Writer { get; }

    /// <summary>Opens the file and holds it until it is disposed of.</summary>
    /// <exception cref="TaskHubOpenException">The file cannot be used.</exception>
    public static HubDatabase Open(string path, SqliteTaskHubOptions options)
    {
        var folder = System.IO.Path.GetDirectoryName(path);
        if (!Directory.Exists(folder))
        {
            throw new TaskHubOpenException(
                TaskHubOpenProblem.FolderMissing, path,
                $"The folder '{folder}' of the task hub does not exist. Create it, or use another file.");
        }

        if (Directory.Exists(path))
        {
            throw NotADatabase(path, null);
        }

        var held = HubFileLock.Take(path);
        SqliteConnection? connection = null;
        try
        {
            connection = new SqliteConnection(ConnectionString(path));
            connection.Open();
            Prepare(connection, path, options);
            return new HubDatabase(path, held, connection);
        }
        catch (SqliteException e)
        {
            Release(connection, held);
            throw Explain(path, e);
        }
        catch
        {
            Release(connection, held);
            throw;
        }
    }

    /// <summary>A connection that can only read; the caller owns it.</summary>
    public SqliteConnection OpenReader()
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        Run(connection, "PRAGMA busy_timeout = 10000");
        Run(connection, "PRAGMA query_only = 1");
        return connection;
    }

    public void Dispose() => Release(Writer, _lock);

    public static TaskHubOpenException DiskFull(string path, Exception cause) => new(
        TaskHubOpenProblem.DiskFull, path,
        $"There is no room on the disk of the task hub '{path}'. Free some space and try again.", cause);

    private static void Prepare(SqliteConnection connection, string path, SqliteTaskHubOptions options)
    {
        Run(connection, "PRAGMA busy_timeout = 2000");
        if (raw.sqlite3_db_readonly(connection.Handle, "main") != 0)
        {
            // SQLite opens a file that it may not write all the same, and only the first commit would fail.
            throw NotWritable(path, "it is read-only for this user", null);
        }

        // Look before changing anything: the pragmas below would already write to a file of somebody else.
        var tables = Number(connection, "SELECT count(*) FROM sqlite_schema");
        var schema = tables == 0 ? 0 : SchemaOf(connection, path);

        Require(connection, path, "journal_mode", "WAL", "wal");
        Require(connection, path, "synchronous", "FULL", "2");
        Require(connection, path, "busy_timeout", "10000", "10000");
        Require(connection, path, "foreign_keys", "0", "0");
        // 16 MiB of log between checkpoints: fewer, larger ones cost less than many small ones.
        Require(connection, path, "wal_autocheckpoint", "4000", "4000");
        Require(connection, path, "cache_size", "-65536", "-65536");
        if (options.MaxPages is { } pages)
        {
            Run(connection, $"PRAGMA max_page_count = {pages}");
        }

        HubSchema.Migrate(connection, schema, options.CrashPoints ?? CrashPoints.None);
    }

    private static int SchemaOf(SqliteConnection connection, string path)
    {
        if (Number(connection, "PRAGMA application_id") != HubSchema.ApplicationId)
        {
            throw new TaskHubOpenException(
                TaskHubOpenProblem.NotATaskHub, path,
                $"The file '{path}' is a SQLite database, but not a Drydock task hub. Use another file; this one was not changed.");
        }

        var schema = (int)Number(connection, "SELECT version FROM schema_version");
        if (schema > HubSchema.Newest)
        {
            throw new TaskHubOpenException(
                TaskHubOpenProblem.NewerSchema, path,
                $"The task hub '{path}' was written by a newer version of Drydock (schema {schema}, this version knows {HubSchema.Newest}). Use that version or a newer one.");
        }

        return schema;
    }

    /// <summary>Sets a pragma and reads it back: SQLite takes an unknown value in silence and goes on with a weaker one.</summary>
    private static void Require(SqliteConnection connection, string path, string pragma, string value, string expected)
    {
        Run(connection, $"PRAGMA {pragma} = {value}");
        using var command = connection.CreateCommand();
        command.CommandText = $"PRAGMA {pragma}";
        var actual = Convert.ToString(command.ExecuteScalar(), CultureInfo.InvariantCulture);
        if (!string.Equals(actual, expected, StringComparison.OrdinalIgnoreCase))
        {
            throw new TaskHubOpenException(
                TaskHubOpenProblem.NotDurable, path,
                $"The task hub '{path}' cannot be made durable: SQLite answers {pragma} = {actual} instead of {expected}. Put the file on a local disk.");
        }
    }

    /// <summary>Says what an error of SQLite means for somebody who wants to open the hub.</summary>
    public static TaskHubOpenException Explain(string path, SqliteException e) => e.SqliteErrorCode switch
    {
        raw.SQLITE_NOTADB => NotADatabase(path, e),
        raw.SQLITE_FULL => DiskFull(path, e),
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => new TaskHubOpenException(
            TaskHubOpenProblem.Locked, path,
            $"The task hub '{path}' is locked by another program. Close it there, and try again.", e),
        raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN or raw.SQLITE_PERM => NotWritable(path, e.Message, e),
        _ => new TaskHubOpenException(
            TaskHubOpenProblem.NotDurable, path,
            $"The task hub '{path}' cannot be used: {e.Message}. Check the disk, or restore the file from a copy.", e),
    };

    private static TaskHubOpenException NotWritable(string path, string why, Exception? cause) => new(
        TaskHubOpenProblem.NotWritable, path,
        $"The task hub '{path}' cannot be written: {why}. Give this user write access to the file and its folder, or use another file.",
        cause);

    private static TaskHubOpenException NotADatabase(string path, Exception? cause) => new(
        TaskHubOpenProblem.NotADatabase, path,
        $"'{path}' is not a SQLite database, so it is not a task hub. Use another file; this one was not changed.", cause);

    private static string ConnectionString(string path) => new SqliteConnectionStringBuilder
    {
        DataSource = path,
        Mode = SqliteOpenMode.ReadWriteCreate,
        Pooling = false,
    }.ToString();

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static long Number(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }

    private static void Release(SqliteConnection? connection, HubFileLock held)
    {
        connection?.Dispose();
        held.Dispose();
    }
}

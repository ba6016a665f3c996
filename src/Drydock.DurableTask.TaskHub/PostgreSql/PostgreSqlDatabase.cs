using System.Globalization;
using Npgsql;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>The database of a hub: reached, checked and migrated; or refused with a sentence that says what to do.</summary>
internal sealed class PostgreSqlDatabase : IAsyncDisposable
{
    private readonly PostgreSqlTaskHubOptions _options;
    private readonly NpgsqlDataSource _source;

    public PostgreSqlDatabase(PostgreSqlTaskHubOptions options)
    {
        _options = options;
        var wanted = Read(options.ConnectionString);
        Description = $"{wanted.Host}:{wanted.Port.ToString(CultureInfo.InvariantCulture)}/{wanted.Database}/{options.Schema}";
        _source = NpgsqlDataSource.Create(Complete(wanted, options));
    }

    /// <summary>Where it is, without user and password.</summary>
    public string Description { get; }

    /// <summary>The channel on which the processes of the hub tell each other what changed.</summary>
    public string Channel => "drydock:" + _options.Schema;

    /// <summary>Reads a connection string.</summary>
    /// <exception cref="TaskHubOpenException">It is none.</exception>
    public static NpgsqlConnectionStringBuilder Read(string connectionString)
    {
        NpgsqlConnectionStringBuilder builder;
        try
        {
            builder = new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidCastException)
        {
            throw Unusable("the connection string", $"The connection string of the task hub is not one of PostgreSQL: {e.Message}", e);
        }

        return (builder.Host, builder.Database) is ({ Length: > 0 }, { Length: > 0 })
            ? builder
            : throw Unusable("the connection string", "The connection string of the task hub needs a Host and a Database.", null);
    }

    /// <summary>Checks and migrates the database.</summary>
    /// <exception cref="TaskHubOpenException">It cannot be used; nothing in it was changed.</exception>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellationToken);
            await CheckAsync(connection, cancellationToken);
            await PostgreSqlSchema.MigrateAsync(
                connection, _options.Schema, Description, _options.CrashPoints ?? CrashPoints.None, cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or IOException)
        {
            throw PostgreSqlFaults.ExplainOpening(Description, e);
        }
    }

    public ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken) => _source.OpenConnectionAsync(cancellationToken);

    public NpgsqlConnection Open() => _source.OpenConnection();

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private async Task CheckAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_is_in_recovery(), current_setting('fsync')", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        if (reader.GetBoolean(0))
        {
            throw new TaskHubOpenException(
                TaskHubOpenProblem.NotWritable, Description,
                $"The task hub '{Description}' cannot be written: this server is a standby. Give the address of the primary.");
        }

        if (reader.GetString(1) != "on")
        {
            throw new TaskHubOpenException(
                TaskHubOpenProblem.NotDurable, Description,
                $"The task hub '{Description}' cannot be made durable: the server runs with fsync = {reader.GetString(1)}. Set it to on.");
        }
    }

    private static NpgsqlConnectionStringBuilder Complete(NpgsqlConnectionStringBuilder wanted, PostgreSqlTaskHubOptions options)
    {
        // A process that was stopped in the middle of a transaction must not hold its locks for longer than its lease.
        var idle = (long)options.Lease.TotalMilliseconds;
        var settings = string.Create(
            CultureInfo.InvariantCulture,
            $"-c synchronous_commit=on -c idle_in_transaction_session_timeout={idle} -c lock_timeout={idle} -c client_min_messages=warning");
        return new NpgsqlConnectionStringBuilder(wanted.ConnectionString)
        {
            ApplicationName = string.IsNullOrEmpty(wanted.ApplicationName) ? "drydock" : wanted.ApplicationName,
            SearchPath = PostgreSqlSchema.Quoted(options.Schema),
            Options = string.IsNullOrEmpty(wanted.Options) ? settings : $"{wanted.Options} {settings}",
            MaxAutoPrepare = Math.Max(wanted.MaxAutoPrepare, 64),
            AutoPrepareMinUsages = 2,
            KeepAlive = wanted.KeepAlive > 0 ? wanted.KeepAlive : 10,
            IncludeErrorDetail = false,
        };
    }

    private static TaskHubOpenException Unusable(string what, string message, Exception? cause) =>
        new(TaskHubOpenProblem.BadAddress, what, message, cause);
}

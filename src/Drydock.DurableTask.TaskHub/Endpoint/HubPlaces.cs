using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>Where the hubs of a directory are, by name.</summary>
internal interface IHubPlaces
{
    /// <summary>The hub of a name, not open yet.</summary>
    EmbeddedTaskHub Create(string name);

    /// <summary>Deletes a hub that is closed, with everything in it; false if there is none.</summary>
    Task<bool> DeleteAsync(string name, CancellationToken cancellationToken);
}

/// <summary>Files beside the one of the default hub.</summary>
internal sealed class SqlitePlaces(string path, Action<SqliteTaskHubOptions>? configure, TimeProvider clock, ILoggerFactory loggers) : IHubPlaces
{
    public EmbeddedTaskHub Create(string name)
    {
        var options = new SqliteTaskHubOptions();
        configure?.Invoke(options);
        options.Path = PathOf(name);
        return new SqliteTaskHub(options, clock, loggers.CreateLogger<SqliteTaskHub>());
    }

    public Task<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        var file = PathOf(name);
        if (!File.Exists(file))
        {
            return Task.FromResult(false);
        }

        SqliteConnection.ClearAllPools();
        foreach (var part in (string[])["-wal", "-shm", ""])
        {
            File.Delete(file + part);
        }

        return Task.FromResult(true);
    }

    private string PathOf(string name) =>
        name == TaskHubDirectory.DefaultName ? path : Path.ChangeExtension(path, name + Path.GetExtension(path));
}

/// <summary>Schemas of one database: <c>drydock_default</c>, <c>drydock_orders</c>; <c>drydock</c> itself is the hub of a server.</summary>
internal sealed class PostgreSqlPlaces(
    string connectionString, Action<PostgreSqlTaskHubOptions>? configure, TimeProvider clock, ILoggerFactory loggers) : IHubPlaces
{
    public EmbeddedTaskHub Create(string name)
    {
        var options = new PostgreSqlTaskHubOptions { ConnectionString = connectionString, Schema = SchemaOf(name) };
        configure?.Invoke(options);
        return new PostgreSqlTaskHub(options, clock, loggers.CreateLogger<PostgreSqlTaskHub>());
    }

    public async Task<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("SELECT count(*) FROM pg_namespace WHERE nspname = $1", connection)
        {
            Parameters = { new() { Value = SchemaOf(name) } },
        };
        if ((long)(await command.ExecuteScalarAsync(cancellationToken))! == 0)
        {
            return false;
        }

        await using var drop = new NpgsqlCommand($"DROP SCHEMA {PostgreSql.PostgreSqlSchema.Quoted(SchemaOf(name))} CASCADE", connection);
        await drop.ExecuteNonQueryAsync(cancellationToken);
        return true;
    }

    private static string SchemaOf(string name) => "drydock_" + name;
}

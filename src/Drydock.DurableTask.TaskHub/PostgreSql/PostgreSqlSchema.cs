using System.Globalization;
using System.Reflection;
using Npgsql;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>The numbered SQL files of this assembly, applied in order under one lock, each in a transaction with its number.</summary>
internal static class PostgreSqlSchema
{
    private const string Prefix = "postgresql/";

    // "DRYD": the lock under which the processes of a hub migrate one after the other.
    private const int LockClass = 0x44525944;

    public static int Newest => Steps().Last().Version;

    /// <summary>Brings a database to the newest schema, whoever else is at it.</summary>
    /// <exception cref="TaskHubOpenException">It holds something else, or a newer schema; nothing was changed.</exception>
    public static async Task MigrateAsync(
        NpgsqlConnection connection, string schema, string description, ICrashPoints crashPoints, CancellationToken cancellationToken)
    {
        await using var held = new NpgsqlCommand("SELECT pg_advisory_lock($1, hashtext($2))", connection)
        {
            Parameters = { new() { Value = LockClass }, new() { Value = schema } },
        };
        await held.ExecuteNonQueryAsync(cancellationToken);
        try
        {
            var from = await VersionAsync(connection, schema, description, cancellationToken);
            foreach (var (version, resource) in Steps().Where(step => step.Version > from))
            {
                await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
                await RunAsync(connection, $"CREATE SCHEMA IF NOT EXISTS {Quoted(schema)}", cancellationToken);
                await RunAsync(connection, Read(resource), cancellationToken);
                await RunAsync(
                    connection,
                    "CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL); DELETE FROM schema_version",
                    cancellationToken);
                await RunAsync(
                    connection, $"INSERT INTO schema_version VALUES ({version.ToString(CultureInfo.InvariantCulture)})", cancellationToken);
                crashPoints.Hit(CrashPoints.MigrationBeforeCommit);
                await transaction.CommitAsync(cancellationToken);
            }
        }
        finally
        {
            held.CommandText = "SELECT pg_advisory_unlock($1, hashtext($2))";
            if (connection.State == System.Data.ConnectionState.Open)
            {
                await held.ExecuteNonQueryAsync(CancellationToken.None);
            }
        }
    }

    /// <summary>A name as SQL writes it.</summary>
    public static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static async Task<int> VersionAsync(
        NpgsqlConnection connection, string schema, string description, CancellationToken cancellationToken)
    {
        if (await ScalarAsync(connection, "SELECT to_regclass($1 || '.schema_version')::text", Quoted(schema), cancellationToken) is not null)
        {
            var version = (int)(await ScalarAsync(connection, "SELECT coalesce(max(version), 0) FROM schema_version WHERE $1 <> ''", schema, cancellationToken))!;
            return version <= Newest
                ? version
                : throw new TaskHubOpenException(
                    TaskHubOpenProblem.NewerSchema, description,
                    $"The task hub '{description}' was written by a newer version of Drydock (schema {version}, this version knows {Newest}). Use that version or a newer one.");
        }

        // An empty schema of that name is an invitation; without one, a database that holds tables is somebody else's.
        const string others =
            """
            SELECT string_agg(name, ', ') FROM (
              SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
                AND (n.nspname = $1 OR NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1))
                AND NOT EXISTS (SELECT FROM pg_class h WHERE h.relnamespace = n.oid AND h.relname = 'hub_info')
              ORDER BY 1 LIMIT 3) found
            """;
        return await ScalarAsync(connection, others, schema, cancellationToken) is not string found
            ? 0
            : throw new TaskHubOpenException(
                TaskHubOpenProblem.NotATaskHub, description,
                $"The database of '{description}' holds something else ({found}) and no Drydock task hub. Use an empty database, or make an empty schema '{schema}' in it; nothing was changed.");
    }

    private static IEnumerable<(int Version, string Resource)> Steps() =>
        Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(name => (int.Parse(name.AsSpan(Prefix.Length, 4), CultureInfo.InvariantCulture), name))
            .Order();

    private static string Read(string resource)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql, string parameter, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = parameter } } };
        return await command.ExecuteScalarAsync(cancellationToken) is var value and not DBNull ? value : null;
    }
}

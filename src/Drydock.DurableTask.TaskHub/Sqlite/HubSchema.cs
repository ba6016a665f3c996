using System.Globalization;
using System.Reflection;
using Microsoft.Data.Sqlite;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>The numbered SQL files of this assembly, applied in order, each in a transaction with its number.</summary>
internal static class HubSchema
{
    /// <summary>"DRYD": marks a SQLite file as a hub.</summary>
    public const int ApplicationId = 0x44525944;

    private const string Prefix = "schema/";

    public static int Newest => Steps().Last().Version;

    /// <summary>Brings a file to the newest schema. The caller holds the file lock.</summary>
    public static void Migrate(SqliteConnection connection, int from, ICrashPoints crashPoints)
    {
        foreach (var (version, resource) in Steps().Where(step => step.Version > from))
        {
            using var transaction = connection.BeginTransaction(deferred: false);
            Run(connection, transaction, Read(resource));
            Run(connection, transaction, "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
            Run(connection, transaction, "DELETE FROM schema_version");
            Run(connection, transaction, $"INSERT INTO schema_version VALUES ({version})");
            // In the same transaction, so that a file is either empty or a hub.
            Run(connection, transaction, $"PRAGMA application_id = {ApplicationId}");
            crashPoints.Hit(CrashPoints.MigrationBeforeCommit);
            transaction.Commit();
        }
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

    private static void Run(SqliteConnection connection, SqliteTransaction transaction, string sql)
    {
        using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}

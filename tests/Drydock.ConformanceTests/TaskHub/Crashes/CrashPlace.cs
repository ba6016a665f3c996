using System.Globalization;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>Where the hub of a crash test is: a SQLite file in its folder or, if the address of one lies there, a PostgreSQL database.</summary>
internal sealed class CrashPlace(string folder)
{
    /// <summary>The address of the database; null if the hub is a file.</summary>
    public string? Address { get; } = File.Exists(AddressFile(folder)) ? File.ReadAllText(AddressFile(folder)) : null;

    /// <summary>The file.</summary>
    public string Path => System.IO.Path.Combine(folder, "hub.db");

    /// <summary>Makes the hub of a folder one in a new database.</summary>
    public static void UseNewDatabase(string folder) => File.WriteAllText(AddressFile(folder), PostgreSqlServer.Shared.NewDatabase());

    /// <summary>Runs SQL beside the hub, or on its ruins; returns the first value. Tables are named as they are in both stores.</summary>
    public object? Execute(string sql)
    {
        using System.Data.Common.DbConnection connection = Address is null
            ? new SqliteConnection($"Data Source={Path};Pooling=False")
            : new NpgsqlConnection(Address + ";Pooling=false;Search Path=drydock");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // What runs here stands in the tests.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command.ExecuteScalar();
    }

    /// <summary>The number that a query gives.</summary>
    public long Count(string sql) => Convert.ToInt64(Execute(sql), CultureInfo.InvariantCulture);

    private static string AddressFile(string folder) => System.IO.Path.Combine(folder, "address");
}

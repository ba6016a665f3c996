using System.Data.Common;
using Drydock.DurableTask.Remote;
using Drydock.DurableTask.TaskHub;

namespace Drydock.Server;

/// <summary>Where a task hub is.</summary>
public abstract record HubStore
{
    private static readonly string[] _keys = ["Data Source", "Host", "Server", "Endpoint"];

    private HubStore()
    {
    }

    /// <summary>A SQLite file, for one process.</summary>
    /// <param name="Path">Its full path.</param>
    public sealed record Sqlite(string Path) : HubStore;

    /// <summary>A PostgreSQL database that several processes share.</summary>
    /// <param name="ConnectionString">In the words of Npgsql.</param>
    public sealed record PostgreSql(string ConnectionString) : HubStore;

    /// <summary>A hub in another process, such as the Durable Task Scheduler.</summary>
    /// <param name="Address">What the connection string says.</param>
    /// <param name="ConnectionString">The connection string, or an address alone.</param>
    public sealed record Remote(TaskHubAddress Address, string ConnectionString) : HubStore;

    /// <summary>What a person gives as a place: a connection string as it is, anything else as the name of a file.</summary>
    public static string FromPlace(string place) => Parse(place) is { } parts && _keys.Any(parts.ContainsKey) ? place : $"Data Source={place}";

    /// <summary>Reads a connection string.</summary>
    /// <returns>What is wrong with it, or null.</returns>
    public static string? Read(string connectionString, out HubStore? store)
    {
        store = null;
        if (Parse(connectionString) is not { } parts)
        {
            return "hub: this is not a connection string; write Data Source=FILE, Host=…;Database=…;Username=… or Endpoint=…;TaskHub=….";
        }

        if (parts.ContainsKey("Host") || parts.ContainsKey("Server"))
        {
            try
            {
                PostgreSqlTaskHub.CheckConnectionString(connectionString);
            }
            catch (TaskHubOpenException error)
            {
                return "hub: " + error.Message;
            }

            store = new PostgreSql(connectionString);
            return null;
        }

        if (parts.ContainsKey("Endpoint"))
        {
            try
            {
                store = new Remote(TaskHubAddress.Parse(connectionString), connectionString);
                return null;
            }
            catch (FormatException error)
            {
                return "hub: " + error.Message;
            }
        }

        if (!parts.TryGetValue("Data Source", out var file) || file is not string { Length: > 0 } text)
        {
            return $"hub: '{connectionString}' names no file; write Data Source=FILE.";
        }

        if (parts.Keys.Cast<string>().FirstOrDefault(static key => !key.Equals("Data Source", StringComparison.OrdinalIgnoreCase)) is { } unknown)
        {
            return $"hub: '{unknown}' is not known; only Data Source=FILE is.";
        }

        store = new Sqlite(Path.GetFullPath(text));
        return null;
    }

    private static DbConnectionStringBuilder? Parse(string text)
    {
        try
        {
            return new DbConnectionStringBuilder { ConnectionString = text };
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}

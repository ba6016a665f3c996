namespace Drydock.DurableTask.TaskHub;

/// <summary>Where a hub on PostgreSQL is and how its processes share the work.</summary>
public sealed class PostgreSqlTaskHubOptions : TaskHubOptions
{
    /// <summary>
    /// The database, in the words of Npgsql: <c>Host=…;Database=…;Username=…</c>. A password belongs into a file that
    /// <c>Passfile</c> names.
    /// </summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>The schema that holds the hub. It is made if it is missing. The default is <c>drydock</c>.</summary>
    public string Schema { get; set; } = "drydock";

    /// <summary>
    /// How long a process that says nothing keeps the work it holds; it renews three times as often. The default is 15 seconds.
    /// </summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long a request waits for a database that cannot be reached before it is refused; later ones are refused at once until the
    /// database is back. The default is 5 seconds.
    /// </summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(5);
}

namespace Drydock.DurableTask.TaskHub;

/// <summary>Where a hub on SQLite is and how it hands out work.</summary>
public sealed class SqliteTaskHubOptions : TaskHubOptions
{
    /// <summary>The database file. It is created if it is missing; its folder is not.</summary>
    public string Path { get; set; } = "drydock.db";

    /// <summary>How many instances are kept in memory at most, beyond those that have work. The default is 20,000.</summary>
    public int CachedInstances { get; set; } = 20_000;

    /// <summary>The most pages the database may have, to play a full disk in tests. The default is no limit.</summary>
    internal int? MaxPages { get; set; }
}

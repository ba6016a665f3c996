using Drydock.DurableTask;
using Drydock.DurableTask.TaskHub;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>A folder that goes with the test.</summary>
internal sealed class HubFolder : IDisposable
{
    public string Folder { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "drydock-hub-" + Guid.NewGuid().ToString("N"));

    /// <summary>Makes the folder, unless somebody else did.</summary>
    public HubFolder Create()
    {
        Directory.CreateDirectory(Folder);
        return this;
    }

    public string Path => System.IO.Path.Combine(Folder, "hub.db");

    public async Task<SqliteTaskHub> OpenAsync(TimeProvider? clock = null, Action<SqliteTaskHubOptions>? configure = null)
    {
        var options = new SqliteTaskHubOptions { Path = Path };
        configure?.Invoke(options);
        var hub = new SqliteTaskHub(options, clock ?? TimeProvider.System, NullLogger<SqliteTaskHub>.Instance);
        await hub.OpenAsync(CancellationToken.None);
        return hub;
    }

    public void Dispose()
    {
        if (Directory.Exists(Folder))
        {
            Directory.Delete(Folder, recursive: true);
        }
    }
}

public sealed class SqliteTaskHubTurns : TaskHubTurns
{
    private readonly HubFolder _folder = new HubFolder().Create();

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteTaskHubLife : TaskHubLife
{
    private readonly HubFolder _folder = new HubFolder().Create();

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteTaskHubReads : TaskHubReads
{
    private readonly HubFolder _folder = new HubFolder().Create();

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteTaskHubRepairs : TaskHubRepairs
{
    private readonly HubFolder _folder = new HubFolder().Create();

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteTaskHubEntities : TaskHubEntities
{
    private readonly HubFolder _folder = new HubFolder().Create();

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>What a file has, read beside the hub.</summary>
internal static class HubRows
{
    private const string Rows =
        """
        SELECT (SELECT coalesce(sum(length(payload)), 0) FROM history) + (SELECT coalesce(sum(length(payload)), 0) FROM inbox)
          + (SELECT coalesce(sum(length(payload)), 0) FROM tasks) + (SELECT coalesce(sum(length(custom_status)), 0) FROM instances)
          + (SELECT coalesce(sum(coalesce(length(input), 0) + coalesce(length(output), 0)), 0) FROM instance_values)
        """;

    /// <summary>How many payloads are stored apart.</summary>
    public static long Payloads(string path) => Number(path, "SELECT count(*) FROM payloads");

    /// <summary>How many characters the rows have that refer to them.</summary>
    public static long Characters(string path) => Number(path, Rows);

    private static long Number(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The queries stand above.
        command.CommandText = sql;
#pragma warning restore CA2100
        return (long)command.ExecuteScalar()!;
    }
}

public sealed class SqliteTaskHubPayloads : TaskHubPayloads
{
    private readonly HubFolder _folder = new HubFolder().Create();

    protected override long Payloads => HubRows.Payloads(_folder.Path);

    protected override long CharactersInRows => HubRows.Characters(_folder.Path);

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>The life of instances again, with every payload stored apart.</summary>
public sealed class SqliteTaskHubLifeWithPayloadsApart : TaskHubLife
{
    private readonly HubFolder _folder = new HubFolder().Create();

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) =>
        await _folder.OpenAsync(clock, options => options.LargePayloadThreshold = 0);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

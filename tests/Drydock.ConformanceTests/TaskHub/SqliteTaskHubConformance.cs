using Drydock.DurableTask;
using Drydock.DurableTask.TaskHub;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>A folder that goes with the test.</summary>
internal sealed class HubFolder : IDisposable
{
    public HubFolder() => Directory.CreateDirectory(Folder);

    public string Folder { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "drydock-hub-" + Guid.NewGuid().ToString("N"));

    public string Path => System.IO.Path.Combine(Folder, "hub.db");

    public async Task<SqliteTaskHub> OpenAsync(TimeProvider? clock = null, Action<SqliteTaskHubOptions>? configure = null)
    {
        var options = new SqliteTaskHubOptions { Path = Path };
        configure?.Invoke(options);
        var hub = new SqliteTaskHub(options, clock ?? TimeProvider.System, NullLogger<SqliteTaskHub>.Instance);
        await hub.OpenAsync(CancellationToken.None);
        return hub;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}

public sealed class SqliteTaskHubTurns : TaskHubTurns
{
    private readonly HubFolder _folder = new();

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteTaskHubLife : TaskHubLife
{
    private readonly HubFolder _folder = new();

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteTaskHubReads : TaskHubReads
{
    private readonly HubFolder _folder = new();

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}

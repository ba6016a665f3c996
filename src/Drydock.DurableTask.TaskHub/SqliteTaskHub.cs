using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub;

/// <summary>
/// The embedded task hub: one SQLite file, one process. What it acknowledged is on disk; after a kill -9 everything that was
/// outstanding is handed out again at once.
/// </summary>
public sealed partial class SqliteTaskHub(SqliteTaskHubOptions options, TimeProvider clock, ILogger<SqliteTaskHub> logger)
    : ITaskHub, ITaskHubExtensions, IHostedLifecycleService, IAsyncDisposable
{
    private readonly string _path = System.IO.Path.GetFullPath(options.Path);

    /// <summary>The full path of the database file.</summary>
    public string Path => _path;

    /// <summary>The identity of this hub: a GUID that was made with the file and stays with it.</summary>
    public Guid HubId => throw new NotSupportedException("The hub is not built yet.");

    /// <summary>Opens the hub; it is usable when this returns.</summary>
    /// <exception cref="TaskHubOpenException">The file cannot be used; nothing in it was changed.</exception>
    public Task OpenAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException($"The hub is not built yet. {clock} {logger}");

    /// <summary>
    /// Binds the hub to a thing outside, such as <c>("cluster", uid)</c>: the first use stores the value, later ones must give the same.
    /// </summary>
    /// <exception cref="TaskHubBindingException">The hub is bound to another value.</exception>
    public Task BindAsync(string key, string value, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    Task IHostedLifecycleService.StartingAsync(CancellationToken cancellationToken) => OpenAsync(cancellationToken);

    Task IHostedService.StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedService.StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StoppedAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();
}

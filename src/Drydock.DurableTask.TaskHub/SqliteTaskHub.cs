using System.Globalization;
using Drydock.DurableTask.TaskHub.Sqlite;
using Grpc.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub;

/// <summary>
/// The embedded task hub: one SQLite file, one process. What it acknowledged is on disk; after a kill -9 everything that was
/// outstanding is handed out again at once.
/// </summary>
/// <remarks>Instance ids are compared exactly. There is nothing to ping in one process, so its streams carry no health pings.</remarks>
public sealed partial class SqliteTaskHub(SqliteTaskHubOptions options, TimeProvider clock, ILogger<SqliteTaskHub> logger)
    : ITaskHub, ITaskHubExtensions, IHostedLifecycleService, IAsyncDisposable
{
    private const string HubIdKey = "hub-id";
    private const string BindingPrefix = "bound.";

    private readonly SemaphoreSlim _opening = new(1, 1);
    private Parts? _parts;
    private bool _closed;

    /// <summary>The full path of the database file.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(options.Path);

    /// <summary>The identity of this hub: a GUID that was made with the file and stays with it.</summary>
    public Guid HubId => Open.HubId;

    /// <summary>What is in the hub just now.</summary>
    public TaskHubCounts Counts => Open.Loop.Counts;

    private Parts Open => _parts ?? throw new TaskHubException(
        StatusCode.Unavailable, _closed ? $"The task hub '{Path}' is closed." : $"The task hub '{Path}' is not open yet.");

    private HubLoop Loop => Open.Loop;

    /// <summary>Opens the hub; it is usable when this returns. Opening an open hub does nothing.</summary>
    /// <exception cref="TaskHubOpenException">The file cannot be used; nothing in it was changed.</exception>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            _parts ??= await Task.Run(OpenParts, cancellationToken);
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>
    /// Binds the hub to a thing outside, such as <c>("cluster", uid)</c>: the first use stores the value, later ones must give the same.
    /// </summary>
    /// <exception cref="TaskHubBindingException">The hub is bound to another value.</exception>
    public Task BindAsync(string key, string value, CancellationToken cancellationToken)
    {
        var writer = Open.Writer;
        return Loop.WriteAsync(
            _ =>
            {
                if (writer.Info(BindingPrefix + key) is not { } boundTo)
                {
                    writer.SetInfo(BindingPrefix + key, value);
                    return true;
                }

                return boundTo == value ? true : throw new TaskHubBindingException(key, boundTo, value);
            },
            cancellationToken);
    }

    /// <summary>Returns when something was written durably: a full disk, a broken file or a hub that hangs shows here and not at the next maintenance.</summary>
    /// <exception cref="TaskHubException">It could not be written.</exception>
    public Task ProveWritableAsync(CancellationToken cancellationToken)
    {
        var writer = Open.Writer;
        return Loop.WriteAsync(
            _ =>
            {
                writer.SetInfo("probed-at", clock.GetUtcNow().ToString("O", CultureInfo.InvariantCulture));
                return true;
            },
            cancellationToken);
    }

    /// <summary>Commits what was asked before, ends the streams, closes the file and lets go of the lock.</summary>
    public async ValueTask DisposeAsync()
    {
        await _opening.WaitAsync();
        try
        {
            _closed = true;
            if (_parts is { } parts)
            {
                await Task.Run(parts.Dispose);
                _parts = null;
            }
        }
        finally
        {
            _opening.Release();
        }
    }

    Task IHostedLifecycleService.StartingAsync(CancellationToken cancellationToken) => OpenAsync(cancellationToken);

    Task IHostedService.StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedService.StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StoppedAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    private Parts OpenParts()
    {
        var database = HubDatabase.Open(Path, options);
        try
        {
            var hubId = HubIdOf(database);
            var loop = new HubLoop(database, options, clock, logger);
            loop.Start();
            return new Parts(database, loop, new HubReaders(database), hubId, StartRetention());
        }
        catch (SqliteException e)
        {
            database.Dispose();
            throw HubDatabase.Explain(Path, e);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private static Guid HubIdOf(HubDatabase database)
    {
        using var writer = new HubWriter(database.Writer, CrashPoints.None);
        if (writer.Info(HubIdKey) is { } text)
        {
            return Guid.Parse(text, CultureInfo.InvariantCulture);
        }

        var hubId = Guid.NewGuid();
        writer.SetInfo(HubIdKey, hubId.ToString());
        writer.Commit();
        return hubId;
    }

    /// <summary>What exists while the hub is open.</summary>
    private sealed record Parts(HubDatabase Database, HubLoop Loop, HubReaders Readers, Guid HubId, ITimer? Retention) : IDisposable
    {
        public HubWriter Writer => Loop.Writer;

        public void Dispose()
        {
            Retention?.Dispose();
            Loop.Dispose();
            Readers.Dispose();
            Database.Dispose();
        }
    }
}

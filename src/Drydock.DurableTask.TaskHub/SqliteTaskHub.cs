using System.Globalization;
using Drydock.DurableTask.TaskHub.Sqlite;
using Grpc.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub;

/// <summary>
/// The embedded task hub on one SQLite file, for one process. What it acknowledged is on disk; after a kill -9 everything that was
/// outstanding is handed out again at once.
/// </summary>
public sealed class SqliteTaskHub(SqliteTaskHubOptions options, TimeProvider clock, ILogger<SqliteTaskHub> logger)
    : EmbeddedTaskHub(options, clock, logger)
{
    private const string HubIdKey = "hub-id";
    private const string BindingPrefix = "bound.";

    private readonly SemaphoreSlim _opening = new(1, 1);
    private readonly TimeProvider _time = clock;
    private readonly ILogger _log = logger;
    private Parts? _parts;
    private bool _closed;

    /// <summary>The full path of the database file.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(options.Path);

    /// <inheritdoc/>
    public override string Description => Path;

    /// <inheritdoc/>
    public override Guid HubId => Open.HubId;

    /// <inheritdoc/>
    public override TaskHubCounts Counts => Open.Loop.Counts;

    private protected override IHubLoop Loop => Open.Loop;

    private protected override IHubReads Reads => Open.Readers;

    private Parts Open => _parts ?? throw new TaskHubException(
        StatusCode.Unavailable, _closed ? $"The task hub '{Path}' is closed." : $"The task hub '{Path}' is not open yet.");

    /// <inheritdoc/>
    public override async Task OpenAsync(CancellationToken cancellationToken)
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

    /// <inheritdoc/>
    public override Task BindAsync(string key, string value, CancellationToken cancellationToken)
    {
        var writer = Open.Writer;
        return Loop.WriteAsync(
            [],
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

    /// <inheritdoc/>
    public override Task ProveWritableAsync(CancellationToken cancellationToken)
    {
        var writer = Open.Writer;
        return Loop.WriteAsync(
            [],
            _ =>
            {
                writer.SetInfo("probed-at", _time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture));
                return true;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _opening.WaitAsync();
        try
        {
            _closed = true;
            if (_parts is { } parts)
            {
                await parts.DisposeAsync();
                _parts = null;
            }
        }
        finally
        {
            _opening.Release();
        }
    }

    private Parts OpenParts()
    {
        var database = HubDatabase.Open(Path, options);
        try
        {
            var hubId = HubIdOf(database);
            var loop = new HubLoop(database, options, _time, _log);
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
    private sealed record Parts(HubDatabase Database, HubLoop Loop, HubReaders Readers, Guid HubId, HourlyRetention? Retention) : IAsyncDisposable
    {
        public HubWriter Writer => Loop.Writer;

        public async ValueTask DisposeAsync()
        {
            if (Retention is not null)
            {
                await Retention.DisposeAsync();
            }

            await Task.Run(Loop.Dispose);
            Readers.Dispose();
            Database.Dispose();
        }
    }
}

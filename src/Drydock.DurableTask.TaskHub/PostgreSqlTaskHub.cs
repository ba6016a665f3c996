using System.Globalization;
using Drydock.DurableTask.TaskHub.PostgreSql;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub;

/// <summary>
/// A task hub on PostgreSQL that several processes share: any of them may die at any moment, and the others go on with its work when its
/// lease is over. What it acknowledged is on the database's disk; what a process commits whose lease was lost is not written.
/// </summary>
/// <remarks>
/// With the system's clock the time of the hub is that of the database, so that all processes agree on what is due. With another clock,
/// as in tests, it is that one; leases are always in the database's time.
/// </remarks>
public sealed class PostgreSqlTaskHub(PostgreSqlTaskHubOptions options, TimeProvider clock, ILogger<PostgreSqlTaskHub> logger)
    : EmbeddedTaskHub(options, clock, logger)
{
    private const string HubIdKey = "hub-id";
    private const string BindingPrefix = "bound.";

    private readonly SemaphoreSlim _opening = new(1, 1);
    private readonly TimeProvider _time = clock;
    private readonly ILogger _log = logger;
    private Parts? _parts;
    private bool _closed;

    /// <summary>Checks that a text is a connection string of PostgreSQL; nothing is opened.</summary>
    /// <exception cref="TaskHubOpenException">It is not.</exception>
    public static void CheckConnectionString(string connectionString) => PostgreSqlDatabase.Read(connectionString);

    /// <inheritdoc/>
    public override string Description => _parts?.Database.Description ?? "on PostgreSQL";

    /// <inheritdoc/>
    public override Guid HubId => Open.HubId;

    /// <inheritdoc/>
    public override TaskHubCounts Counts => Open.Loop.Counts;

    private protected override IHubLoop Loop => Open.Loop;

    private protected override IHubReads Reads => Open.Reads;

    private Parts Open => _parts ?? throw new TaskHubException(
        StatusCode.Unavailable, _closed ? "The task hub on PostgreSQL is closed." : "The task hub on PostgreSQL is not open yet.");

    /// <inheritdoc/>
    public override async Task OpenAsync(CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            _parts ??= await OpenPartsAsync(cancellationToken);
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <inheritdoc/>
    public override async Task BindAsync(string key, string value, CancellationToken cancellationToken)
    {
        var boundTo = await Open.Reads.InfoAsync(BindingPrefix + key, value, cancellationToken);
        if (boundTo != value)
        {
            throw new TaskHubBindingException(key, boundTo, value);
        }
    }

    /// <inheritdoc/>
    public override async Task ProveWritableAsync(CancellationToken cancellationToken)
    {
        var parts = Open;
        await parts.Loop.ProbeAsync(cancellationToken);
        if (parts.Watch.Broken is { } why)
        {
            throw new TaskHubException(StatusCode.Unavailable, $"The task hub '{Description}' does not hear the other processes: {why.TrimEnd('.')}.");
        }
    }

    /// <inheritdoc/>
    public override int Processes => 1 + Open.Watch.Others;

    /// <inheritdoc/>
    public override Task<CancellationToken> LeadAsync(CancellationToken cancellationToken) => Open.Watch.LeadAsync(cancellationToken);

    /// <inheritdoc/>
    public override Task TellAsync(string message, CancellationToken cancellationToken) => Open.Watch.TellAsync(message, cancellationToken);

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

    private async Task<Parts> OpenPartsAsync(CancellationToken cancellationToken)
    {
        var database = new PostgreSqlDatabase(options);
        try
        {
            await database.PrepareAsync(cancellationToken);
            var databaseClock = _time == TimeProvider.System ? new DatabaseClock(_time) : null;
            var reads = new PostgreSqlReads(database);
            var watch = new PostgreSqlWatch(database, reads, options, databaseClock, databaseClock ?? _time, _log) { Told = Hear };
            var hubId = Guid.Parse(await reads.InfoAsync(HubIdKey, Guid.NewGuid().ToString(), cancellationToken), CultureInfo.InvariantCulture);
            var replica = await watch.JoinAsync(cancellationToken);
            var loop = new PostgreSqlLoop(database, reads, options, databaseClock ?? _time, replica, _log);
            loop.Start();
            await watch.StartAsync(loop);
            return new Parts(database, reads, watch, loop, hubId, StartRetention());
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    /// <summary>What exists while the hub is open.</summary>
    private sealed record Parts(
        PostgreSqlDatabase Database, PostgreSqlReads Reads, PostgreSqlWatch Watch, PostgreSqlLoop Loop, Guid HubId, HourlyRetention? Retention)
        : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            if (Retention is not null)
            {
                await Retention.DisposeAsync();
            }

            await Watch.DisposeAsync();
            await Task.Run(Loop.Dispose);
            await Database.DisposeAsync();
        }
    }
}

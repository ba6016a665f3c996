using System.Text.RegularExpressions;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>
/// The hubs that one endpoint serves, by name. Each is a SQLite file of its own beside the first one (<c>drydock.db</c>,
/// <c>drydock.orders.db</c>), or a schema of its own in a PostgreSQL database (<c>drydock_default</c>, <c>drydock_orders</c>), opened when it is
/// first asked for, so that nothing in one hub can touch another.
/// </summary>
public sealed partial class TaskHubDirectory : IAsyncDisposable
{
    /// <summary>The name of the hub of callers that name none.</summary>
    public const string DefaultName = "default";

    private const int LargestCount = 64;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Dictionary<string, ITaskHub> _hubs = new(StringComparer.Ordinal);
    private readonly HashSet<string> _lent = new(StringComparer.Ordinal);
    private readonly IHubPlaces _places;

    /// <summary>Hubs in SQLite files.</summary>
    /// <param name="path">The file of the default hub.</param>
    /// <param name="configure">More settings of every hub.</param>
    /// <param name="clock">The clock of every hub.</param>
    /// <param name="loggers">Where hubs log.</param>
    public TaskHubDirectory(string path, Action<SqliteTaskHubOptions>? configure, TimeProvider clock, ILoggerFactory loggers)
        : this(new SqlitePlaces(path, configure, clock, loggers))
    {
    }

    private TaskHubDirectory(IHubPlaces places) => _places = places;

    /// <summary>Hubs in schemas of a PostgreSQL database.</summary>
    /// <param name="connectionString">The database.</param>
    /// <param name="configure">More settings of every hub.</param>
    /// <param name="clock">The clock of every hub.</param>
    /// <param name="loggers">Where hubs log.</param>
    public static TaskHubDirectory OnPostgreSql(
        string connectionString, Action<PostgreSqlTaskHubOptions>? configure, TimeProvider clock, ILoggerFactory loggers) =>
        new(new PostgreSqlPlaces(connectionString, configure, clock, loggers));

    /// <summary>Serves a hub that belongs to somebody else under a name.</summary>
    public void Lend(string name, ITaskHub hub)
    {
        _hubs[Checked(name)] = hub;
        _lent.Add(name);
    }

    /// <summary>Gives the hub of a name, and opens or makes it first if need be.</summary>
    /// <exception cref="TaskHubException"><c>InvalidArgument</c>: this is no name of a hub. <c>ResourceExhausted</c>: there are too many.</exception>
    /// <exception cref="TaskHubOpenException">Its file or database cannot be used.</exception>
    public async ValueTask<ITaskHub> GetAsync(string? name, CancellationToken cancellationToken)
    {
        var wanted = Checked(name);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_hubs.TryGetValue(wanted, out var hub))
            {
                return hub;
            }

            if (_hubs.Count >= LargestCount)
            {
                throw new TaskHubException(
                    StatusCode.ResourceExhausted, $"This endpoint serves {LargestCount} task hubs already; '{wanted}' would be one more.");
            }

            return _hubs[wanted] = await OpenAsync(wanted, cancellationToken);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Deletes a hub with everything in it; false if there is none.</summary>
    public async Task<bool> DeleteAsync(string? name, CancellationToken cancellationToken)
    {
        var wanted = Checked(name);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_lent.Contains(wanted))
            {
                throw new TaskHubException(StatusCode.FailedPrecondition, $"The task hub '{wanted}' belongs to the server itself.");
            }

            if (_hubs.Remove(wanted, out var hub))
            {
                await ((EmbeddedTaskHub)hub).DisposeAsync();
            }

            return await _places.DeleteAsync(wanted, cancellationToken);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Closes every hub that is not lent.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var (name, hub) in _hubs)
        {
            if (!_lent.Contains(name) && hub is IAsyncDisposable own)
            {
                await own.DisposeAsync();
            }
        }

        _hubs.Clear();
        _gate.Dispose();
    }

    private static string Checked(string? name)
    {
        var wanted = string.IsNullOrEmpty(name) ? DefaultName : name.ToLowerInvariant();
        return NamePattern().IsMatch(wanted)
            ? wanted
            : throw new TaskHubException(
                StatusCode.InvalidArgument,
                $"'{name}' in the header taskhub is not a name of a task hub: 1 to 64 letters, digits and hyphens, beginning with a letter or digit.");
    }

    private async Task<EmbeddedTaskHub> OpenAsync(string name, CancellationToken cancellationToken)
    {
        var hub = _places.Create(name);
        try
        {
            await hub.OpenAsync(cancellationToken);
            return hub;
        }
        catch
        {
            await hub.DisposeAsync();
            throw;
        }
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9-]{0,63}$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();
}

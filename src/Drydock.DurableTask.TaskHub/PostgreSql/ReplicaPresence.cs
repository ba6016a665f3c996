using Npgsql;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>
/// Which of the other processes have ended. Each holds a lock in the session on which it listens, and the server lets go of it when that
/// connection ends, which the kernel does at once for a process that was killed. So others need not wait for its lease to be over. A
/// process that is stopped, or a machine that is cut off, keeps its connection: there the lease decides.
/// </summary>
internal sealed class ReplicaPresence(PostgreSqlDatabase database)
{
    /// <summary>How often it is looked at.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // Longer than a process that lives takes to connect again, which it does every three seconds at the latest.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(4);

    // Since when each that was seen is missing. One that was never seen may be of a version that shows nothing.
    private readonly Dictionary<long, long?> _seen = [];
    private long _lookedAt;
    private int _there;

    /// <summary>How many others are there.</summary>
    public int There => Volatile.Read(ref _there);

    /// <summary>This process is there for as long as the connection is; the others are looked for anew.</summary>
    public async Task ShowAsync(NpgsqlConnection connection, long replica, CancellationToken cancellationToken)
    {
        // Shared: a connection that was lost may still be there on the server.
        await using var command = new NpgsqlCommand(
            "SELECT pg_advisory_unlock_all(), pg_advisory_lock_shared(hashtext($1) & 2147483647, $2::int)", connection)
        {
            Parameters = { new() { Value = database.Channel }, new() { Value = replica } },
        };
        await command.ExecuteNonQueryAsync(cancellationToken);
        _lookedAt = TimeProvider.System.GetTimestamp();
        var missing = await MissingAsync(connection, replica, cancellationToken);
        foreach (var other in _seen.Keys.Concat(missing.Where(static one => !one.Value).Select(static one => one.Key)).ToList())
        {
            // If the server was away, it was so for all of them.
            _seen[other] = null;
        }

        Volatile.Write(ref _there, missing.Count(static one => !one.Value));
    }

    /// <summary>Those that were there and are missing for a while now.</summary>
    public async Task<IReadOnlyList<long>> GoneAsync(NpgsqlConnection connection, long replica, CancellationToken cancellationToken)
    {
        var now = TimeProvider.System.GetTimestamp();
        if (TimeProvider.System.GetElapsedTime(_lookedAt, now) < Pause / 2)
        {
            return [];
        }

        _lookedAt = now;
        var missing = await MissingAsync(connection, replica, cancellationToken);
        foreach (var other in _seen.Keys.Except(missing.Keys).ToList())
        {
            _seen.Remove(other);
        }

        foreach (var (other, isMissing) in missing)
        {
            if (!isMissing)
            {
                _seen[other] = null;
            }
            else if (_seen.TryGetValue(other, out var since))
            {
                _seen[other] = since ?? now;
            }
        }

        Volatile.Write(ref _there, _seen.Count(one => one.Value is null));
        return [.. _seen.Where(one => one.Value is { } since && TimeProvider.System.GetElapsedTime(since, now) >= Grace).Select(one => one.Key)];
    }

    /// <summary>The other processes, and whether the server knows of no connection of theirs.</summary>
    private async Task<Dictionary<long, bool>> MissingAsync(NpgsqlConnection connection, long replica, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT r.id, NOT EXISTS (SELECT FROM pg_locks l
              WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND l.classid::bigint = hashtext($1) & 2147483647 AND l.objid::bigint = r.id)
            FROM replicas r WHERE NOT r.lost AND r.id <> $2
            """,
            connection)
        {
            Parameters = { new() { Value = database.Channel }, new() { Value = replica } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        Dictionary<long, bool> others = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            others.Add(reader.GetInt64(0), reader.GetBoolean(1));
        }

        return others;
    }
}

using Microsoft.Extensions.Logging;
using Npgsql;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>
/// Listens to the other processes of the hub, renews the lease of this one and takes over from those whose lease is over or whose
/// connection has ended; on a connection of its own. A notification that was lost is made up for by a look every few seconds, and what changed while nothing was
/// heard is told when the others are heard again.
/// </summary>
internal sealed class PostgreSqlWatch(
    PostgreSqlDatabase database, PostgreSqlReads reads, PostgreSqlTaskHubOptions options, DatabaseClock? clock, TimeProvider hubClock, ILogger logger)
    : IAsyncDisposable
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    // A change bears the time at which its transaction began, by the clock of the process that made it.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(10);

    private readonly Leadership _leadership = new();
    private readonly ReplicaPresence _presence = new(database);
    private readonly CancellationTokenSource _stop = new();
    private PostgreSqlLoop? _loop;
    private Task _running = Task.CompletedTask;
    private long _replica;
    private long _since;
    private readonly TaskCompletionSource _firstEar = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DateTime? _heardUntil;
    private volatile bool _hasMissed;

    /// <summary>Why the others are not heard, or null if they are.</summary>
    public string? Broken { get; private set; }

    /// <summary>How many other processes are seen, whose end would be seen too.</summary>
    public int Others => _presence.There;

    private TimeSpan Interval => options.Lease / 3;

    /// <summary>Makes this process one of the hub's, and returns its number.</summary>
    public async Task<long> JoinAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        _replica = await JoinAsync(connection, cancellationToken);
        await LearnTimeAsync(connection, cancellationToken);
        return _replica;
    }

    /// <summary>Another process told something.</summary>
    public Action<string>? Told { get; set; }

    /// <summary>See <see cref="EmbeddedTaskHub.LeadAsync"/>.</summary>
    public Task<CancellationToken> LeadAsync(CancellationToken cancellationToken) => _leadership.LeadAsync(cancellationToken);

    /// <summary>Tells the other processes something.</summary>
    public async Task TellAsync(string message, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("SELECT pg_notify($1, $2)", connection)
        {
            Parameters =
            {
                new() { Value = database.Channel },
                new() { Value = new ReplicaNotice(_replica, [], Work: false, [], message).Write() },
            },
        };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Begins; the others are heard when this returns, or it is known why not.</summary>
    public Task StartAsync(PostgreSqlLoop loop)
    {
        _loop = loop;
        _running = Task.Run(RunAsync);
        return _firstEar.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _leadership.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var pause = TimeSpan.FromMilliseconds(50);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await database.OpenAsync(_stop.Token);
                await ListenAsync(connection);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (PostgreSqlFaults.IsConnectionLost(e) || e is PostgresException or TaskHubException)
            {
                if (Broken is null)
                {
                    logger.LogWarning(e, "The task hub {Hub} does not hear the other processes; it tries again.", database.Description);
                    pause = TimeSpan.FromMilliseconds(50);
                }

                Broken = e.Message;
                _firstEar.TrySetResult();
                await PauseAsync(pause);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }
    }

    private async Task PauseAsync(TimeSpan pause)
    {
        try
        {
            await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), TimeProvider.System, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The loop sees it.
        }
    }

    private async Task ListenAsync(NpgsqlConnection connection)
    {
        connection.Notification += (_, notification) => Hear(notification.Payload);
        await using (var listen = new NpgsqlCommand($"LISTEN {PostgreSqlSchema.Quoted(database.Channel)}", connection))
        {
            await listen.ExecuteNonQueryAsync(_stop.Token);
        }

        await _presence.ShowAsync(connection, _replica, _stop.Token);
        _since = TimeProvider.System.GetTimestamp();
        _hasMissed = _heardUntil is not null;
        _heardUntil ??= hubClock.GetUtcNow().UtcDateTime;
        _firstEar.TrySetResult();
        while (true)
        {
            await LookAsync(connection);
            await TellMissedAsync();
            Broken = null;
            await HearUntilNextLookAsync(connection);
        }
    }

    private async Task HearUntilNextLookAsync(NpgsqlConnection connection)
    {
        // Less than a millisecond would be none, and to Npgsql a wait of none is one without end.
        var least = TimeSpan.FromMilliseconds(1);
        var from = TimeProvider.System.GetTimestamp();
        for (var left = Interval; left >= least; left = Interval - TimeProvider.System.GetElapsedTime(from))
        {
            await connection.WaitAsync(left < ReplicaPresence.Pause ? left : ReplicaPresence.Pause, _stop.Token);
            if (_hasMissed)
            {
                await TellMissedAsync();
            }

            if (await _presence.GoneAsync(connection, _replica, _stop.Token) is { Count: > 0 } gone)
            {
                await TakeOverAsync(connection, gone);
                return;
            }
        }
    }

    /// <summary>Tells the watchers what changed since everything was heard, if something was not.</summary>
    private async Task TellMissedAsync()
    {
        var now = hubClock.GetUtcNow().UtcDateTime;
        if (_hasMissed)
        {
            _hasMissed = false;
            _loop!.Feed.Publish(await reads.ChangedSinceAsync((_heardUntil ?? now) - Slack, _stop.Token));
        }

        _heardUntil = now;
    }

    /// <summary>What is done on a connection that is new, and every few seconds.</summary>
    private async Task LookAsync(NpgsqlConnection connection)
    {
        var loop = _loop!;
        var renewed = TimeProvider.System.GetTimestamp();
        if (!await RenewAsync(connection))
        {
            logger.LogWarning(
                "The lease of this process on the task hub {Hub} was over; others have taken its work, and it goes on with none.",
                database.Description);
            _replica = await JoinAsync(connection, _stop.Token);
            await _presence.ShowAsync(connection, _replica, _stop.Token);
            await loop.StartOverAsync(_replica);
        }

        await LearnTimeAsync(connection, _stop.Token);
        await StandAsync(connection, renewed);

        // After a time without the database all leases are over: each gets the time to renew its own.
        if (TimeProvider.System.GetElapsedTime(_since) >= options.Lease)
        {
            await TakeOverAsync(connection, []);
        }

        loop.Signals.SignalAll();
        loop.Wake();
        await loop.AgeAsync();
    }

    private async Task StandAsync(NpgsqlConnection connection, long renewed)
    {
        await using var command = new NpgsqlCommand(
            "SELECT min(id) FROM replicas WHERE NOT lost AND lease_until > clock_timestamp()", connection);
        var oldest = await command.ExecuteScalarAsync(_stop.Token) as long?;
        var left = options.Lease - TimeProvider.System.GetElapsedTime(renewed);
        _leadership.Set(oldest == _replica && left > TimeSpan.Zero, left);
    }

    private void Hear(string payload)
    {
        if (_loop is not { } loop || ReplicaNotice.Read(payload) is not { } notice || notice.From == _replica)
        {
            return;
        }

        if (notice.Changed is { } changed)
        {
            loop.Feed.Publish(changed);
            loop.Signals.Signal(changed);
        }
        else
        {
            // So many that they had no room in the notice.
            _hasMissed = true;
            loop.Signals.SignalAll();
        }

        if (notice.Message is { } message)
        {
            Told?.Invoke(message);
        }

        if (notice.Lost.Count > 0)
        {
            _ = loop.LoseAsync(notice.Lost);
        }

        if (notice.Work)
        {
            loop.Wake();
        }
    }

    private async Task<long> JoinAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            INSERT INTO replicas (id, description, lease_until) VALUES (nextval('hub_replicas'), $1, clock_timestamp() + $2) RETURNING id
            """,
            connection)
        {
            Parameters = { new() { Value = $"{Environment.MachineName}/{Environment.ProcessId}" }, new() { Value = options.Lease } },
        };
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private async Task<bool> RenewAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand(
            "UPDATE replicas SET lease_until = clock_timestamp() + $2 WHERE id = $1 AND NOT lost", connection)
        {
            Parameters = { new() { Value = _replica }, new() { Value = options.Lease } },
        };
        return await command.ExecuteNonQueryAsync(_stop.Token) > 0;
    }

    private async Task LearnTimeAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (clock is null)
        {
            return;
        }

        await using var command = new NpgsqlCommand("SELECT clock_timestamp()", connection);
        var before = TimeProvider.System.GetUtcNow();
        var then = (DateTime)(await command.ExecuteScalarAsync(cancellationToken))!;
        clock.Learn(before, new DateTimeOffset(then, TimeSpan.Zero), TimeProvider.System.GetUtcNow());
    }

    /// <summary>Frees what is held by a process that is not there any more. A row that somebody has locked comes with the next look.</summary>
    private async Task TakeOverAsync(NpgsqlConnection connection, IReadOnlyList<long> gone)
    {
        await using var command = new NpgsqlCommand(
            """
            WITH dead AS (
              UPDATE replicas SET lost = true WHERE (lease_until < clock_timestamp() OR id = ANY($1)) AND NOT lost RETURNING id)
            SELECT count(*) FROM dead
            """,
            connection)
        {
            Parameters = { new() { Value = gone.ToArray() } },
        };
        var dead = (long)(await command.ExecuteScalarAsync(_stop.Token))!;
        command.Parameters.Clear();
        command.CommandText =
            """
            WITH turns AS (
              UPDATE instances SET holder = NULL, token = 0 WHERE key IN (
                SELECT key FROM instances WHERE holder IS NOT NULL
                  AND NOT EXISTS (SELECT FROM replicas WHERE id = holder AND NOT lost) FOR UPDATE SKIP LOCKED) RETURNING key),
            activities AS (
              UPDATE tasks SET holder = NULL, token = 0 WHERE (instance_key, seq) IN (
                SELECT instance_key, seq FROM tasks WHERE holder IS NOT NULL
                  AND NOT EXISTS (SELECT FROM replicas WHERE id = holder AND NOT lost) FOR UPDATE SKIP LOCKED) RETURNING seq)
            SELECT (SELECT count(*) FROM turns) + (SELECT count(*) FROM activities)
            """;
        var freed = (long)(await command.ExecuteScalarAsync(_stop.Token))!;
        if (dead > 0 || freed > 0)
        {
            logger.LogWarning(
                "{Dead} processes of the task hub {Hub} have ended, or said nothing for {Lease}; {Freed} items that they held are free again.",
                dead, database.Description, options.Lease, freed);
        }

        command.CommandText = "DELETE FROM replicas WHERE lost AND lease_until < clock_timestamp() - interval '1 day'";
        await command.ExecuteNonQueryAsync(_stop.Token);
    }
}

using Grpc.Core;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>The connection that writes: lost, found again, and what became of the transaction that was on its way.</summary>
internal sealed partial class PostgreSqlLoop
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private NpgsqlConnection? _connection;
    private long? _downSince;
    private bool _freesUnknown;

    private void Connect()
    {
        if (_connection is { State: System.Data.ConnectionState.Open } open)
        {
            if (_freesUnknown)
            {
                GiveUpUnknown(open);
            }

            return;
        }

        Disconnect();
        var connection = _database.Open();
        _connection = connection;
        _store.Use(connection);
        GiveUpUnknown(connection);
        if (_downSince is not null)
        {
            _logger.LogInformation("The database of the task hub {Hub} is back.", _database.Description);
            _downSince = null;
        }
    }

    /// <summary>Work that a lost transaction took and nobody knows of is free again.</summary>
    private void GiveUpUnknown(NpgsqlConnection connection)
    {
        var known = Dispatcher.LeaseTokens.Concat(_givenBack.Concat(_poisoned).Select(unit => unit.LeaseToken)).ToArray();
        using var batch = new NpgsqlBatch(connection);
        foreach (var table in (string[])["instances", "tasks"])
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(
                $"UPDATE {table} SET holder = NULL, deliveries = deliveries - 1 WHERE holder = $1 AND NOT token = ANY($2)")
            {
                Parameters = { new() { Value = _replica }, new() { Value = known } },
            });
        }

        batch.ExecuteNonQuery();
        _freesUnknown = false;
    }

    private void Disconnect()
    {
        var connection = _connection;
        _connection = null;
        _store.Use(null);
        connection?.Dispose();
    }

    /// <summary>
    /// The connection was lost. True: it is back, and nothing of the transaction had happened, so that it can be tried again. False: the
    /// callers have been told what became of it.
    /// </summary>
    private bool GoesOn(List<Command> writes, Exception cause)
    {
        var number = _committing;
        _committing = null;
        Disconnect();
        var isBack = WaitForConnection(cause);
        bool? committed = number is null ? false : isBack ? WhatBecameOf(number) : null;
        if (committed == true)
        {
            // What it took was not free yet when the connection came back.
            _freesUnknown = true;
            Settle(writes);
            Wake();
            return false;
        }

        _freesUnknown |= committed is null;
        TakeBackEnds();
        if (committed == false && isBack)
        {
            return true;
        }

        Refuse(writes, committed == false ? cause : new TaskHubException(
            StatusCode.Unavailable,
            $"The connection to the task hub '{_database.Description}' was lost during the commit; whether the request was stored is not known. Look before you repeat it.",
            cause));
        return false;
    }

    /// <summary>Whether a transaction was committed; null if the database does not know (yet).</summary>
    private bool? WhatBecameOf(string number)
    {
        var from = TimeProvider.System.GetTimestamp();
        try
        {
            while (TimeProvider.System.GetElapsedTime(from) < _options.Patience)
            {
                using var command = new NpgsqlCommand("SELECT pg_xact_status($1::text::xid8)", _connection)
                {
                    Parameters = { new() { Value = number } },
                };
                switch (command.ExecuteScalar() as string)
                {
                    case "committed":
                        return true;
                    case "aborted":
                        return false;
                    case null:
                        return null;
                }

                // The server has not seen yet that its client has gone.
                Pause(ShortestPause);
            }
        }
        catch (Exception e) when (PostgreSqlFaults.IsConnectionLost(e))
        {
            Disconnect();
        }

        return null;
    }

    private bool WaitForConnection(Exception cause)
    {
        if (_downSince is null)
        {
            _downSince = TimeProvider.System.GetTimestamp();
            _logger.LogWarning(cause, "The database of the task hub {Hub} cannot be reached.", _database.Description);
        }

        var pause = ShortestPause;
        while (TimeProvider.System.GetElapsedTime(_downSince.Value) < _options.Patience && !IsStopping())
        {
            try
            {
                Connect();
                return true;
            }
            catch (Exception e) when (PostgreSqlFaults.IsConnectionLost(e) || e is PostgresException)
            {
                Pause(pause);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }

        // From now on whoever asks is told at once; the alarm tries again.
        _nextReady = Now + LongestPause;
        return false;
    }

    private bool IsStopping()
    {
        lock (_gate)
        {
            return _stopping;
        }
    }

    private void Pause(TimeSpan time)
    {
        lock (_gate)
        {
            if (!_stopping)
            {
                Monitor.Wait(_gate, time * (0.5 + Random.Shared.NextDouble()));
            }
        }
    }

    /// <summary>A process that leaves in order leaves nothing to wait for.</summary>
    private void Leave()
    {
        try
        {
            Connect();
            using var command = new NpgsqlCommand(
                """
                WITH turns AS (UPDATE instances SET holder = NULL, deliveries = deliveries - 1 WHERE holder = $1),
                  activities AS (UPDATE tasks SET holder = NULL, deliveries = deliveries - 1 WHERE holder = $1),
                  gone AS (DELETE FROM replicas WHERE id = $1)
                SELECT pg_notify($2, $3)
                """,
                _connection)
            {
                Parameters =
                {
                    new() { Value = _replica },
                    new() { Value = _database.Channel },
                    new() { Value = new ReplicaNotice(_replica, [], Work: true, []).Write() },
                },
            };
            command.ExecuteNonQuery();
        }
        catch (Exception e) when (PostgreSqlFaults.IsConnectionLost(e) || e is PostgresException)
        {
            _logger.LogWarning(e, "What this process holds of the task hub {Hub} is free when its lease is over.", _database.Description);
        }

        Disconnect();
    }
}

using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using SQLitePCL;

namespace Drydock.DurableTask.TaskHub;

/// <summary>One transaction: what it takes in, what becomes of it if it fails, and the work that follows from it.</summary>
internal sealed partial class HubLoop
{
    // Waiting is exact to a millisecond at best.
    private static readonly TimeSpan ShortestPatience = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestPatience = TimeSpan.FromMilliseconds(10);
    private const int LargestCommit = 1000;

    private void Commit(List<Command> writes, List<Command> reads, bool alone = false)
    {
        var from = _clock.GetTimestamp();
        try
        {
            Restore();
            _state.BeginBatch(Now);
            Dispatcher.Expire(Now);
            foreach (var command in writes)
            {
                command.Apply(_state);
                _crashPoints.Hit(CrashPoints.CommitAfterCommand);
            }

            if (!alone)
            {
                Speculate(writes, reads);
            }

            Dispatcher.WriteProgress(Now);
            var written = Stopwatch.GetTimestamp();
            _writer.Commit();
            _lastCommit = Stopwatch.GetElapsedTime(written);
        }
        catch (Exception e)
        {
            Recover(writes, reads, e);
            return;
        }

        // From here on it has happened.
        if (writes.Count > 0)
        {
            HubMeter.CommitDuration.Record(_clock.GetElapsedTime(from).TotalSeconds);
            HubMeter.CommitSize.Record(writes.Count);
        }

        _state.Ending.ForEach(Dispatcher.Release);
        _state.Ending.Clear();
        Dispatcher.LostActivities.Publish(_state.Lost);
        _state.Lost.Clear();
        Interlocked.Add(ref _pending, -writes.Count);
        Count();
        writes.ForEach(command => command.Acknowledge());
        PublishChanges();
    }

    private void PublishChanges()
    {
        Feed.Publish(_state.Changed);
        Waiters.Signal(_state.Changed, _state);
        _state.ForgetFinished();
        _state.Changed.Clear();
    }

    /// <summary>
    /// Lets workers of this process take the turns that the transaction caused, and adds their answers, and what else comes meanwhile,
    /// to it: one commit instead of two. It waits for them no longer than the last commit took: a slow turn goes into the next one.
    /// </summary>
    private void Speculate(List<Command> writes, List<Command> reads)
    {
        var from = Stopwatch.GetTimestamp();
        var patience = _lastCommit < ShortestPatience ? ShortestPatience : _lastCommit > LongestPatience ? LongestPatience : _lastCommit;
        Dispatcher.Speculate();
        while (_state.Speculated > 0 && reads.Count == 0 && writes.Count < LargestCommit)
        {
            _crashPoints.Hit(CrashPoints.CommitAfterSpeculation);
            if (!TakeMore(patience - Stopwatch.GetElapsedTime(from), reads) || _more.Count == 0)
            {
                return;
            }

            // All of them first: if the transaction fails, they are among those that are tried again, or told.
            writes.AddRange(_more);
            foreach (var command in _more)
            {
                command.Apply(_state);
                _crashPoints.Hit(CrashPoints.CommitAfterCommand);
            }

            Dispatcher.Speculate();
        }
    }

    /// <summary>Takes what comes within a time; false if nothing came. What writes nothing waits until after the commit.</summary>
    private bool TakeMore(TimeSpan patience, List<Command> reads)
    {
        _more.Clear();
        ListenAwake(patience);
        lock (_gate)
        {
            if (_incoming.Count == 0 && !_stopping && patience > TimeSpan.Zero)
            {
                Monitor.Wait(_gate, patience);
            }

            foreach (var command in _incoming)
            {
                (command.Writes ? _more : reads).Add(command);
            }

            var any = _incoming.Count > 0;
            _heard = _rung;
            _incoming.Clear();
            return any;
        }
    }

    /// <summary>
    /// Nothing of the transaction happened. If the disk refused, all callers are told; if one command was at fault, the others must not
    /// suffer: each gets a transaction of its own.
    /// </summary>
    private void Recover(List<Command> writes, List<Command> reads, Exception cause)
    {
        _imageLost = true;
        if (writes.Count > 1 && !IsOfTheDisk(cause))
        {
            writes.ForEach(command => Commit([command], reads, alone: true));
            return;
        }

        _logger.LogError(cause, "A transaction of the task hub {Path} failed; nothing of it was stored.", _database.Path);
        var refusal = Explain(cause);
        Interlocked.Add(ref _pending, -writes.Count);
        writes.ForEach(command => command.Fail(refusal));
    }

    /// <summary>Whether an error says nothing about the command that met it.</summary>
    private static bool IsOfTheDisk(Exception cause) => cause is SqliteException
    {
        SqliteErrorCode: raw.SQLITE_FULL or raw.SQLITE_IOERR or raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN or raw.SQLITE_BUSY
            or raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB or raw.SQLITE_NOMEM,
    };

    /// <summary>Loads the image anew after a failure, as after a crash; workers keep what they hold.</summary>
    private void Restore()
    {
        if (!_imageLost)
        {
            return;
        }

        _writer.Rollback();
        _state.Load(Now);
        Dispatcher.Reattach();
        _imageLost = false;
    }

    private void HandOut()
    {
        try
        {
            Restore();
            Dispatcher.Dispatch(Now);
            Dispatcher.WriteProgress(Now);
            _writer.Commit();
            Dispatcher.LetGo();
            PublishChanges();
            _state.Trim(_options.CachedInstances);
        }
        catch (Exception e)
        {
            // The next round, at the latest after the longest sleep, tries again.
            Dispatcher.TakeBack();
            _imageLost = true;
            _logger.LogError(e, "The task hub {Path} cannot be read.", _database.Path);
        }
    }
}

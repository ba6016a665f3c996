using System.Diagnostics;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.Sqlite;
using Drydock.DurableTask.TaskHub.State;
using Grpc.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using SQLitePCL;

namespace Drydock.DurableTask.TaskHub;

/// <summary>
/// The one thread that owns the hub. Whatever became ready while the last commit was on its way to the disk shares the next one;
/// only then are callers told and is the work that follows handed out. Nothing is polled.
/// </summary>
internal sealed partial class HubLoop : IHubLoop, IDisposable
{
    // The clock that timers run on stands still while a computer sleeps: look at the real one now and then.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(30);

    // A worker of this process answers sooner than a thread that sleeps wakes up; with one processor waiting awake would only keep it from that.
    private static readonly TimeSpan LongestAwake = Environment.ProcessorCount > 1 ? TimeSpan.FromMicroseconds(200) : TimeSpan.Zero;

    private readonly HubDatabase _database;
    private readonly HubWriter _writer;
    private readonly HubState _state;
    private readonly SqliteTaskHubOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly ICrashPoints _crashPoints;
    private readonly ITimer _alarm;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private readonly List<TaskCompletionSource<DateTimeOffset?>> _idleWaiters = [];
    private readonly List<Command> _more = [];
    private List<Command> _incoming = [];
    private TimeSpan _lastCommit;
    private int _rung;
    private int _heard;
    private bool _woken;
    private bool _stopping;
    private bool _imageLost;
    private int _pending;
    private volatile TaskHubCounts _counts = new(0, 0, 0, 0);

    public HubLoop(HubDatabase database, SqliteTaskHubOptions options, TimeProvider clock, ILogger logger)
    {
        _database = database;
        _options = options;
        _clock = clock;
        _logger = logger;
        _crashPoints = options.CrashPoints ?? CrashPoints.None;
        _writer = new HubWriter(database.Writer, _crashPoints);
        _state = new HubState(_writer, _crashPoints, options);
        Dispatcher = new Dispatcher(_state, _writer, options, clock);
        _state.Load(Now);
        Count();
        _alarm = clock.CreateTimer(_ => Wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _thread = new Thread(Run) { Name = "task hub", IsBackground = true };
    }

    /// <summary>Only for commands, which run on the hub's thread.</summary>
    public HubWriter Writer => _writer;

    /// <summary>Only for commands, which run on the hub's thread.</summary>
    public Dispatcher Dispatcher { get; }

    private Waiters Waiters { get; } = new();

    public ChangeFeed Feed { get; } = new();

    public TaskHubCounts Counts => _counts with { PendingCommits = Volatile.Read(ref _pending) };

    private DateTime Now => _clock.GetUtcNow().UtcDateTime;

    public void Start() => _thread.Start();

    public Task<T> WriteAsync<T>(IReadOnlyList<string> touched, Func<HubState, T> apply, CancellationToken cancellationToken) =>
        Post(new Command<T>(apply) { Writes = true }, cancellationToken);

    public Task EndAsync(string completionToken, Action<HubState, HandOut> apply, CancellationToken cancellationToken) => WriteAsync(
        [],
        state =>
        {
            apply(state, Dispatcher.Held(completionToken));
            return true;
        },
        cancellationToken);

    public Task<T> RunAsync<T>(Func<HubState, T> apply, CancellationToken cancellationToken) =>
        Post(new Command<T>(apply) { Writes = false }, cancellationToken);

    public async Task ReachedAsync(string instanceId, Func<OrchestrationStatus, bool> isReached, CancellationToken cancellationToken)
    {
        var waiter = await RunAsync(
            state => Waiters.Add(instanceId, instance => isReached(instance.Status), state), cancellationToken);
        try
        {
            await waiter.Reached.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            _ = RunAsync(
                _ =>
                {
                    Waiters.Remove(waiter);
                    return true;
                },
                CancellationToken.None);
            throw;
        }
    }

    public Task<TaskHubCounts> CountAsync(CancellationToken cancellationToken) => Task.FromResult(Counts);

    public async Task<DateTimeOffset?> WhenIdleAsync(CancellationToken cancellationToken)
    {
        var waiter = new TaskCompletionSource<DateTimeOffset?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await RunAsync(
            _ =>
            {
                _idleWaiters.Add(waiter);
                return true;
            },
            cancellationToken);
        return await waiter.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Commits what was posted before, ends all streams and stops the thread.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_stopping)
            {
                return;
            }

            _stopping = true;
            Ring();
        }

        _thread.Join();
        _alarm.Dispose();
        _writer.Dispose();
    }

    private async Task<T> Post<T>(Command<T> command, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (_stopping)
            {
                throw Closed();
            }

            if (command.Writes)
            {
                Interlocked.Increment(ref _pending);
            }

            _incoming.Add(command);
            Ring();
        }

        return await command.Done.WaitAsync(cancellationToken);
    }

    private void Wake()
    {
        lock (_gate)
        {
            _woken = true;
            Ring();
        }
    }

    private void Run()
    {
        List<Command> batch = [];
        while (Take(ref batch))
        {
            RunBatch(batch);
            batch.Clear();
            SetAlarm();
            AnswerIdleWaiters();
        }

        Stop();
    }

    /// <summary>Called under the lock.</summary>
    private void Ring()
    {
        _rung++;
        Monitor.Pulse(_gate);
    }

    /// <summary>Waits awake for a moment.</summary>
    private void ListenAwake(TimeSpan patience)
    {
        var most = patience < LongestAwake ? patience : LongestAwake;
        var from = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _rung) == _heard && Stopwatch.GetElapsedTime(from) < most)
        {
            Thread.SpinWait(10);
        }
    }

    /// <summary>Waits until there is something to do and takes all of it; false when the hub stops and everything is done.</summary>
    private bool Take(ref List<Command> batch)
    {
        if (Dispatcher.Outstanding > 0)
        {
            ListenAwake(LongestAwake);
        }

        lock (_gate)
        {
            while (_incoming.Count == 0 && !_woken && !_stopping)
            {
                Monitor.Wait(_gate);
            }

            (_woken, _heard) = (false, _rung);
            (batch, _incoming) = (_incoming, batch);
            return batch.Count > 0 || !_stopping;
        }
    }

    private void RunBatch(List<Command> batch)
    {
        var reads = batch.FindAll(command => !command.Writes);
        Commit(batch.FindAll(command => command.Writes), reads);
        reads.ForEach(Quietly);

        _crashPoints.Hit(CrashPoints.CommitAfterAcknowledge);
        HandOut();
        Count();
    }

    private void Count() =>
        _counts = new TaskHubCounts(_state.Turns.Count + _state.Activities.Count + _state.Entities.Count, Dispatcher.Outstanding, 0, _writer.Timers.Count);

    private void Quietly(Command command)
    {
        try
        {
            Restore();
            command.Apply(_state);
            command.Acknowledge();
        }
        catch (Exception e)
        {
            command.Fail(Explain(e));
        }
    }

    private void SetAlarm()
    {
        if (_imageLost)
        {
            _alarm.Change(LongestSleep, Timeout.InfiniteTimeSpan);
        }
        else if (EarliestDue() is { } due)
        {
            SetAlarm(due);
        }
        else
        {
            _alarm.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private void SetAlarm(DateTime due)
    {
        DateTime now;
        do
        {
            now = Now;
            if (due <= now)
            {
                Wake();
                return;
            }

            // Rounded up: a timer must not be early, and must not spin through the last millisecond.
            var wait = TimeSpan.FromMilliseconds(Math.Ceiling((due - now).TotalMilliseconds));
            _alarm.Change(wait < LongestSleep ? wait : LongestSleep, Timeout.InfiniteTimeSpan);
        }

        // A clock that jumped in between would have set the alarm as much too late as it jumped.
        while (Now - now >= TimeSpan.FromMilliseconds(1));
    }

    private DateTime? EarliestDue() => Earlier(Earlier(_writer.Timers.Earliest, Dispatcher.EarliestDelayed), Earlier(Dispatcher.EarliestDeadline, Dispatcher.EarliestProgress));

    private static DateTime? Earlier(DateTime? one, DateTime? other) => one < other || other is null ? one : other;

    private void AnswerIdleWaiters()
    {
        if (_idleWaiters.Count == 0 || _imageLost || _state.Turns.Count + _state.Activities.Count + _state.Entities.Count + Dispatcher.Outstanding > 0)
        {
            return;
        }

        lock (_gate)
        {
            if (_incoming.Count > 0 || _woken)
            {
                return;
            }
        }

        DateTimeOffset? due = EarliestDue() is { } at ? new DateTimeOffset(at, TimeSpan.Zero) : null;
        _idleWaiters.ForEach(waiter => waiter.TrySetResult(due));
        _idleWaiters.Clear();
    }

    private void Stop()
    {
        CloseStreams();
        Waiters.FailAll(Closed());
        _idleWaiters.ForEach(waiter => waiter.TrySetException(Closed()));
    }

    private void CloseStreams()
    {
        try
        {
            Restore();
            Dispatcher.CloseAll();
            Dispatcher.WriteProgress(Now);
            _writer.Commit();
        }
        catch (SqliteException e)
        {
            // The next process counts what was in hand as lost once more than it was.
            _logger.LogWarning(e, "The task hub {Path} could not note that it ended in order.", _database.Path);
        }
    }

    private TaskHubException Closed() => new(StatusCode.Unavailable, $"The task hub '{_database.Path}' is closed.");

    private TaskHubException Explain(Exception cause) => cause switch
    {
        SqliteException { SqliteErrorCode: raw.SQLITE_FULL } => new TaskHubException(
            StatusCode.ResourceExhausted,
            $"The disk of the task hub '{_database.Path}' is full; nothing of this request was stored. Free some space: it goes on by itself.",
            cause),
        SqliteException => new TaskHubException(
            StatusCode.Unavailable,
            $"The task hub '{_database.Path}' cannot be written: {cause.Message} Nothing of this request was stored.", cause),
        _ => new TaskHubException(StatusCode.Internal, $"The request failed inside the task hub: {cause.Message}", cause),
    };
}

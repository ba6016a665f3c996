using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.State;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>
/// The one thread of this process that writes to the hub's database. Whatever was asked while the last transaction was under way shares
/// the next one; only when that is committed are callers told and is the work that it took handed out.
/// </summary>
internal sealed partial class PostgreSqlLoop : IHubLoop, IDisposable
{
    // The clock that timers run on stands still while a computer sleeps: look at the real one now and then.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(30);

    private readonly PostgreSqlDatabase _database;
    private readonly PostgreSqlTaskHubOptions _options;
    private readonly PostgreSqlReads _reads;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly ICrashPoints _crashPoints;
    private readonly PostgreSqlStore _store;
    private readonly HubState _state;
    private readonly ITimer _alarm;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private List<Command> _incoming = [];
    private bool _woken;
    private bool _stopping;
    private int _pending;
    private int _taken;

    public PostgreSqlLoop(
        PostgreSqlDatabase database, PostgreSqlReads reads, PostgreSqlTaskHubOptions options, TimeProvider clock, long replica, ILogger logger)
    {
        _database = database;
        _options = options;
        _reads = reads;
        _clock = clock;
        _logger = logger;
        _replica = replica;
        _crashPoints = options.CrashPoints ?? CrashPoints.None;
        _store = new PostgreSqlStore(_crashPoints);
        _state = new HubState(_store, _crashPoints, options);
        Dispatcher = new Dispatcher(_state, _store, options, clock, new Leases(this));
        _alarm = clock.CreateTimer(_ => Wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _thread = new Thread(Run) { Name = "task hub", IsBackground = true };
    }

    public Dispatcher Dispatcher { get; }

    public ChangeFeed Feed { get; } = new();

    public ChangeSignals Signals { get; } = new();

    /// <summary>What this process holds; the queues are in the database.</summary>
    public TaskHubCounts Counts => new(0, Volatile.Read(ref _taken), Volatile.Read(ref _pending), 0);

    private DateTime Now => _clock.GetUtcNow().UtcDateTime;

    public void Start() => _thread.Start();

    public Task<T> WriteAsync<T>(IReadOnlyList<string> touched, Func<HubState, T> apply, CancellationToken cancellationToken) =>
        Post(new Command<T>(apply) { Writes = true, Touched = touched }, cancellationToken);

    public Task EndAsync(string completionToken, Action<HubState, HandOut> apply, CancellationToken cancellationToken) => Post(
        new Command<bool>(state =>
        {
            var handOut = Dispatcher.Held(completionToken);
            if (!Attach(handOut))
            {
                state.Ending.Add(handOut);
                throw new TaskHubException(
                    StatusCode.NotFound, "This work item was given to somebody else, or what it belongs to has gone; nothing was written.");
            }

            apply(state, handOut);
            if (handOut.Unit is Instance { IsEntity: true } entity)
            {
                _store.EndLease(entity);
            }

            return true;
        })
        {
            Writes = true,
            Token = completionToken,
        },
        cancellationToken);

    public Task<T> RunAsync<T>(Func<HubState, T> apply, CancellationToken cancellationToken) =>
        Post(new Command<T>(apply) { Writes = false }, cancellationToken);

    /// <summary>Writes something that proves that the database takes it.</summary>
    public Task ProbeAsync(CancellationToken cancellationToken) => WriteAsync(
        [],
        _ =>
        {
            _store.Probe(_replica);
            return true;
        },
        cancellationToken);

    public Task ReachedAsync(string instanceId, Func<OrchestrationStatus, bool> isReached, CancellationToken cancellationToken) =>
        Signals.WaitAsync(
            instanceId,
            async () => await _reads.InstanceAsync(instanceId, values: false, cancellationToken) is { } state
                && isReached(state.OrchestrationStatus),
            cancellationToken);

    public async Task<TaskHubCounts> CountAsync(CancellationToken cancellationToken)
    {
        var (ready, timers, _, _) = await _reads.CountAsync(Now, cancellationToken);
        return Counts with { ReadyItems = ready, Timers = timers };
    }

    public async Task<DateTimeOffset?> WhenIdleAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await RunAsync(static _ => true, cancellationToken);
            var (ready, _, held, next) = await _reads.CountAsync(Now, cancellationToken);
            if (ready == 0 && held == 0 && Counts is { OutstandingItems: 0, PendingCommits: 0 })
            {
                return next is { } at ? new DateTimeOffset(at, TimeSpan.Zero) : null;
            }

            // Other processes are at it too, and no message says that nothing is left.
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
        }
    }

    /// <summary>Something may be ready that this process could take.</summary>
    public void Wake()
    {
        lock (_gate)
        {
            _woken = true;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Commits what was asked before, gives back what is held, ends all streams and stops the thread.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_stopping)
            {
                return;
            }

            _stopping = true;
            Monitor.Pulse(_gate);
        }

        _thread.Join();
        _alarm.Dispose();
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
            Monitor.Pulse(_gate);
        }

        return await command.Done.WaitAsync(cancellationToken);
    }

    private void Run()
    {
        List<Command> batch = [];
        while (Take(ref batch))
        {
            RunBatch(batch);
            batch.Clear();
            SetAlarm();
        }

        Stop();
    }

    /// <summary>Waits until there is something to do and takes all of it; false when the hub stops and everything is done.</summary>
    private bool Take(ref List<Command> batch)
    {
        lock (_gate)
        {
            while (_incoming.Count == 0 && !_woken && !_stopping)
            {
                Monitor.Wait(_gate);
            }

            _woken = false;
            (batch, _incoming) = (_incoming, batch);
            return batch.Count > 0 || !_stopping;
        }
    }

    private void RunBatch(List<Command> batch)
    {
        var writes = batch.FindAll(command => command.Writes);
        var others = batch.FindAll(command => !command.Writes);
        if (others.Count == 0)
        {
            Commit(writes, take: true);
            return;
        }

        // They may open and close streams: what is taken must suit those that are there then.
        Commit(writes, take: false);
        others.ForEach(Quietly);
        Commit([], take: true);
    }

    private void Quietly(Command command)
    {
        try
        {
            command.Apply(_state);
            command.Acknowledge();
        }
        catch (Exception e)
        {
            command.Fail(PostgreSqlFaults.Explain(_database.Description, e));
        }
    }

    private void SetAlarm()
    {
        if (EarliestDue() is not { } due)
        {
            _alarm.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            return;
        }

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

    /// <summary>What was due when a transaction failed is still due: the next attempt must not follow at once.</summary>
    private DateTime? EarliestDue() =>
        Later(Earlier(Earlier(_nextReady, Dispatcher.EarliestDelayed), Earlier(Dispatcher.EarliestDeadline, Dispatcher.EarliestProgress)), _pausedUntil);

    private static DateTime? Later(DateTime? due, DateTime? pause) => pause > due ? pause : due;

    private static DateTime? Earlier(DateTime? one, DateTime? other) => one < other || other is null ? one : other;

    private void Stop()
    {
        if (Dispatcher.EarliestProgress is not null)
        {
            Dispatcher.HurryProgress();
            Commit([], take: false);
        }

        Dispatcher.CloseAll();
        Leave();
        Signals.FailAll(Closed());
    }

    private TaskHubException Closed() => new(StatusCode.Unavailable, $"The task hub '{_database.Description}' is closed.");
}

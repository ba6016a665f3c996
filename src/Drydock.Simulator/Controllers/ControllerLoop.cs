using System.Collections.Concurrent;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// Runs all controllers of a cluster, one key at a time. Changes of the store wake keys at once, controllers ask for later looks;
/// nothing polls and no thread waits: work that is ready runs on the thread pool, one timer is set for the next due look.
/// </summary>
internal sealed class ControllerLoop : IAsyncDisposable
{
    private static readonly TimeSpan RetryAfterFailure = TimeSpan.FromSeconds(1);

    private readonly IReadOnlyList<IController> _controllers;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly IDisposable _subscription;
    private readonly ITimer _timer;
    private readonly ConcurrentQueue<Change> _changes = new();
    private readonly Queue<Work> _ready = new();
    private readonly HashSet<Work> _queued = [];
    private readonly LookAgainQueue _later = new();
    private readonly Lock _running = new();
    private readonly Lock _times = new();
    private int _undelivered;
    private int _busy;
    private int _scheduled;
    private volatile bool _live;
    private volatile bool _stopped;

    public ControllerLoop(IObjectStore store, IEnumerable<IController> controllers, TimeProvider clock, ILogger logger)
    {
        _controllers = [.. controllers];
        _clock = clock;
        _logger = logger;
        _timer = clock.CreateTimer(_ => WakeDue(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _subscription = store.Subscribe(OnChange);
    }

    /// <summary>Undelivered changes, keys queued or being reconciled, and looks that are due; not future ones.</summary>
    public int PendingWork
    {
        get
        {
            lock (_times)
            {
                var due = _later.Next is { } next && next <= _clock.GetUtcNow() ? 1 : 0;
                return Volatile.Read(ref _undelivered) + _ready.Count + Volatile.Read(ref _busy) + due;
            }
        }
    }

    /// <summary>When a controller next wants to look again, or null if none does.</summary>
    public DateTimeOffset? NextDue
    {
        get
        {
            lock (_times)
            {
                return _later.Next;
            }
        }
    }

    /// <summary>Tells a controller to look at a key.</summary>
    public void Wake(IController controller, ObjectKey key)
    {
        lock (_times)
        {
            Enqueue(new(controller, key));
        }

        Schedule();
    }

    /// <summary>From now on ready work runs by itself, on the thread pool.</summary>
    public void GoLive()
    {
        _live = true;
        WakeDue();
    }

    /// <summary>Makes changes that no controller sees half done.</summary>
    public void Together(Action changes)
    {
        lock (_running)
        {
            changes();
        }
    }

    /// <summary>Does all that is ready now, on the calling thread. Returns when nothing is ready any more.</summary>
    public void RunReady()
    {
        lock (_running)
        {
            Interlocked.Increment(ref _busy);
            try
            {
                while (!_stopped)
                {
                    Deliver();
                    if (Take() is not { } work)
                    {
                        break;
                    }

                    Run(work);
                }
            }
            finally
            {
                Interlocked.Decrement(ref _busy);
            }

            SetTimer();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _stopped = true;
        _subscription.Dispose();
        await _timer.DisposeAsync();
    }

    // Under the store's lock: only enqueues.
    private void OnChange(Change change)
    {
        Interlocked.Increment(ref _undelivered);
        _changes.Enqueue(change);
        Schedule();
    }

    private void Deliver()
    {
        while (_changes.TryDequeue(out var change))
        {
            foreach (var controller in _controllers)
            {
                foreach (var key in controller.Affected(change))
                {
                    lock (_times)
                    {
                        Enqueue(new(controller, key));
                    }
                }
            }

            Interlocked.Decrement(ref _undelivered);
        }
    }

    private Work? Take()
    {
        lock (_times)
        {
            while (_later.TakeDue(_clock.GetUtcNow()) is { } due)
            {
                Enqueue(due);
            }

            if (!_ready.TryDequeue(out var work))
            {
                return null;
            }

            _queued.Remove(work);
            return work;
        }
    }

    private void Run(Work work)
    {
        TimeSpan? again;
        try
        {
            again = work.Controller.Reconcile(work.Key);
        }
        catch (ApiException refusal)
        {
            // What a real controller does with a conflict or a refusal: log and try again later.
            _logger.LogDebug("{Controller} {Key}: {Refusal}", work.Controller.GetType().Name, work.Key, refusal.Message);
            again = RetryAfterFailure;
        }
        catch (Exception failure)
        {
            _logger.LogError(failure, "{Controller} failed on {Key}", work.Controller.GetType().Name, work.Key);
            again = RetryAfterFailure;
        }

        lock (_times)
        {
            _later.Set(work, again is { } span ? _clock.GetUtcNow() + span : null);
        }
    }

    private void Enqueue(Work work)
    {
        if (_queued.Add(work))
        {
            _ready.Enqueue(work);
        }
    }

    private void WakeDue() => Schedule();

    private void Schedule()
    {
        if (_live && !_stopped && Interlocked.Exchange(ref _scheduled, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static loop => loop.RunScheduled(), this, preferLocal: false);
        }
    }

    // Scheduled until it has ended: were it so only until it begins, every change made meanwhile would send one more thread of the pool to wait
    // for it, and none would be left to answer requests.
    private void RunScheduled()
    {
        RunReady();
        Interlocked.Exchange(ref _scheduled, 0);

        // What came between the last look and now scheduled nothing.
        if (HasWork())
        {
            Schedule();
        }
    }

    private bool HasWork()
    {
        lock (_times)
        {
            return !_changes.IsEmpty || _ready.Count > 0 || _later.Next <= _clock.GetUtcNow();
        }
    }

    private void SetTimer()
    {
        if (!_live || _stopped)
        {
            return;
        }

        lock (_times)
        {
            var wait = _later.Next - _clock.GetUtcNow();
            _timer.Change(wait is { } span ? Positive(span) : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private static TimeSpan Positive(TimeSpan span) => span > TimeSpan.Zero ? span : TimeSpan.Zero;
}

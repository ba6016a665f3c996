namespace Drydock.SimulationTests.Maintenance;

/// <summary>A clock that stands still until it is told to jump to its next due timer (design D6).</summary>
internal sealed class VirtualTime(DateTimeOffset start) : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<Timer> _timers = [];
    private DateTimeOffset _now = start;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
        {
            return _now;
        }
    }

    /// <summary>When the next timer is due, if there is one.</summary>
    public DateTimeOffset? Next
    {
        get
        {
            lock (_lock)
            {
                return _timers.MinBy(timer => timer.Due)?.Due;
            }
        }
    }

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves to the next due timer and fires it; false if there is none before that moment.</summary>
    public bool JumpToNext(DateTimeOffset notAfter)
    {
        Timer next;
        lock (_lock)
        {
            if (_timers.MinBy(timer => timer.Due) is not { } first || first.Due > notAfter)
            {
                return false;
            }

            next = first;
            _now = first.Due > _now ? first.Due : _now;
            _timers.Remove(first);
            first.Again();
        }

        next.Fire();
        return true;
    }

    private sealed class Timer(VirtualTime time, Action fire) : ITimer
    {
        private TimeSpan _period = Timeout.InfiniteTimeSpan;

        public DateTimeOffset Due { get; private set; }

        public void Fire() => fire();

        /// <summary>Called under the lock.</summary>
        public void Again()
        {
            if (_period > TimeSpan.Zero)
            {
                Due = time._now + _period;
                time._timers.Add(this);
            }
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._lock)
            {
                time._timers.Remove(this);
                _period = period;
                if (dueTime >= TimeSpan.Zero)
                {
                    Due = time._now + dueTime;
                    time._timers.Add(this);
                }
            }

            return true;
        }

        public void Dispose()
        {
            lock (time._lock)
            {
                time._timers.Remove(this);
                _period = Timeout.InfiniteTimeSpan;
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

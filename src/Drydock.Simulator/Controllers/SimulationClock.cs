namespace Drydock.Simulator.Controllers;

/// <summary>
/// The time of a simulated cluster: frozen while the cluster is brought to its start state, then the given clock, possibly sped up.
/// It never goes back.
/// </summary>
internal sealed class SimulationClock : TimeProvider
{
    private readonly TimeProvider _clock;
    private readonly double _speed;
    private DateTimeOffset _now;
    private DateTimeOffset _origin;
    private bool _frozen = true;

    public SimulationClock(TimeProvider clock, double speed, TimeSpan history)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(speed);
        _clock = clock;
        _speed = speed;
        _now = clock.GetUtcNow() - history;
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() =>
        Volatile.Read(ref _frozen) ? _now : _origin + ((_clock.GetUtcNow() - _origin) * _speed);

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        _clock.CreateTimer(callback, state, Scaled(dueTime), Scaled(period));

    /// <summary>Moves the frozen time forward.</summary>
    public void JumpTo(DateTimeOffset time)
    {
        if (!_frozen)
        {
            throw new InvalidOperationException("The clock runs: only a frozen clock can jump.");
        }

        _now = time > _now ? time : _now;
    }

    /// <summary>Lets time run, from the given clock's present.</summary>
    public void Run()
    {
        _origin = _clock.GetUtcNow();
        if (_now > _origin)
        {
            throw new InvalidOperationException($"The start took {_now - _origin} more of simulated time than it was given.");
        }

        Volatile.Write(ref _frozen, false);
    }

    private TimeSpan Scaled(TimeSpan span) => span <= TimeSpan.Zero ? span : span / _speed;
}

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>
/// The time of the database, so that timers and turns of all processes follow one clock: this machine's, corrected by what the database
/// said last. What is left of the skew is half of one round trip.
/// </summary>
internal sealed class DatabaseClock(TimeProvider local) : TimeProvider
{
    private long _offset;

    public override long TimestampFrequency => local.TimestampFrequency;

    public override TimeZoneInfo LocalTimeZone => local.LocalTimeZone;

    public override DateTimeOffset GetUtcNow() => local.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref _offset));

    public override long GetTimestamp() => local.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        local.CreateTimer(callback, state, dueTime, period);

    /// <summary>The database said that it was <paramref name="database"/> between two moments of this machine.</summary>
    public void Learn(DateTimeOffset before, DateTimeOffset database, DateTimeOffset after) =>
        Interlocked.Exchange(ref _offset, (database - before - ((after - before) / 2)).Ticks);
}

namespace Drydock.Cli.Output;

/// <summary>Times as a person reads them.</summary>
internal static class Elapsed
{
    /// <summary><c>0.4 s</c>, <c>12.3 s</c>, <c>4m05s</c>, <c>1h02m</c>, <c>3d04h</c>.</summary>
    public static string Format(TimeSpan time) => time switch
    {
        _ when time < TimeSpan.Zero => "-" + Format(time.Negate()),
        _ when time.TotalSeconds < 100 => $"{time.TotalSeconds:0.0} s",
        _ when time.TotalHours < 1 => $"{(int)time.TotalMinutes}m{time.Seconds:00}s",
        _ when time.TotalDays < 1 => $"{(int)time.TotalHours}h{time.Minutes:00}m",
        _ => $"{(int)time.TotalDays}d{time.Hours:00}h",
    };
}

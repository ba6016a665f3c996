namespace Drydock.Tests;

/// <summary>A day that is months away, whenever the tests run: a window that opens then is closed.</summary>
internal static class FarDate
{
    /// <summary>A month, 1 to 12, that begins in half a year or so.</summary>
    public static int Month { get; } = ((TimeProvider.System.GetUtcNow().Month + 5) % 12) + 1;

    /// <summary>Two o'clock of its first day, as a cron expression.</summary>
    public static string Cron { get; } = $"0 2 1 {Month} *";
}

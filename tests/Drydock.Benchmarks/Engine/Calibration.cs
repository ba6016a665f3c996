using System.Diagnostics;
using System.Globalization;

namespace Drydock.Benchmarks.Engine;

/// <summary>What the machine can do at the moment: on a shared one, no figure means anything without it.</summary>
/// <param name="SyncMilliseconds">Median time until 4 KiB appended to a file are on disk.</param>
/// <param name="LoopMilliseconds">Time of a fixed loop on one processor.</param>
/// <param name="Load">Load average of the last minute.</param>
internal sealed record Calibration(double SyncMilliseconds, double LoopMilliseconds, double Load)
{
    private const int Syncs = 200;
    private const int Steps = 200_000_000;

    public static Calibration Measure() => new(Sync(), Loop(), LoadAverage());

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"fsync {SyncMilliseconds:0.00} ms, fixed loop {LoopMilliseconds:0} ms, load {Load:0.0}");

    private static double Sync()
    {
        var path = Path.GetTempFileName();
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
            var block = new byte[4096];
            var times = new double[Syncs];
            for (var i = 0; i < Syncs; i++)
            {
                var from = Stopwatch.GetTimestamp();
                RandomAccess.Write(file, block, (long)i * block.Length);
                RandomAccess.FlushToDisk(file);
                times[i] = Stopwatch.GetElapsedTime(from).TotalMilliseconds;
            }

            return times.Order().ElementAt(Syncs / 2);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static double Loop()
    {
        var from = Stopwatch.GetTimestamp();
        var value = 1u;
        for (var i = 0; i < Steps; i++)
        {
            value = (value * 1664525) + 1013904223;
        }

        var time = Stopwatch.GetElapsedTime(from).TotalMilliseconds;
        return value == 0 ? 0 : time;
    }

    private static double LoadAverage() =>
        double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);
}

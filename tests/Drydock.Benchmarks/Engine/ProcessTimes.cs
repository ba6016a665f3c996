using System.Globalization;

namespace Drydock.Benchmarks.Engine;

/// <summary>Processor time and memory as the kernel counts them.</summary>
internal static class ProcessTimes
{
    private const double TicksPerSecond = 100;

    /// <summary>User and system time in seconds of processes, all their descendants, and those of them that have ended.</summary>
    public static double OfTree(params IEnumerable<int> roots) => Tree(roots).Sum(one => one.Ticks) / TicksPerSecond;

    /// <summary>
    /// Megabytes of memory that processes and all their descendants have resident. What several of them share counts once: each gets its
    /// part of it.
    /// </summary>
    public static double MegabytesOfTree(params IEnumerable<int> roots) => Tree(roots).Sum(one => Kilobytes(one.Id)) / 1000.0;

    private static IEnumerable<Times> Tree(IEnumerable<int> roots)
    {
        var all = Directory.EnumerateDirectories("/proc").Select(folder => Read(Path.GetFileName(folder))).OfType<Times>().ToList();
        var wanted = roots.ToHashSet();
        int before;
        do
        {
            before = wanted.Count;
            wanted.UnionWith(all.Where(one => wanted.Contains(one.Parent)).Select(one => one.Id));
        }
        while (wanted.Count > before);
        return all.Where(one => wanted.Contains(one.Id));
    }

    private static long Kilobytes(int id)
    {
        try
        {
            var line = File.ReadLines($"/proc/{id.ToString(CultureInfo.InvariantCulture)}/smaps_rollup")
                .First(static line => line.StartsWith("Pss:", StringComparison.Ordinal));
            return Number(line["Pss:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim());
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            // It ended meanwhile.
            return 0;
        }
    }

    private static Times? Read(string name)
    {
        if (!int.TryParse(name, CultureInfo.InvariantCulture, out var id))
        {
            return null;
        }

        try
        {
            // The second field is the name in brackets, and may hold spaces.
            var text = File.ReadAllText($"/proc/{name}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return new Times(id, Number(fields[1]), Enumerable.Range(11, 4).Sum(i => (long)Number(fields[i])));
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return null;
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private sealed record Times(int Id, int Parent, long Ticks);
}

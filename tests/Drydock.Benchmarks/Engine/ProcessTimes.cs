using System.Globalization;

namespace Drydock.Benchmarks.Engine;

/// <summary>Processor time as the kernel counts it.</summary>
internal static class ProcessTimes
{
    private const double TicksPerSecond = 100;

    /// <summary>User and system time in seconds of processes, all their descendants, and those of them that have ended.</summary>
    public static double OfTree(params IEnumerable<int> roots)
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
        return all.Where(one => wanted.Contains(one.Id)).Sum(one => one.Ticks) / TicksPerSecond;
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

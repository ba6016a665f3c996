using Drydock.Api;

namespace Drydock.Cli.Demo;

/// <summary>The numbers of a run.</summary>
/// <param name="MemoryAtRestBytes">Resident memory of the server process that serves and has nothing to do yet.</param>
/// <param name="MemoryAfterBytes">The same when the maintenance was over.</param>
/// <param name="WallTime">From the request to the end.</param>
/// <param name="OwnTime">The part of it in which nothing was waited for: no activity was under way and no timer that fired was running.</param>
/// <param name="HistoryEvents">Events in the histories of the maintenance and its parts.</param>
/// <param name="StartUp">From the start of the server process until it served.</param>
internal sealed record DemoNumbers(long MemoryAtRestBytes, long MemoryAfterBytes, TimeSpan WallTime, TimeSpan OwnTime, int HistoryEvents, TimeSpan StartUp)
{
    /// <summary>Own time in per cent of the wall time.</summary>
    public double OverheadPercent => WallTime > TimeSpan.Zero ? 100 * OwnTime / WallTime : 0;

    /// <summary>Takes the times from the history.</summary>
    public static DemoNumbers From(MaintenanceView view, IReadOnlyList<HistoryEventView> history, (long AtRest, long After) memory, TimeSpan startUp)
    {
        var end = view.EndedAt ?? history.Select(e => e.At).DefaultIfEmpty(view.StartedAt).Max();
        var wall = end - view.StartedAt;
        var waited = WaitedFor(history, view.StartedAt, end);
        return new DemoNumbers(memory.AtRest, memory.After, wall, wall - waited, history.Count == 0 ? 0 : history.GroupBy(e => e.Instance).Sum(g => g.Max(e => e.Sequence)), startUp);
    }

    /// <summary>How long at least one activity was under way or one timer that later fired was running.</summary>
    internal static TimeSpan WaitedFor(IReadOnlyList<HistoryEventView> history, DateTimeOffset from, DateTimeOffset to)
    {
        var spans = history.GroupBy(e => e.Instance).SelectMany(Spans).OrderBy(span => span.From).ToList();
        var (total, covered) = (TimeSpan.Zero, from);
        foreach (var span in spans)
        {
            var begin = span.From > covered ? span.From : covered;
            var end = span.To < to ? span.To : to;
            if (end > begin)
            {
                total += end - begin;
                covered = end;
            }
        }

        return total;
    }

    private static IEnumerable<(DateTimeOffset From, DateTimeOffset To)> Spans(IEnumerable<HistoryEventView> instance)
    {
        var activities = new Dictionary<string, Queue<DateTimeOffset>>(StringComparer.Ordinal);
        var timers = new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal);
        foreach (var happened in instance.OrderBy(e => e.Sequence))
        {
            switch (happened.Kind)
            {
                case "activity-scheduled":
                    var name = happened.Name ?? "";
                    activities.TryAdd(name, new Queue<DateTimeOffset>());
                    activities[name].Enqueue(happened.At);
                    break;
                case "activity-completed" or "activity-failed":
                    if (activities.TryGetValue(happened.Name ?? "", out var begun) && begun.TryDequeue(out var at))
                    {
                        yield return (at, happened.At);
                    }

                    break;
                case "timer-set":
                    timers[FireTime(happened)] = happened.At;
                    break;
                case "timer-fired":
                    if (timers.Remove(FireTime(happened), out var set))
                    {
                        yield return (set, happened.At);
                    }

                    break;
            }
        }
    }

    // The sentence names the time the timer fires at: the same in "set" and in "fired".
    private static string FireTime(HistoryEventView timer) =>
        timer.Text.Split(' ').FirstOrDefault(word => word.Length > 10 && char.IsAsciiDigit(word[0])) is { } word ? word.TrimEnd('.') : timer.Text;

    /// <summary>The lines for people, each beside its limit.</summary>
    public IEnumerable<string> Lines()
    {
        yield return "Numbers";
        yield return $"  memory of the server at rest     {MemoryAtRestBytes / 1_000_000.0:0} MB (limit 150 MB); {MemoryAfterBytes / 1_000_000.0:0} MB after the maintenance";
        yield return $"  own time of the orchestration    {OwnTime.TotalSeconds:0.00} s of {WallTime.TotalSeconds:0.0} s = {OverheadPercent:0.0} % (limit 5 %)";
        yield return $"  events in all histories          {HistoryEvents}";
        yield return $"  start of the server process      {StartUp.TotalSeconds:0.0} s until it served";
    }
}

using Drydock.Cli.Output;

namespace Drydock.Cli.Demo;

/// <summary>One kill of the server and what came after.</summary>
/// <param name="Moment">When it was killed, for people: "in the middle of the eviction".</param>
/// <param name="Scene">What the cluster looked like at that moment.</param>
/// <param name="UpAfter">From the kill until the new process served.</param>
/// <param name="MovedAfter">From there until an activity asked the API server for something again.</param>
/// <param name="StepsKept">Finished activities in the history at the kill.</param>
/// <param name="StepsChanged">Events of the history before the kill that are different or missing after it: none, if nothing was repeated.</param>
/// <param name="Deadlines">Each deadline before the kill and after it.</param>
internal sealed record CrashReport(
    string Moment,
    string Scene,
    TimeSpan UpAfter,
    TimeSpan MovedAfter,
    IReadOnlyList<string> StepsKept,
    int StepsChanged,
    IReadOnlyList<DeadlinePair> Deadlines)
{
    /// <summary>The history went on from where it was, and every deadline is the old one.</summary>
    public bool IsGood => StepsChanged == 0 && Deadlines.All(deadline => deadline.IsSame);

    /// <summary>The lines for people.</summary>
    public IEnumerable<string> Lines()
    {
        yield return $"  SIGKILL {Moment} ({Scene})";
        yield return $"    served again after {Elapsed.Format(UpAfter)}, the maintenance moved {Elapsed.Format(MovedAfter)} later (limit 3 s)";
        yield return $"    {Proof.Mark(StepsChanged == 0)} not repeated: {StepsText()}";
        foreach (var deadline in Deadlines)
        {
            yield return $"    {Proof.Mark(deadline.IsSame)} deadline of {deadline.Of}: {deadline.Before.UtcDateTime:HH:mm:ss.fff}Z before, {deadline.After.UtcDateTime:HH:mm:ss.fff}Z after";
        }
    }

    private string StepsText() => StepsKept.Count == 0
        ? "no activity was finished yet"
        : $"{StepsKept.Count} finished activities stand as they were ({string.Join(", ", StepsKept.GroupBy(name => name).Select(group => group.Count() == 1 ? group.Key : $"{group.Key} ×{group.Count()}"))})";
}

/// <summary>One deadline before a kill and after it.</summary>
internal sealed record DeadlinePair(string Of, DateTimeOffset Before, DateTimeOffset After)
{
    /// <summary>It is the old one.</summary>
    public bool IsSame => Before == After;
}

using System.Text.Json;
using Drydock.Maintenance.Drain;

namespace Drydock.Maintenance;

/// <summary>What an activity of a drain was asked and answered, from the history.</summary>
/// <param name="Activity">Its name.</param>
/// <param name="Input">What it was asked, as JSON.</param>
/// <param name="Result">What it answered, as JSON.</param>
/// <param name="At">When.</param>
public sealed record DrainAnswer(string Activity, string? Input, string? Result, DateTimeOffset At);

/// <summary>
/// All pods of a drain, under way or over. Its custom status has room for the longest blockers only (design D13); the answers of its
/// activities have them all, and so has its output.
/// </summary>
public static class DrainPods
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>The pods as the drain itself knows them after these answers.</summary>
    /// <param name="input">The input of the drain's present generation, as JSON.</param>
    /// <param name="answers">What its activities answered since, in order.</param>
    public static IReadOnlyList<PodResult> Read(string? input, IEnumerable<DrainAnswer> answers)
    {
        ArgumentNullException.ThrowIfNull(answers);
        if (input is null || JsonSerializer.Deserialize<DrainInput>(input, Json) is not { } drain)
        {
            return [];
        }

        var state = drain.State;
        foreach (var answer in answers.Where(static answer => answer.Result is not null))
        {
            if (answer.Activity == Activities.AwaitPods && JsonSerializer.Deserialize<PodsSeen>(answer.Result!, Json) is { } seen)
            {
                state = DrainBook.Seen(state, seen, drain.Policy);
            }
            else if (answer.Activity == Activities.EvictPods && JsonSerializer.Deserialize<PodsEvicted>(answer.Result!, Json) is { } tried)
            {
                state = DrainBook.Tried(state, tried, isForced: false, answer.At);
            }
        }

        return [.. state.Pods.Select(DrainTelling.ResultOf)];
    }

    /// <summary>The pods as the drain knew them when it ended; null if it was ended by a fault or by force.</summary>
    /// <param name="output">Its output, as JSON.</param>
    public static IReadOnlyList<PodResult>? ReadEnd(string? output) => output is null ? null : JsonSerializer.Deserialize<DrainResult>(output, Json)?.Pods;
}

using Drydock.DurableTask;

namespace Drydock.Benchmarks.Engine;

/// <summary>What our engine runs: the same as the scripts of the peers.</summary>
internal static class Workloads
{
    public const string Chain = "chain";
    public const string Fan = "fan";
    public const string Pause = "pause";
    public const string Long = "long";
    private const string One = "one";
    private const string Mark = "mark";

    public static void Register(DurableTaskRegistry tasks, Marks marks)
    {
        tasks.AddActivityFunc<int, int>(One, (_, value) => value + 1);
        tasks.AddActivityFunc<int, int>(Mark, (_, value) => marks.Set(value));
        tasks.AddOrchestratorFunc<int>(Chain, context => StepsAsync(context, 5, 0));
        tasks.AddOrchestratorFunc<int, long>(Fan, async (context, width) =>
        {
            var all = await Task.WhenAll(Enumerable.Range(0, width).Select(i => context.CallActivityAsync<int>(One, i)));
            return all.Sum(value => (long)value);
        });
        tasks.AddOrchestratorFunc<int, int>(Pause, async (context, milliseconds) =>
        {
            var two = await StepsAsync(context, 2, 0);
            await context.CreateTimer(TimeSpan.FromMilliseconds(milliseconds), CancellationToken.None);
            return await StepsAsync(context, 3, two);
        });
        tasks.AddOrchestratorFunc<LongRun, int>(Long, RunLongAsync);
    }

    /// <summary>Makes a history of a length, and then takes steps one after the other between two marks.</summary>
    private static async Task<int> RunLongAsync(TaskOrchestrationContext context, LongRun run)
    {
        // A step of a wide fan-out makes two events, and a few more for each turn.
        const int width = 500;
        for (var left = run.Events / 2; left > 0; left -= width)
        {
            await Task.WhenAll(Enumerable.Range(0, Math.Min(left, width)).Select(i => context.CallActivityAsync<int>(One, i)));
        }

        await context.CallActivityAsync<int>(Mark, 0);
        var end = await StepsAsync(context, run.Steps, 0);
        await context.CallActivityAsync<int>(Mark, 1);
        return end;
    }

    private static async Task<int> StepsAsync(TaskOrchestrationContext context, int count, int value)
    {
        for (var i = 0; i < count; i++)
        {
            value = await context.CallActivityAsync<int>(One, value);
        }

        return value;
    }
}

/// <summary>A long history to make, and the steps to measure after it.</summary>
internal sealed record LongRun(int Events, int Steps);

/// <summary>Processor and wall time between two moments of an orchestration.</summary>
internal sealed class Marks
{
    private readonly TimeSpan[] _processor = new TimeSpan[2];
    private readonly long[] _at = new long[2];

    public double ProcessorMilliseconds => (_processor[1] - _processor[0]).TotalMilliseconds;

    public double WallMilliseconds => TimeProvider.System.GetElapsedTime(_at[0], _at[1]).TotalMilliseconds;

    public int Set(int mark)
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        _processor[mark] = process.TotalProcessorTime;
        _at[mark] = TimeProvider.System.GetTimestamp();
        return mark;
    }
}

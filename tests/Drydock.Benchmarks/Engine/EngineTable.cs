using System.Globalization;

namespace Drydock.Benchmarks.Engine;

/// <summary>The figures of a run as the tables of RESULTS.md, each beside its target.</summary>
internal sealed class EngineTable(
    IReadOnlyCollection<(string Engine, string Figure, double Value)> values, IReadOnlyDictionary<string, string> absent, IReadOnlyCollection<double> syncs)
{
    public const string Chains = "W1: 500 × 5 sequential steps, steps/s";
    public const string Processor = "W1: processor time per step, ms";
    public const string Fan = "W2: 1,000 parallel steps, steps/s";
    public const string Alone = "W3: 5 sequential steps alone, p50 ms";
    public const string Crash = "W4: 100 crashed instances, s from spawn to the last end";
    public const string Memory = "W1: memory of the engine right after it, MB";
    public const string MemoryWaiting = "memory with 2,000 waiting instances, MB";
    public const string MemoryOfOne = "memory for each waiting instance, KB";
    public const string Short = "processor ms per step, history of 100";
    public const string Long = "processor ms per step, history of 100,000";
    public const string WallSuffix = " (wall)";
    public const string Foreign = "gRPC, 1,000 parallel activities, activities/s";
    public const string ForeignHub = "gRPC, processor ms per activity in the hub";
    public const string ForeignWorker = "gRPC, processor ms per activity in the foreign worker";
    private const string Ours = "Drydock";

    private bool _isKept = true;

    /// <summary>Writes all of them.</summary>
    /// <returns>Whether every target is kept.</returns>
    public async Task<bool> WriteAsync(TextWriter output)
    {
        var engines = values.Select(value => value.Engine).Distinct().Where(engine => Has(engine, Chains)).ToList();
        await output.WriteLineAsync();
        await output.WriteLineAsync($"fsync of this machine meanwhile: median {Text(Median(syncs))} ms ({Text(syncs.Min())} to {Text(syncs.Max())})");
        foreach (var (engine, why) in absent)
        {
            await output.WriteLineAsync($"{engine} did not take part: {why}");
        }

        await output.WriteLineAsync($"\n| median (lowest to highest) | {string.Join(" | ", engines)} | target |");
        await output.WriteLineAsync($"|---|{string.Concat(engines.Select(_ => "---|"))}---|");
        foreach (var figure in new[] { Chains, Fan, Alone, Crash, Processor, Memory, MemoryWaiting, MemoryOfOne })
        {
            await output.WriteLineAsync($"| {figure} | {string.Join(" | ", engines.Select(engine => Cell(engine, figure)))} | {Target(figure, engines)} |");
        }

        await output.WriteLineAsync("\n| | median (lowest to highest) | target |\n|---|---|---|");
        foreach (var figure in new[] { Short, Long, Short + WallSuffix, Long + WallSuffix, Foreign, ForeignHub, ForeignWorker })
        {
            var engine = Has(Ours, figure) ? Ours : "JavaScript worker";
            await output.WriteLineAsync($"| {figure} | {Cell(engine, figure)} | {Target(figure, engines)} |");
        }

        return _isKept;
    }

    private string Target(string figure, List<string> engines) => !Has(figure == Foreign ? "JavaScript worker" : Ours, figure) ? "" : figure switch
    {
        Chains => $"≥ 10,000: {Verdict(Of(Ours, Chains) >= 10_000)}{Peer(engines)}",
        Fan => $"≥ 10,000: {Verdict(Of(Ours, Fan) >= 10_000)}",
        Alone => $"≤ 6 × fsync + 2 ms = {Text((6 * Median(syncs)) + 2)}: {Verdict(Of(Ours, Alone) <= (6 * Median(syncs)) + 2)}; below every peer: {Verdict(engines.Where(engine => engine != Ours).All(engine => Of(Ours, Alone) < Of(engine, Alone)))}",
        Crash => $"≤ 1.5: {Verdict(Of(Ours, Crash) <= 1.5)}",
        Processor => $"≤ 0.12: {Verdict(Of(Ours, Processor) <= 0.12)}",
        Long => $"≤ 1.2 × that of 100 ({Text(Of(Ours, Long) / Of(Ours, Short))} ×): {Verdict(Of(Ours, Long) <= 1.2 * Of(Ours, Short))}",
        Foreign => $"≥ 1,500: {Verdict(Of("JavaScript worker", Foreign) >= 1500)}",
        _ => "",
    };

    private string Peer(List<string> engines) => engines.Contains("Restate")
        ? $"; ≥ 8 × Restate ({Text(Of(Ours, Chains) / Of("Restate", Chains))} ×): {Verdict(Of(Ours, Chains) >= 8 * Of("Restate", Chains))}" : "";

    private bool Has(string engine, string figure) => values.Any(value => value.Engine == engine && value.Figure == figure);

    private double Of(string engine, string figure)
    {
        var all = values.Where(value => value.Engine == engine && value.Figure == figure).Select(value => value.Value).ToList();
        return all.Count == 0 ? double.NaN : Median(all);
    }

    private string Cell(string engine, string figure)
    {
        var all = values.Where(value => value.Engine == engine && value.Figure == figure).Select(value => value.Value).ToList();
        return all.Count == 0 ? "–" : $"{Text(Median(all))} ({Text(all.Min())} to {Text(all.Max())})";
    }

    private static double Median(IEnumerable<double> all)
    {
        var ordered = all.Order().ToList();
        return ordered.Count == 0 ? double.NaN : ordered[ordered.Count / 2];
    }

    private string Verdict(bool kept)
    {
        _isKept &= kept;
        return kept ? "kept" : "**missed**";
    }

    private static string Text(double value) => value.ToString(
        value switch { >= 100 => "#,0", >= 10 => "0.0", >= 1 => "0.00", _ => "0.000" }, CultureInfo.InvariantCulture);
}

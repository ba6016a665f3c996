using System.Globalization;

namespace Drydock.Benchmarks;

/// <summary>A figure, and what it may be at the most.</summary>
internal sealed record Figure(string Name, double? Limit, double Value)
{
    /// <summary>The limit is what it must be at the least.</summary>
    public bool AtLeast { get; init; }

    /// <summary>It has a limit, and does not keep it; what could not be measured keeps none.</summary>
    public bool IsMissed => Limit is { } limit && !(AtLeast ? Value >= limit : Value <= limit);

    /// <summary>Whether the limit is kept, in words; empty without a limit.</summary>
    public string Verdict => Limit is not { } limit ? ""
        : string.Create(CultureInfo.InvariantCulture, $"{(AtLeast ? "at least" : "limit")} {limit:0.##}, {(IsMissed ? "MISSED" : "kept")}");

    /// <summary>Writes the median of the figures of each name, with the lowest and the highest; all of them, whatever their limits say.</summary>
    /// <returns>What the program ends with: 1 if a median misses its limit.</returns>
    public static async Task<int> WriteAsync(IEnumerable<Figure> figures, TextWriter output)
    {
        var code = 0;
        foreach (var values in figures.GroupBy(static figure => figure.Name).Select(static figure => figure.OrderBy(static one => one.Value).ToList()))
        {
            var median = values[values.Count / 2];
            code = median.IsMissed ? 1 : code;
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"{median.Name,-96} {median.Value,8:0.0#}  ({values[0].Value:0.0#} to {values[^1].Value:0.0#})  {median.Verdict}"));
        }

        return code;
    }
}

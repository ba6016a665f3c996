using Drydock.Benchmarks;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Benchmarks;

/// <summary>What the benchmarks write and end with.</summary>
public sealed class FigureTests
{
    [Fact]
    public async Task They_end_with_0_when_every_median_keeps_its_limit()
    {
        var (code, lines) = await WriteAsync(new("time", 4, 3), new("time", 4, 5), new("time", 4, 4), new("rate", 3.5, 3.5) { AtLeast = true }, new("told", null, 1e9));

        code.ShouldBe(0);
        lines.Count.ShouldBe(3);
        lines[0].ShouldMatch(@"^time +4\.0  \(3\.0 to 5\.0\)  limit 4, kept$");
        lines[1].ShouldEndWith("at least 3.5, kept");
        lines[2].ShouldEndWith("(1000000000.0 to 1000000000.0)  ");
    }

    [Theory]
    [InlineData(4, 4.1, false)]
    [InlineData(3.5, 3.4, true)]
    [InlineData(4, double.NaN, false)]
    [InlineData(3.5, double.NaN, true)]
    public async Task They_end_with_1_when_a_limit_is_missed_and_all_figures_are_written_all_the_same(double limit, double value, bool atLeast)
    {
        var (code, lines) = await WriteAsync(new("before", 1, 1), new("missed", limit, value) { AtLeast = atLeast }, new("after", 1, 1));

        code.ShouldBe(1);
        lines.Count.ShouldBe(3);
        lines.Count(line => line.EndsWith("MISSED", StringComparison.Ordinal)).ShouldBe(1);
        lines[1].ShouldStartWith("missed");
    }

    private static async Task<(int Code, List<string> Lines)> WriteAsync(params Figure[] figures)
    {
        var output = new StringWriter { NewLine = "\n" };
        var code = await Figure.WriteAsync(figures, output);
        return (code, [.. output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)]);
    }
}

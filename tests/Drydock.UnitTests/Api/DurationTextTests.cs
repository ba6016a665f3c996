using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Api;

public sealed class DurationTextTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("90s", 90)]
    [InlineData("10m", 600)]
    [InlineData("1h30m", 5400)]
    [InlineData("2d", 172800)]
    [InlineData("PT10M", 600)]
    [InlineData("pt1h", 3600)]
    public void A_duration_is_read_as_people_write_it(string text, int seconds)
    {
        DurationText.TryParse(text, out var duration).ShouldBeTrue();

        duration.ShouldBe(TimeSpan.FromSeconds(seconds));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("m")]
    [InlineData("30m1h")]
    [InlineData("1h1h")]
    [InlineData("-5m")]
    [InlineData("-PT5M")]
    [InlineData("PT")]
    [InlineData("1.5h")]
    [InlineData("٣m")]
    [InlineData("99999999d")]
    [InlineData("99999999999999999999s")]
    [InlineData("P1000Y")]
    public void Anything_else_is_not_a_duration(string? text) => DurationText.TryParse(text, out _).ShouldBeFalse();

    [Theory]
    [InlineData("1h30m")]
    [InlineData("2d1s")]
    [InlineData("0s")]
    public void What_is_written_is_read_again(string text)
    {
        DurationText.TryParse(text, out var duration).ShouldBeTrue();

        DurationText.Format(duration).ShouldBe(text);
    }
}

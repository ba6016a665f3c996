using Drydock.DurableTask.Worker;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Worker;

public sealed class ActivityInputTests
{
    [Theory]
    [InlineData("[\"x\"]", "\"x\"")]
    [InlineData("[5]", "5")]
    [InlineData("[[1,2]]", "[1,2]")]
    [InlineData("[null]", "null")]
    [InlineData(" [ {\"a\": [1, 2]} ] ", "{\"a\": [1, 2]}")]
    [InlineData("[\"ü\"]", "\"ü\"")]
    public void An_array_of_one_is_what_the_official_SDK_puts_around_an_input(string wire, string input) =>
        ActivityRuns.Unwrap(wire).ShouldBe(input);

    [Theory]
    [InlineData(null)]
    [InlineData("5")]
    [InlineData("\"[x]\"")]
    [InlineData("{\"a\":[1]}")]
    [InlineData("[]")]
    [InlineData("[1,2]")]
    public void Anything_else_is_an_input_of_another_SDK_and_stays(string? wire) => ActivityRuns.Unwrap(wire).ShouldBe(wire);
}

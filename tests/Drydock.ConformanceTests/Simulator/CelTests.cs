using System.Text.Json.Nodes;
using Drydock.Simulator.Cel;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>The expressions that rules of custom resources are written in. Meaning: cel-spec, langdef.md.</summary>
public sealed class CelTests
{
    private const string Self =
        """
        {"name":"node-7","replicas":3,"ratio":0.5,"on":true,"tags":["a","b"],"limits":{"cpu":"2"},"my-field":1,"namespace":"x",
         "items":[{"name":"one","size":1},{"name":"two","size":2}],"since":"2026-01-01T00:00:00Z","nothing":null}
        """;

    [Theory]
    [InlineData("self.replicas == 3 && self.name != 'node-8'")]
    [InlineData("self.replicas > 2 || self.missing == 1")]
    [InlineData("self.missing == 1 || self.replicas > 2")]
    [InlineData("!(self.replicas < 1) && (self.on ? self.replicas >= 3 : false)")]
    [InlineData("has(self.name) && !has(self.missing) && has(self.nothing)")]
    [InlineData("has(self.limits.cpu) && !has(self.limits.memory)")]
    [InlineData("self.name in ['node-7', 'node-9'] && !('c' in self.tags) && 'cpu' in self.limits")]
    [InlineData("size(self.name) == 6 && self.tags.size() == 2 && size(self.limits) == 1")]
    [InlineData(@"self.name.matches('^node-[0-9]+$') && self.name.matches(r'\d') && !self.name.matches('^[0-9]')")]
    [InlineData("self.name.startsWith('node') && self.name.endsWith(\"-7\") && self.name.contains('de-')")]
    [InlineData("self.items.all(i, i.size > 0) && self.items.exists(i, i.name == 'two') && self.items.exists_one(i, i.size == 1)")]
    [InlineData("self.items.filter(i, i.size > 1).map(i, i.name) == ['two'] && self.items.map(i, i.size > 1, i.name)[0] == 'two'")]
    [InlineData("self.items.exists(i, i.missing == 1 || i.size == 2)")]
    [InlineData("1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 / 2 == 3 && 7 % 2 == 1 && -3 < -2 && 2.5 * 2.0 == 5.0")]
    [InlineData("self.ratio < 1 && 1 == 1.0 && 'a' + 'b' == 'ab' && [1] + [2] == [1, 2]")]
    [InlineData("self.tags[1] == 'b' && self.limits['cpu'] == '2' && {'a': 1}.a == 1 && {'a': 1} == {'a': 1}")]
    [InlineData("self.my__dash__field == 1 && self.__namespace__ == 'x'")]
    [InlineData("int(self.limits.cpu) == 2 && string(self.replicas) == '3' && double('1.5') > 1.0")]
    [InlineData("duration('1h30m') > duration('89m') && timestamp(self.since) + duration('1h') == timestamp('2026-01-01T01:00:00Z')")]
    [InlineData("self.name.split('-').join('_') == 'node_7' && self.name.replace('-', '') == 'node7' && self.tags.indexOf('b') == 1")]
    [InlineData("self.nothing == null && self.name.upperAscii() == 'NODE-7' && [3, 1].min() == 1 && [3, 1].sum() == 4 && [1, 3].isSorted()")]
    [InlineData("true || 1 / 0 == 1 // what decides is enough")]
    public void A_rule_holds(string rule) =>
        CelExpression.Parse(rule).Evaluate(("self", CelValue.Of(JsonNode.Parse(Self), null))).ShouldBe(true);

    [Theory]
    [InlineData("self.missing == 1", "no such key: missing")]
    [InlineData("self.tags[2] == 'c'", "index out of bounds: 2")]
    [InlineData("self.replicas / 0 == 1", "division by zero")]
    [InlineData("9223372036854775807 + self.replicas > 0", "integer overflow")]
    [InlineData("self.name < self.replicas", "no such overload: _<_")]
    [InlineData("self.items.all(i, i.missing == 1)", "no such key: missing")]
    public void A_rule_without_a_value_says_why(string rule, string why) =>
        Should.Throw<CelException>(() => CelExpression.Parse(rule).Evaluate(("self", CelValue.Of(JsonNode.Parse(Self), null)))).Message.ShouldBe(why);

    [Theory]
    [InlineData("self.a ==", "Syntax error at 10: unexpected end of the expression")]
    [InlineData("self.a = 1", "Syntax error at 8: token recognition error at: '='")]
    [InlineData("(self.a", "Syntax error at 8: unexpected end of the expression")]
    [InlineData("url('x').getHost() == 'x'", "undeclared reference to 'url' (in container '')")]
    [InlineData("has(self)", "invalid argument to has() macro")]
    public void A_rule_that_cannot_be_read_says_where(string rule, string why) =>
        Should.Throw<CelException>(() => CelExpression.Parse(rule)).Message.ShouldBe(why);

    [Fact]
    public void A_rule_that_compares_with_the_past_is_known_as_such()
    {
        CelExpression.Parse("self.a == oldSelf.a").Mentions("oldSelf").ShouldBeTrue();
        CelExpression.Parse("self.all(i, i.oldSelf == 1)").Mentions("oldSelf").ShouldBeFalse();
    }
}

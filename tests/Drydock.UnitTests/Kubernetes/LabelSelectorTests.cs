using Drydock.Kubernetes;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes;

/// <summary>Selectors as kubectl takes them.</summary>
public sealed class LabelSelectorTests
{
    private static readonly Dictionary<string, string> Labels = new() { ["app"] = "web", ["example.com/tier"] = "front", ["empty"] = "" };

    [Theory]
    [InlineData("app", true)]
    [InlineData("!app", false)]
    [InlineData("app=web", true)]
    [InlineData("app==web", true)]
    [InlineData("app = web , example.com/tier", true)]
    [InlineData("app!=web", false)]
    [InlineData("other!=web", true)]
    [InlineData("app in (api, web)", true)]
    [InlineData("app notin (api,web)", false)]
    [InlineData("app in (api,db),example.com/tier=front", false)]
    [InlineData("empty=", true)]
    public void A_selector_matches_as_kubectl_matches_it(string text, bool matches) =>
        LabelSelector.Parse(text).ShouldNotBeNull(text).Matches(Labels).ShouldBe(matches);

    [Theory]
    [InlineData("")]
    [InlineData("app=web,")]
    [InlineData("app in web")]
    [InlineData("app=a b")]
    [InlineData("-app")]
    [InlineData("app~web")]
    public void Anything_else_is_no_selector(string text) => LabelSelector.Parse(text).ShouldBeNull();
}

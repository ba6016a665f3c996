using Drydock.Kubernetes;
using Drydock.Maintenance.Rollouts;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>Which nodes have a kubelet that is older than asked.</summary>
public sealed class NodeSelectionTests
{
    private static readonly IReadOnlyList<NodeSnapshot> Mixed =
    [
        Node("k3s", "v1.32.9+k3s1"), Node("minor", "v1.33.0"), Node("next", "v1.34.0"), Node("odd", "unknown"), Node("old", "v1.9.11"),
        Node("patch", "v1.33.10"), Node("plain", "1.33.2"), Node("silent", null), Node("test", "v1.33.2-gke.1234"),
    ];

    [Theory]
    [InlineData("v1.9.11", "")]
    [InlineData("v1.10.0", "old")]
    [InlineData("v1.32.9", "old")]
    [InlineData("v1.32.10", "k3s old")]
    [InlineData("v1.32.10+k3s2", "k3s old")]
    [InlineData("v1.33", "k3s old")]
    [InlineData("1.33.2", "k3s minor old")]
    [InlineData("v1.33.3", "k3s minor old plain test")]
    [InlineData("v1.34.0", "k3s minor old patch plain test")]
    [InlineData("v2.0.0", "k3s minor next old patch plain test")]
    public void Versions_are_compared_by_their_numbers_and_a_kubelet_that_says_none_is_left_alone(string below, string selected) =>
        string.Join(' ', NodeSelection.Select(Mixed, [], null, below).Select(node => node.Name)).ShouldBe(selected);

    [Fact]
    public void It_narrows_what_is_chosen_by_name_or_label_and_keeps_the_order()
    {
        NodeSelection.Select(Mixed, ["plain", "next", "gone", "old", "plain"], null, "v1.34.0").Select(node => node.Name).ShouldBe(["plain", "old"]);
        NodeSelection.Select(Mixed, [], "name in (old,next)", "v1.34.0").Select(node => node.Name).ShouldBe(["old"]);
        NodeSelection.Select(Mixed, [], null, null).Count.ShouldBe(Mixed.Count);
    }

    [Theory]
    [InlineData("latest")]
    [InlineData("v1")]
    [InlineData("v1.33.x")]
    [InlineData("v1.33.0.1")]
    [InlineData("")]
    public void What_is_no_version_is_said_and_selects_nothing(string below)
    {
        NodeSelection.ReadVersion(below).ShouldBeNull();
        Should.Throw<FormatException>(() => NodeSelection.Select(Mixed, [], null, below)).Message.ShouldBe($"'{below}' is no version.");
    }

    private static NodeSnapshot Node(string name, string? kubelet) => new(name, "u-" + name, "1")
    {
        KubeletVersion = kubelet,
        Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["name"] = name },
    };
}

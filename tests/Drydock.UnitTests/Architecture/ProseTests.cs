using System.Text.RegularExpressions;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Architecture;

/// <summary>Prose beside code rots unless a test reads it.</summary>
public sealed partial class ProseTests
{
    [Theory]
    [InlineData("README.md")]
    [InlineData("src/README.md")]
    public void Every_path_that_the_prose_names_exists(string page)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, page))!;
        var paths = PathPattern().Matches(Repository.Read(page)).Select(match => match.Groups["path"].Value);

        paths.Where(path => !Exists(Repository.Root, path) && !Exists(folder, path)).ShouldBeEmpty();
    }

    [Fact]
    public void Every_type_that_the_map_names_exists()
    {
        var sources = string.Join('\n', Repository.Files("src", "*.cs").Concat(Repository.Files("workflows", "*.cs")).Select(File.ReadAllText));
        var types = TypePattern().Matches(Repository.Read("src/README.md")).Select(match => match.Groups["type"].Value).Distinct();

        types.Where(type => !sources.Contains(" " + type, StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private static bool Exists(string folder, string path) =>
        File.Exists(Path.Combine(folder, path)) || Directory.Exists(Path.Combine(folder, path));

    [GeneratedRegex("`(?<path>(src|workflows|tests|infra)/[^`* ]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PathPattern();

    [GeneratedRegex("`(?<type>I?[A-Z][a-z]+[A-Z]\\w+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TypePattern();
}

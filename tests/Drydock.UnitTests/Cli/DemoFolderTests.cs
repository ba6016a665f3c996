using Drydock.Cli.Demo;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Cli;

/// <summary>A demonstration removes what killed ones left, and nothing else.</summary>
public sealed class DemoFolderTests
{
    [Fact]
    public void The_folder_of_a_demonstration_under_way_is_left_alone_by_another()
    {
        using var one = DemoFolder.Create();
        using var other = DemoFolder.Create();

        Directory.Exists(one.Path).ShouldBeTrue();
        DemoFolder.IsLeft(one.Path).ShouldBeFalse();
    }

    [Fact]
    public void The_folder_of_a_killed_demonstration_is_removed_by_the_next_one()
    {
        var left = Directory.CreateTempSubdirectory("drydock-demo-").FullName;
        File.WriteAllText(Path.Combine(left, "owner"), "");

        using (DemoFolder.Create())
        {
            Directory.Exists(left).ShouldBeFalse();
        }
    }

    [Fact]
    public void A_folder_that_nobody_marked_is_left_alone()
    {
        var foreign = Directory.CreateTempSubdirectory("drydock-demo-").FullName;

        using (DemoFolder.Create())
        {
            Directory.Exists(foreign).ShouldBeTrue();
        }

        Directory.Delete(foreign);
    }
}

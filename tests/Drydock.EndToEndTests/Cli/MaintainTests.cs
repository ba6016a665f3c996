using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Cli;

/// <summary><c>maintain</c> against a cluster behind HTTP: killed, interrupted, cancelled, and done.</summary>
public sealed class MaintainTests
{
    [Fact]
    public async Task Killed_in_the_middle_the_same_command_goes_on_and_repeats_nothing()
    {
        await using var cluster = await LiveCluster.StartAsync(copy: TimeSpan.FromSeconds(8));
        await using (var first = cluster.Start("maintain", cluster.Node, "--yes", "--stable-for", "1s"))
        {
            await first.WaitForAsync("migration Running");
            await first.KillAsync();
        }

        cluster.IsCordoned().ShouldBeTrue();
        var (code, output, error) = await cluster.RunAsync("maintain", cluster.Node, "--yes");

        code.ShouldBe(0, output + error);
        output.ShouldContain("going on from step Drain");
        cluster.Cluster.Check().ShouldAllBe(check => check.Ok);
        cluster.Evictions().ShouldNotBeEmpty();
        cluster.Evictions().Values.ShouldAllBe(times => times == 1);
    }

    [Fact]
    public async Task Ctrl_C_says_what_stays_changed_and_cancel_puts_it_back()
    {
        await using var cluster = await LiveCluster.StartAsync(copy: TimeSpan.FromSeconds(8));
        await using (var first = cluster.Start("maintain", cluster.Node, "--yes"))
        {
            await first.WaitForAsync("migration Running");
            await first.InterruptAsync();

            (await first.WaitForExitAsync()).ShouldBe(130, first.Output + first.Error);
            first.Output.ShouldContain($"Node {cluster.Node} is cordoned and marked");
            first.Output.ShouldContain($"drydock maintain {cluster.Node} --kubeconfig {cluster.Kubeconfig} --cancel");
        }

        cluster.IsCordoned().ShouldBeTrue();
        var (code, output, error) = await cluster.RunAsync("maintain", cluster.Node, "--cancel");

        code.ShouldBe(0, output + error);
        output.ShouldContain("cancelled");
        cluster.IsCordoned().ShouldBeFalse();
    }

    [Fact]
    public async Task Without_its_database_restore_puts_the_node_back_from_its_marks()
    {
        await using var cluster = await LiveCluster.StartAsync(copy: TimeSpan.FromSeconds(8));
        await using (var first = cluster.Start("maintain", cluster.Node, "--yes"))
        {
            await first.WaitForAsync("migration Running");
            await first.KillAsync();
        }

        Directory.Delete(Path.Combine(cluster.Folder, "drydock"), recursive: true);
        var (code, output, error) = await cluster.RunAsync("restore", cluster.Node, "--even-if-running");

        code.ShouldBe(0, output + error);
        cluster.IsCordoned().ShouldBeFalse();
    }

    [Fact]
    public async Task A_plan_lists_every_pod_and_VM_and_changes_nothing()
    {
        await using var cluster = await LiveCluster.StartAsync();

        var (code, output, error) = await cluster.RunAsync("plan", cluster.Node);

        code.ShouldBe(0, error);
        output.ShouldContain("shop/queue-0");
        output.ShouldContain("migrates  vms/database");
        cluster.Changes().ShouldBeEmpty();
    }
}

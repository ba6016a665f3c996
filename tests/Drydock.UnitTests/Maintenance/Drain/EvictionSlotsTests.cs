using Drydock.Maintenance.Drain;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance.Drain;

/// <summary>How many evictions are under way at once: of a node, of the process, of a budget.</summary>
public sealed class EvictionSlotsTests
{
    [Theory]
    [InlineData(50, 3, 2, 6)]
    [InlineData(4, 3, 2, 4)]
    public async Task No_more_are_under_way_than_the_nodes_and_the_process_allow(int ofProcess, int ofNode, int nodes, int most)
    {
        using var slots = new EvictionSlots(ofProcess);
        var entered = Enumerable.Range(0, 40).Select(number => slots.EnterAsync($"node-{number % nodes}", ofNode, null, CancellationToken.None)).ToList();

        entered.Count(one => one.IsCompleted).ShouldBe(most);
        for (var done = 0; done < entered.Count; done++)
        {
            (await entered.First(one => one.IsCompletedSuccessfully && entered.Remove(one))).Dispose();
            await Task.Yield();
            entered.Count(one => one.IsCompleted).ShouldBeLessThanOrEqualTo(most);
        }
    }

    [Fact]
    public async Task Of_one_budget_a_single_one_is_under_way_on_whichever_nodes_and_who_waits_for_it_takes_no_place()
    {
        using var slots = new EvictionSlots(3);
        var first = slots.EnterAsync("node-1", 10, "shop/web", CancellationToken.None);
        var second = slots.EnterAsync("node-2", 10, "shop/web", CancellationToken.None);

        (first.IsCompleted, second.IsCompleted).ShouldBe((true, false));
        using var other = await slots.EnterAsync("node-2", 10, "shop/api", CancellationToken.None);
        using var free = await slots.EnterAsync("node-2", 10, null, CancellationToken.None);
        (await first).Dispose();
        (await second).Dispose();
    }
}

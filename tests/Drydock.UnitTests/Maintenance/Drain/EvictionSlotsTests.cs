using Drydock.Kubernetes;
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
        var slots = new EvictionSlots(ofProcess);
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
    public void What_a_version_of_a_budget_allowed_is_spent_when_that_much_was_taken_of_it_a_moment_ago()
    {
        var now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var budget = new BudgetSnapshot(new ObjectRef("shop", "web"), LabelSelector.Everything) { DisruptionsAllowed = 2, ResourceVersion = "7" };
        var slots = new EvictionSlots();

        slots.Took(budget, now);
        slots.IsSpent(budget, now).ShouldBeFalse();
        slots.Took(budget, now);

        slots.IsSpent(budget, now).ShouldBeTrue();
        slots.IsSpent(budget with { ResourceVersion = "8" }, now).ShouldBeFalse("it has changed since");
        slots.IsSpent(budget, now.AddSeconds(5)).ShouldBeFalse("what was taken did not change it");
        slots.IsSpent(budget with { DisruptionsAllowed = 0 }, now).ShouldBeFalse("a probe is sent");
    }

    [Fact]
    public void What_the_watch_says_of_a_budget_is_believed_a_moment_after_several_of_its_pods_went_in_a_row()
    {
        var now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var budget = new BudgetSnapshot(new ObjectRef("shop", "web"), LabelSelector.Everything) { DisruptionsAllowed = 10, ResourceVersion = "7" };
        var slots = new EvictionSlots();

        slots.Took(budget, now);
        slots.SettlesIn(["shop/web"], now).ShouldBeNull("of one that allows one no version between allows any");
        slots.Took(budget with { DisruptionsAllowed = 9, ResourceVersion = "8" }, now.AddMilliseconds(20));

        slots.SettlesIn(["shop/web", "shop/api"], now.AddMilliseconds(30)).ShouldBe(TimeSpan.FromMilliseconds(240));
        slots.SettlesIn(["shop/api"], now.AddMilliseconds(30)).ShouldBeNull();
        slots.SettlesIn(["shop/web"], now.AddMilliseconds(270)).ShouldBeNull();
        slots.Took(budget with { ResourceVersion = "9" }, now.AddSeconds(2));
        slots.SettlesIn(["shop/web"], now.AddSeconds(2)).ShouldBeNull("it was alone");
    }

    [Fact]
    public async Task Of_one_budget_a_single_one_is_under_way_on_whichever_nodes_and_who_waits_for_it_takes_no_place()
    {
        var slots = new EvictionSlots(3);
        var first = slots.EnterAsync("node-1", 10, "shop/web", CancellationToken.None);
        var second = slots.EnterAsync("node-2", 10, "shop/web", CancellationToken.None);

        (first.IsCompleted, second.IsCompleted).ShouldBe((true, false));
        using var other = await slots.EnterAsync("node-2", 10, "shop/api", CancellationToken.None);
        using var free = await slots.EnterAsync("node-2", 10, null, CancellationToken.None);
        (await first).Dispose();
        (await second).Dispose();
    }

    [Fact]
    public async Task Servers_of_one_hub_have_together_no_more_under_way_than_one_has_alone_and_the_last_that_is_left_has_all()
    {
        var servers = 1;
        EvictionSlots[] slots = [new(10, () => servers), new(10, () => servers), new(10, () => servers)];
        var alone = Enter(slots[0], 20);
        alone.Count(one => one.IsCompleted).ShouldBe(10);

        // Two more come: what is under way ends, and until then the first begins nothing.
        servers = 3;
        List<Task<IDisposable>>[] all = [alone, Enter(slots[1], 20), Enter(slots[2], 20)];
        for (var left = 9; left >= 3; left--)
        {
            await EndOneAsync(alone, left);
        }

        for (var done = 0; done < 20; done++)
        {
            await EndOneAsync(all[done % 3], 3);
            all.Sum(of => of.Count(one => one.IsCompleted)).ShouldBe(9);
        }

        servers = 1;
        await EndOneAsync(all[1], 10);
    }

    [Fact]
    public async Task Each_server_has_one_place_however_many_there_are_and_who_gives_up_takes_none()
    {
        var slots = new EvictionSlots(2, static () => 5);
        using var gaveUp = new CancellationTokenSource();
        var first = await slots.EnterAsync("node-1", 10, null, CancellationToken.None);
        var second = slots.EnterAsync("node-1", 10, null, gaveUp.Token);
        var third = slots.EnterAsync("node-1", 10, null, CancellationToken.None);

        (second.IsCompleted, third.IsCompleted).ShouldBe((false, false));
        await gaveUp.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(second);
        first.Dispose();
        first.Dispose();
        (await third).Dispose();
        (await slots.EnterAsync("node-1", 10, null, CancellationToken.None)).Dispose();
    }

    private static List<Task<IDisposable>> Enter(EvictionSlots slots, int count) =>
        [.. Enumerable.Range(1, count).Select(number => slots.EnterAsync($"node-{number}", 10, null, CancellationToken.None))];

    /// <summary>One ends; then that many are under way.</summary>
    private static async Task EndOneAsync(List<Task<IDisposable>> entered, int then)
    {
        var one = entered.First(static one => one.IsCompletedSuccessfully);
        entered.Remove(one);
        (await one).Dispose();

        // Whoever is let in goes on elsewhere.
        for (var look = 0; look < 1000 && entered.Count(static other => other.IsCompleted) < then; look++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, CancellationToken.None);
        }

        entered.Count(static other => other.IsCompleted).ShouldBe(then);
    }
}

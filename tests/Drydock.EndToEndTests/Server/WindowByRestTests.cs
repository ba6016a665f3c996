using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>Windows by REST against the real server and its hub: what was removed is gone, and nodes with it.</summary>
public sealed class WindowByRestTests : IAsyncLifetime
{
    private Harbour _harbour = null!;

    private CancellationToken Token { get; } = Harbour.Deadline();

    public async ValueTask InitializeAsync() => _harbour = await Harbour.OpenAsync(Token);

    public ValueTask DisposeAsync() => _harbour.DisposeAsync();

    [Fact]
    public async Task A_window_that_is_set_up_right_after_it_was_removed_stays()
    {
        var create = new WindowCreate { Name = "yearly", Cron = FarDate.Cron, Duration = "1h", Rollout = new RolloutCreate { Nodes = ["node-1"] } };
        await _harbour.Api.CreateWindowAsync(create, Token);
        for (var i = 0; i < 5; i++)
        {
            await _harbour.Api.DeleteWindowAsync("yearly", "again", Token);
            (await _harbour.Api.CreateWindowAsync(create, Token)).Next.Count.ShouldBe(3);
        }

        // Whatever was still on its way to the window of before has arrived by then.
        await _harbour.Api.DeleteWindowAsync("yearly", null, Token);
        (await Should.ThrowAsync<ApiProblemException>(() => _harbour.Api.GetWindowAsync("yearly", 1, Token))).Problem.Status.ShouldBe(404);
        await _harbour.Api.CreateWindowAsync(create, Token);
        (await _harbour.Api.ListAllWindowsAsync(Token)).ShouldHaveSingleItem().Next.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Removing_a_window_gives_back_the_node_that_it_holds()
    {
        var create = new WindowCreate
        {
            Name = "always",
            Cron = "* * * * *",
            Duration = "1h",
            Rollout = new RolloutCreate { Nodes = ["node-1"], Reason = "new fans", Maintenance = new MaintenanceSettings { Action = "Hold" } },
        };
        await _harbour.Api.CreateWindowAsync(create, Token);
        var node = "api/v1/nodes/node-1";
        await _harbour.UntilAsync(node, static one => one!["spec"]!["unschedulable"] is not null, Token);

        await _harbour.Api.DeleteWindowAsync("always", "the fans are not here", Token);
        var tooEarly = await Record.ExceptionAsync(() => _harbour.Api.CreateWindowAsync(create with { Cron = FarDate.Cron }, Token));

        // It may be gone by then, or not: but it never answers with the window that goes.
        (tooEarly as ApiProblemException)?.Problem.Detail.ShouldContain("is being removed");
        await _harbour.UntilAsync(node, static one => one!["spec"]!["unschedulable"] is null, Token);
        var rollout = (await _harbour.Api.ListAllRolloutsAsync(Token))[^1];
        (rollout.Reason, rollout.Message).ShouldBe(("new fans", rollout.Message));
        rollout.Message.ShouldStartWith($"Cancelled by {rollout.RequestedBy}: the fans are not here.");
    }
}

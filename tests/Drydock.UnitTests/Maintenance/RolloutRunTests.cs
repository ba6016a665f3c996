using Drydock.DurableTask.Converters;
using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;
using Drydock.UnitTests.DurableTask.Execution;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>What a rollout makes of orders that it finds together, because they came while it was reading the nodes.</summary>
public sealed class RolloutRunTests
{
    private static readonly NodesSeen NothingNew = new([], [], [], []);

    [Theory]
    [InlineData("resume pause retry skip")]
    [InlineData("pause resume skip retry")]
    [InlineData("skip pause retry resume")]
    public void Of_orders_that_contradict_each_other_the_one_that_leaves_nodes_alone_holds(string orders)
    {
        var status = StatusAfter(orders);

        status.IsPaused.ShouldBeTrue(status.Message);
        status.Message.ShouldStartWith("Paused by ada.");
        status.Nodes.Single(node => node.Node == "c").State.ShouldBe(RolloutNodeState.Skipped);
    }

    [Theory]
    [InlineData("retry", false, RolloutNodeState.Waiting)]
    [InlineData("resume retry", false, RolloutNodeState.Waiting)]
    [InlineData("pause retry", true, RolloutNodeState.Waiting)]
    public void Orders_that_do_not_are_all_followed(string orders, bool isPaused, RolloutNodeState state)
    {
        var status = StatusAfter(orders);

        status.IsPaused.ShouldBe(isPaused);
        status.Nodes.Single(node => node.Node == "c").State.ShouldBe(state);
    }

    [Theory]
    [InlineData(0, "", "a b")]
    [InlineData(0, "pause", "")]
    [InlineData(0, "stop", "")]
    [InlineData(0, "cancel", "")]
    [InlineData(0, "skip", "b")]
    [InlineData(1, "pause", "a")]
    [InlineData(1, "stop", "a")]
    [InlineData(1, "skip", "a b")]
    public void What_is_said_while_nodes_are_read_or_started_is_for_those_not_started(int started, string order, string taken)
    {
        var rollout = Turns.Executor<RolloutRequest, RolloutStatus>(static (context, request) => new RolloutRun(context, request).RunAsync());
        var state = new RolloutState([new("a", RolloutNodeState.Waiting, "inst1:a"), new("b", RolloutNodeState.Waiting, "inst1:b")]) { IsCanaryOver = true };
        var actions = rollout.Run(History.Start(Json(new RolloutRequest(["a", "b"]) { State = state, MaxUnavailable = 2 }))).Actions;
        var starts = new List<string>();
        for (var turn = 0; turn < 4 && actions.SingleOrDefault(static action => action.ScheduleTask is not null) is { } call; turn++)
        {
            var history = History.Later(turn + 1);
            if (turn == started)
            {
                history = order switch
                {
                    "pause" => history.Raised(RolloutEvents.Pause, Json(new Cancel("ada"))),
                    "stop" => history.Raised(RolloutEvents.Stop, Json(new Cancel("ada"))),
                    "cancel" => history.Raised(RolloutEvents.Cancel, Json(new Cancel("ada"))),
                    "skip" => history.Raised(RolloutEvents.Skip, Json(new RolloutNodeOrder("a", "ada"))),
                    _ => history,
                };
            }

            if (call.ScheduleTask.Name == Activities.StartRun)
            {
                starts.Add(JsonDataConverter.Default.Deserialize<StartRunInput[]>(call.ScheduleTask.Input)![0].Node!.Request.Node);
                actions = rollout.Run(history.ActivityCompleted(call.Id, Json(true))).Actions;
            }
            else
            {
                actions = rollout.Run(history.ActivityCompleted(call.Id, Json(NothingNew))).Actions;
            }
        }

        string.Join(' ', starts).ShouldBe(taken);
    }

    /// <summary>Node a is under maintenance and b waits for it; c was left out.</summary>
    private static RolloutStatus StatusAfter(string orders)
    {
        RolloutNode Node(string name, RolloutNodeState state) => new(name, state, $"inst1:{name}");
        var state = new RolloutState([Node("a", RolloutNodeState.UnderMaintenance), Node("b", RolloutNodeState.Waiting), Node("c", RolloutNodeState.Skipped)])
        {
            IsCanaryOver = true,
        };
        var rollout = Turns.Executor<RolloutRequest, RolloutStatus>(static (context, request) => new RolloutRun(context, request).RunAsync());
        var reads = rollout.Run(History.Start(Json(new RolloutRequest(["a", "b", "c"]) { State = state }))).Actions.ShouldHaveSingleItem();
        reads.ScheduleTask.Name.ShouldBe(Activities.ReadNodes);

        var together = orders.Split(' ').Aggregate(History.Later(1), static (history, order) => order switch
        {
            "pause" => history.Raised(RolloutEvents.Pause, Json(new Cancel("ada"))),
            "resume" => history.Raised(RolloutEvents.Resume, Json("bob")),
            "skip" => history.Raised(RolloutEvents.Skip, Json(new RolloutNodeOrder("c", "ada"))),
            _ => history.Raised(RolloutEvents.Retry, Json(new RolloutNodeOrder("c", "bob"))),
        });
        var turn = rollout.Run(together.ActivityCompleted(reads.Id, Json(NothingNew)));

        // Not paused, it reads the nodes again before it tells where it stands.
        var again = turn.Actions.FirstOrDefault(static action => action.ScheduleTask?.Name == Activities.ReadNodes);
        turn = again is null ? turn : rollout.Run(History.Later(2).ActivityCompleted(again.Id, Json(NothingNew)));
        return JsonDataConverter.Default.Deserialize<RolloutStatus>(turn.CustomStatus)!;
    }

    private static string? Json(object value) => JsonDataConverter.Default.Serialize(value);
}

using Drydock.DurableTask.Converters;
using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
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
    [InlineData("suspend go", false)]
    [InlineData("go suspend", true)]
    [InlineData("suspend go suspend", true)]
    [InlineData("suspend suspend go", false)]
    public void Pause_and_resume_are_heard_in_the_order_in_which_they_were_said(string orders, bool isPaused) => StatusAfter(orders).IsPaused.ShouldBe(isPaused);

    [Fact]
    public void A_resume_of_one_that_is_not_paused_gives_it_no_new_failure_budget()
    {
        var state = new RolloutState([new("a", RolloutNodeState.UnderMaintenance, "inst1:a")]) { IsCanaryOver = true, Failures = 1 };
        var rollout = Turns.Executor<RolloutRequest, RolloutStatus>(static (context, request) => new RolloutRun(context, request).RunAsync());
        rollout.Run(History.Start(Json(new RolloutRequest(["a"]) { State = state, FailureBudget = 2 })));
        rollout.Run(History.Later(1).Raised(RolloutEvents.Steer, Json(new Steer(SteerKind.Resume, "ada"))));

        var turn = rollout.Run(History.Later(2).Raised(ChildEvents.NodeDone, Json(new NodeDone("a", "inst1:a", MaintenanceOutcome.Failed, "It is stuck."))));

        JsonDataConverter.Default.Deserialize<RolloutStatus>(turn.CustomStatus)!.IsPaused.ShouldBeTrue("the second failure of two");
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

    [Fact]
    public void A_hub_that_is_away_when_a_node_is_to_be_started_is_asked_again()
    {
        var (rollout, start) = AboutToStart();

        var turn = rollout.Run(History.Later(2).ActivityFailed(start.Id, "The task hub did not do it: Unavailable", typeof(HubAwayException).FullName!));

        turn.Actions.ShouldHaveSingleItem().CreateTimer.ShouldNotBeNull("the pause before the next try");
    }

    [Fact]
    public void A_node_whose_maintenance_could_not_be_started_has_another_turn()
    {
        var (rollout, start) = AboutToStart();

        var turn = rollout.Run(History.Later(2).ActivityFailed(start.Id, "It is broken."));

        var status = JsonDataConverter.Default.Deserialize<RolloutStatus>(turn.CustomStatus)!;
        var node = status.Nodes.ShouldHaveSingleItem();
        (node.State, node.Attempt, node.Message).ShouldBe((RolloutNodeState.Waiting, 2, "It is broken."));
        status.WaitsFor.ShouldBe("The maintenance of a could not be started: It is broken.");
        turn.Actions.ShouldHaveSingleItem().CreateTimer.ShouldNotBeNull("it looks again");
    }

    [Fact]
    public void One_that_waits_for_somebody_else_for_days_still_tries_again_every_ten_minutes()
    {
        var node = new RolloutNode("a", RolloutNodeState.UnderMaintenance, "inst1:a~500") { Attempt = 500 };
        var rollout = Turns.Executor<RolloutRequest, RolloutStatus>(static (context, request) => new RolloutRun(context, request).RunAsync());
        rollout.Run(History.Start(Json(new RolloutRequest(["a"]) { State = new RolloutState([node]) { IsCanaryOver = true } })));

        var turn = rollout.Run(History.Later(1).Raised(
            ChildEvents.NodeDone, Json(new NodeDone("a", "inst1:a~500", MaintenanceOutcome.Refused, "The lease is held.", IsHeldByOther: true))));

        var reads = turn.Actions.ShouldHaveSingleItem();
        turn = rollout.Run(History.Later(1).ActivityCompleted(reads.Id, Json(NothingNew)));
        var waiting = JsonDataConverter.Default.Deserialize<RolloutStatus>(turn.CustomStatus)!.Nodes.ShouldHaveSingleItem();
        (waiting.State, waiting.Attempt).ShouldBe((RolloutNodeState.Waiting, 501));
        (waiting.NotBefore - new DateTimeOffset(History.Begin)).ShouldNotBeNull().ShouldBeInRange(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));
    }

    [Fact]
    public void A_window_whose_rollout_could_not_be_started_tries_again_until_it_closes()
    {
        var opening = new RolloutOpening(new DateTimeOffset(History.Begin).AddHours(-1), new DateTimeOffset(History.Begin).AddHours(1));
        var window = Turns.Executor<WindowRequest, WindowStatus>(static (context, request) => new WindowRun(context, request).RunAsync());
        var asks = window.Run(History.Start(Json(new WindowRequest(new RolloutRequest(["a"])) { Cron = "0 2 * * *", Duration = TimeSpan.FromHours(2) }))).Actions.ShouldHaveSingleItem();
        var start = window.Run(History.Later(1).ActivityCompleted(asks.Id, Json(new NextWindow(opening)))).Actions.ShouldHaveSingleItem();
        start.ScheduleTask.Name.ShouldBe(Activities.StartRun);

        var turn = window.Run(History.Later(2).ActivityFailed(start.Id, "It is broken."));

        JsonDataConverter.Default.Deserialize<WindowStatus>(turn.CustomStatus)!.Message.ShouldContain("could not be started: It is broken. It is tried again at");
        var pause = turn.Actions.ShouldHaveSingleItem();
        var again = window.Run(History.Later(70).TimerFired(pause.Id)).Actions.ShouldHaveSingleItem();
        again.ScheduleTask.Name.ShouldBe(Activities.StartRun);
        JsonDataConverter.Default.Deserialize<StartRunInput[]>(again.ScheduleTask.Input)![0].InstanceId
            .ShouldBe(JsonDataConverter.Default.Deserialize<StartRunInput[]>(start.ScheduleTask.Input)![0].InstanceId, "the same rollout, once");
    }

    private static (OrchestrationExecutor Rollout, OrchestratorAction Start) AboutToStart()
    {
        var rollout = Turns.Executor<RolloutRequest, RolloutStatus>(static (context, request) => new RolloutRun(context, request).RunAsync());
        var state = new RolloutState([new("a", RolloutNodeState.Waiting, "inst1:a")]) { IsCanaryOver = true };
        var reads = rollout.Run(History.Start(Json(new RolloutRequest(["a"]) { State = state }))).Actions.ShouldHaveSingleItem();
        var start = rollout.Run(History.Later(1).ActivityCompleted(reads.Id, Json(NothingNew))).Actions.ShouldHaveSingleItem();
        start.ScheduleTask.Name.ShouldBe(Activities.StartRun);
        return (rollout, start);
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
            "suspend" => history.Raised(RolloutEvents.Steer, Json(new Steer(SteerKind.Suspend, "ada"))),
            "go" => history.Raised(RolloutEvents.Steer, Json(new Steer(SteerKind.Resume, "bob"))),
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

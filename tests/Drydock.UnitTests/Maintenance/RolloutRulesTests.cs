using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>Which node is taken next, and what the others wait for.</summary>
public sealed class RolloutRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 0, 0, TimeSpan.Zero);

    private RolloutRequest _request = new([]);
    private RolloutState _state = new([]) { IsCanaryOver = true };
    private NodesSeen _seen = new([], [], [], []);

    [Theory]
    [InlineData(1, null, "a")]
    [InlineData(2, null, "a b")]
    [InlineData(9, null, "a b c d")]
    [InlineData(1, 50, "a b")]
    [InlineData(1, 99, "a b c")]
    [InlineData(1, 10, "a")]
    public void As_many_are_taken_as_may_be_unavailable(int most, int? percent, string taken)
    {
        _request = _request with { MaxUnavailable = most, MaxUnavailablePercent = percent };
        Nodes("a b c d");

        Taken().ShouldBe(taken);
    }

    [Fact]
    public void Nodes_that_are_down_already_count_and_are_named()
    {
        _request = _request with { MaxUnavailable = 2 };
        Nodes("a b c d");
        Under("a");
        Down("d", "cordoned");

        var decision = Decide();

        decision.Start.ShouldBe(["d"], "Taking a node that is down makes no more unavailable.");
        Under("d");
        Decide().WaitsFor.ShouldBe("2 nodes may be unavailable and 2 are: a under maintenance, d under maintenance.");
        Nodes("a b c");
        Under("a");
        Down("x", "not Ready");
        Decide().WaitsFor.ShouldBe("2 nodes may be unavailable and 2 are: a under maintenance, x not Ready.");
        Decide().LookAgainAt.ShouldBe(Now + RolloutRules.LookAgain);
    }

    [Fact]
    public void A_node_that_another_maintenance_holds_waits_and_says_for_what_while_others_go_on()
    {
        Nodes("a b");
        _seen = _seen with { Held = [new NodeNote("a", "maintenance m-7")] };

        Decide().Start.ShouldBe(["b"]);

        Done("b", MaintenanceOutcome.Completed);
        Decide().WaitsFor.ShouldBe("Node a waits for maintenance m-7, which holds it.");
    }

    [Fact]
    public void Zones_go_one_after_the_other_in_their_order()
    {
        _request = _request with { MaxUnavailable = 5, Zones = ["west", "east"] };
        Nodes("e1@east w1@west n1@north w2@west");

        Taken().ShouldBe("w1 w2");
        Under("w1");
        Done("w2", MaintenanceOutcome.Completed);
        Decide().WaitsFor.ShouldBe("Zone east waits for node w1 of zone west.");
        Done("w1", MaintenanceOutcome.Completed);
        Taken().ShouldBe("e1");
        Done("e1", MaintenanceOutcome.Completed);
        Taken().ShouldBe("n1");
    }

    [Fact]
    public void No_more_nodes_of_one_zone_than_its_limit_are_taken()
    {
        _request = _request with { MaxUnavailable = 5, MaxPerZone = 1 };
        Nodes("a1@a a2@a b1@b b2@b");

        Taken().ShouldBe("a1 b1");
        Under("a1");
        Under("b1");
        Decide().WaitsFor.ShouldBe("1 node in zone a may be unavailable and 1 is: a1 under maintenance.");
    }

    [Fact]
    public void Control_plane_nodes_go_last_and_one_at_a_time()
    {
        _request = _request with { MaxUnavailable = 5 };
        Nodes("c1! a c2! b");

        Taken().ShouldBe("a b");
        Under("a");
        Done("b", MaintenanceOutcome.Completed);
        Decide().WaitsFor.ShouldBe("Control-plane node c1 waits for node a.");
        Done("a", MaintenanceOutcome.Completed);
        Taken().ShouldBe("c1");
        Under("c1");
        Decide().WaitsFor.ShouldBe("Control-plane node c2 waits for node c1.");
    }

    [Theory]
    [InlineData(RolloutOrder.AsGiven, "c a b")]
    [InlineData(RolloutOrder.Name, "a b c")]
    [InlineData(RolloutOrder.Load, "b c a")]
    public void The_order_is_as_asked_for(RolloutOrder order, string expected)
    {
        _request = _request with { MaxUnavailable = 9, Order = order };
        Nodes("c*2 a*7 b*1");

        Taken().ShouldBe(expected);
    }

    [Fact]
    public void The_canary_nodes_go_first_and_must_be_well_after_the_soak_time()
    {
        _request = _request with { MaxUnavailable = 5, Canary = 2, Soak = TimeSpan.FromMinutes(30) };
        _state = _state with { IsCanaryOver = false };
        Nodes("a b c d");

        Taken().ShouldBe("a b");
        Under("a", isCanary: true);
        Done("b", MaintenanceOutcome.Completed, isCanary: true);
        Decide().WaitsFor.ShouldBe("Waits for canary node a.");
        Done("a", MaintenanceOutcome.Completed, isCanary: true);
        var soaking = Decide();
        (soaking.Start.Count, soaking.LookAgainAt).ShouldBe((0, Now + TimeSpan.FromMinutes(29)));
        Down("a", "not Ready");
        Decide(Now + TimeSpan.FromMinutes(29)).PauseBecause.ShouldBe("Paused: canary node a is not Ready after the soak time.");
        _seen = _seen with { Down = [] };
        var over = Decide(Now + TimeSpan.FromMinutes(29));
        (over.CanaryIsOver, string.Join(' ', over.Start)).ShouldBe((true, "c d"));
    }

    [Fact]
    public void After_a_node_it_pauses_as_long_as_asked()
    {
        _request = _request with { PauseBetween = TimeSpan.FromMinutes(5) };
        Nodes("a b");
        Done("a", MaintenanceOutcome.Completed);

        Decide().LookAgainAt.ShouldBe(Now + TimeSpan.FromMinutes(4));
        Decide(Now + TimeSpan.FromMinutes(4)).Start.ShouldBe(["b"]);
    }

    [Theory]
    [InlineData(20, 60, true, "")]
    [InlineData(20, 20, true, "a")]
    [InlineData(20, 19, true, "")]
    [InlineData(70, 60, false, "a")]
    [InlineData(70, 50, false, "")]
    public void A_node_is_taken_if_there_is_time_for_it_before_the_window_closes(int takes, int left, bool hasTakenOne, string taken)
    {
        var opening = new RolloutOpening(Now + TimeSpan.FromMinutes(left - 60), Now + TimeSpan.FromMinutes(left));
        _request = _request with { ExpectedPerNode = TimeSpan.FromMinutes(takes) };
        _state = _state with { Opening = opening, TakenInOpening = hasTakenOne ? 1 : 0 };
        Nodes("a");

        // 60 minutes left, 20 needed: the first case shows that an average that was seen is worth more than an expectation.
        _state = left == 60 && takes == 20 ? _state with { NodesTimed = 2, TimeSpent = TimeSpan.FromMinutes(130) } : _state;

        Taken().ShouldBe(taken);
    }

    [Fact]
    public void A_paused_stopped_or_closed_rollout_takes_nothing()
    {
        Nodes("a");
        foreach (var state in new[] { _state with { PausedBecause = "x" }, _state with { StoppingBecause = "x" }, _state with { IsClosed = true } })
        {
            RolloutRules.Decide(_request, state, _seen, Now).Start.ShouldBeEmpty();
        }
    }

    [Fact]
    public void The_end_is_estimated_from_the_times_seen_so_far()
    {
        _request = _request with { MaxUnavailable = 2, PauseBetween = TimeSpan.FromMinutes(1) };
        Nodes("a b c d e");
        RolloutRules.EstimatedEnd(_request, _state, Now).ShouldBeNull();
        _state = _state with { NodesTimed = 2, TimeSpent = TimeSpan.FromMinutes(20) };

        RolloutRules.EstimatedEnd(_request, _state, Now).ShouldBe(Now + TimeSpan.FromMinutes(33));
        RolloutRules.EstimatedEnd(_request, _state with { Opening = new(Now, Now + TimeSpan.FromMinutes(30)) }, Now).ShouldBeNull();
    }

    private RolloutDecision Decide(DateTimeOffset? at = null) => RolloutRules.Decide(_request, _state, _seen, at ?? Now);

    private string Taken() => string.Join(' ', Decide().Start);

    /// <summary>name@zone, name! for the control plane, name*load.</summary>
    private void Nodes(string text) => _state = _state with
    {
        Nodes =
        [
            .. text.Split(' ').Select(word => word.Split('@', '!', '*')).Zip(text.Split(' ')).Select(pair =>
                new RolloutNode(pair.First[0], RolloutNodeState.Waiting, "r:" + pair.First[0])
                {
                    Zone = pair.Second.Contains('@') ? pair.First[1] : null,
                    IsControlPlane = pair.Second.EndsWith('!'),
                    Load = pair.Second.Contains('*') ? int.Parse(pair.First[1]) : 0,
                }),
        ],
    };

    private void Under(string node, bool isCanary = false) =>
        Change(node, one => one with { State = RolloutNodeState.UnderMaintenance, StartedAt = Now, IsCanary = isCanary });

    private void Done(string node, MaintenanceOutcome outcome, bool isCanary = false) => Change(
        node, one => one with { State = RolloutNodeState.Done, Outcome = outcome, EndedAt = Now - TimeSpan.FromMinutes(1), IsCanary = isCanary });

    private void Down(string node, string why) => _seen = _seen with { Down = [new NodeNote(node, why)] };

    private void Change(string node, Func<RolloutNode, RolloutNode> change) =>
        _state = _state with { Nodes = [.. _state.Nodes.Select(one => one.Node == node ? change(one) : one)] };
}

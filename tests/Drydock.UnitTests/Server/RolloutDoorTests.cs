using System.Net;
using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>Rollouts by REST, over the real host; behind the doors a dictionary stands for the engine and a stub for the cluster.</summary>
public sealed class RolloutDoorTests : IAsyncLifetime
{
    private RestHost _host = null!;

    private InMemoryClient Engine => _host.Client;

    private DrydockApiClient Api => new(_host.Http);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await RestHost.StartAsync(["worker-a", "worker-b"]);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_rollout_takes_the_nodes_that_the_selector_finds()
    {
        var rollout = await Api.CreateRolloutAsync(
            new RolloutCreate { Selector = "zone!=b", Maintenance = new MaintenanceSettings { Drain = new DrainSettings { Timeout = "5m" } } }, null, Token);

        Engine.InputOf<RolloutRequest>(rollout.Id).Selector.ShouldBe("zone!=b", "It is looked up before each node, not now.");
        Engine.InputOf<RolloutRequest>(rollout.Id).Template.Drain.Timeout.ShouldBe(TimeSpan.FromMinutes(5));
    }

    [Theory]
    [InlineData("""{}""", "nodes")]
    [InlineData("""{"nodes":[]}""", "nodes")]
    [InlineData("""{"nodes":["worker-a"],"selector":"zone=a"}""", "nodes")]
    [InlineData("""{"nodes":["worker-a","worker-a"]}""", "nodes")]
    [InlineData("""{"nodes":["worker-a","nope"]}""", "nodes[1]")]
    [InlineData("""{"nodes":["worker-a",7]}""", "nodes[1]")]
    [InlineData("""{"selector":"zone=nowhere"}""", "selector")]
    [InlineData("""{"selector":"a b"}""", "selector")]
    [InlineData("""{"nodes":["worker-a"],"maxUnavailable":0}""", "maxUnavailable")]
    [InlineData("""{"nodes":["worker-a"],"onFailures":"Cry"}""", "onFailures")]
    [InlineData("""{"nodes":["worker-a"],"maxUnavailable":1,"maxUnavailablePercent":10}""", "maxUnavailablePercent")]
    [InlineData("""{"nodes":["worker-a"],"maxUnavailablePercent":101}""", "maxUnavailablePercent")]
    [InlineData("""{"nodes":["worker-a"],"zones":["a","a"]}""", "zones")]
    [InlineData("""{"nodes":["worker-a"],"maxPerZone":0}""", "maxPerZone")]
    [InlineData("""{"nodes":["worker-a"],"zoneLabel":"a=b"}""", "zoneLabel")]
    [InlineData("""{"nodes":["worker-a"],"canary":-1}""", "canary")]
    [InlineData("""{"nodes":["worker-a"],"soak":"soon"}""", "soak")]
    [InlineData("""{"nodes":["worker-a"],"pauseBetween":"-1m"}""", "pauseBetween")]
    [InlineData("""{"nodes":["worker-a"],"order":"Random"}""", "order")]
    [InlineData("""{"kubeletBelow":"latest"}""", "kubeletBelow")]
    [InlineData("""{"kubeletBelow":"v1.0.0"}""", "kubeletBelow")]
    [InlineData("""{"nodes":["worker-a"],"maintenance":{"drain":{"timeout":"x"}}}""", "maintenance.drain.timeout")]
    public async Task A_bad_rollout_is_answered_with_the_field(string json, string field)
    {
        var problem = await _host.RefusedAsync("api/v1/rollouts", json, HttpStatusCode.BadRequest);

        problem.Errors.ShouldHaveSingleItem().Field.ShouldBe(field);
        Engine.Started.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_rollout_shows_what_its_input_carries_and_over_it_what_changed_since()
    {
        var id = (await Api.CreateRolloutAsync(new RolloutCreate { Nodes = ["worker-a", "worker-b"] }, null, Token)).Id;
        var failed = new RolloutNode("worker-b", RolloutNodeState.Done, id + ":worker-b", MaintenanceOutcome.Failed, "It is stuck.");
        Engine.Set(id, new RolloutStatus([failed]) { IsPaused = true, Total = 2, Done = 1, Failed = 1, WaitsFor = "Node worker-a waits.", Message = "Paused." });

        var view = await Api.GetRolloutAsync(id, Token);

        (view.State, view.Total, view.Done, view.Failed, view.WaitsFor).ShouldBe(("Paused", 2, 1, 1, "Node worker-a waits."));
        view.Nodes.ShouldBe([new("worker-a", "Waiting", null, null), new("worker-b", "Failed", id + ":worker-b", "It is stuck.")]);
    }

    [Fact]
    public async Task A_rollout_is_steered_and_nodes_are_skipped_and_taken_again_only_where_that_makes_sense()
    {
        var id = (await Api.CreateRolloutAsync(new RolloutCreate { Nodes = ["worker-a", "worker-b"] }, null, Token)).Id;
        var failed = new RolloutNode("worker-b", RolloutNodeState.Done, id + ":worker-b", MaintenanceOutcome.Failed);
        Engine.Set(id, new RolloutStatus([failed]) { IsPaused = true });

        await Api.PauseRolloutAsync(id, "lunch", Token);
        await Api.SkipRolloutNodeAsync(id, "worker-a", "broken disk", Token);
        await Api.RetryRolloutNodeAsync(id, "worker-b", null, Token);
        await Api.ResumeRolloutAsync(id, "lunch is over", Token);
        await Api.StopRolloutAsync(id, null, Token);
        await Api.CancelRolloutAsync(id, null, Token);
        var problems = new[]
        {
            await Should.ThrowAsync<ApiProblemException>(() => Api.SkipRolloutNodeAsync(id, "worker-b", null, Token)),
            await Should.ThrowAsync<ApiProblemException>(() => Api.RetryRolloutNodeAsync(id, "worker-a", null, Token)),
            await Should.ThrowAsync<ApiProblemException>(() => Api.SkipRolloutNodeAsync(id, "worker-c", null, Token)),
            await Should.ThrowAsync<ApiProblemException>(() => Api.SkipRolloutNodeAsync("r-none", "worker-a", null, Token)),
        };

        Engine.Raised.Select(raised => raised.Name).ShouldBe(
            [RolloutEvents.Steer, RolloutEvents.Skip, RolloutEvents.Retry, RolloutEvents.Steer, RolloutEvents.Stop, RolloutEvents.Cancel]);
        Engine.Raised[1].Payload.ShouldBeOfType<RolloutNodeOrder>().ShouldSatisfyAllConditions(
            order => order.Node.ShouldBe("worker-a"), order => order.Reason.ShouldBe("broken disk"));
        problems.Select(problem => problem.Problem.Status).ShouldBe([409, 409, 400, 404]);
    }


    [Fact]
    public async Task Who_from_where_and_why_is_in_what_a_rollout_is_told()
    {
        var id = (await Api.CreateRolloutAsync(new RolloutCreate { Nodes = ["worker-a"], Reason = "new kernel" }, null, Token)).Id;
        Engine.Set(id, new RolloutStatus([]));

        await Api.PauseRolloutAsync(id, "lunch", Token);
        await Api.ResumeRolloutAsync(id, "lunch is over", Token);
        await Api.SkipRolloutNodeAsync(id, "worker-a", "broken disk", Token);
        await Api.StopRolloutAsync(id, "enough", Token);
        await Api.CancelRolloutAsync(id, "wrong nodes", Token);
        var tooLong = await Should.ThrowAsync<ApiProblemException>(() => Api.ResumeRolloutAsync(id, new string('r', 1025), Token));

        var asked = Engine.InputOf<RolloutRequest>(id).Template;
        var by = asked.RequestedBy.ShouldNotBeNull();
        (asked.RequestedFrom, asked.Reason).ShouldBe(("127.0.0.1", "new kernel"));
        Engine.Raised.Select(static raised => raised.Payload).ShouldBe(
        [
            new Steer(SteerKind.Suspend, by, "lunch") { RequestedFrom = "127.0.0.1" },
            new Steer(SteerKind.Resume, by, "lunch is over") { RequestedFrom = "127.0.0.1" },
            new RolloutNodeOrder("worker-a", by, "broken disk") { RequestedFrom = "127.0.0.1" },
            new Cancel(by, "enough") { RequestedFrom = "127.0.0.1" },
            new Cancel(by, "wrong nodes") { RequestedFrom = "127.0.0.1" },
        ]);
        tooLong.Problem.Errors.ShouldHaveSingleItem().Field.ShouldBe("reason");
    }

    [Fact]
    public async Task A_repetition_by_key_is_answered_with_the_first_also_when_its_nodes_are_not_there_any_more()
    {
        var create = new RolloutCreate { Nodes = ["worker-a"] };
        var first = await Api.CreateRolloutAsync(create, "CHG-1", Token);
        ((StubCluster)_host.Services.GetRequiredService<ICluster>()).Gone.Add("worker-a");

        var again = await Api.CreateRolloutAsync(create, "CHG-1", Token);
        var other = await Should.ThrowAsync<ApiProblemException>(() => Api.CreateRolloutAsync(create with { Reason = "another" }, "CHG-1", Token));
        var fresh = await Should.ThrowAsync<ApiProblemException>(() => Api.CreateRolloutAsync(create, "CHG-2", Token));

        (again.Id, other.Problem.Type, fresh.Problem.Status).ShouldBe((first.Id, ProblemTypes.KeyReused, 400));
    }

    [Fact]
    public async Task A_resume_right_after_a_pause_that_was_not_heard_yet_is_taken()
    {
        var id = (await Api.CreateRolloutAsync(new RolloutCreate { Nodes = ["worker-a"] }, null, Token)).Id;
        Engine.Set(id, new RolloutStatus([]));

        await Api.PauseRolloutAsync(id, null, Token);
        await Api.ResumeRolloutAsync(id, null, Token);

        Engine.Raised.Select(static raised => raised.Payload.ShouldBeOfType<Steer>().Kind).ShouldBe([SteerKind.Suspend, SteerKind.Resume]);
    }
}

using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>An API server that asks for patience (429 with Retry-After) is heard by all that evict, whichever of their requests it refused, and never obeyed for hours.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class PatienceTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task An_hour_is_obeyed_for_a_minute_at_a_time_and_told()
    {
        await using var world = await World.StartAsync(Cluster());
        using var busy = world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Code = 429, RetryAfterSeconds = 3600, Count = 2 });
        await world.BeginAsync(Request(world) with { Drain = new DrainPolicy { MaxParallelEvictions = 1 } });
        await world.RunForAsync(TimeSpan.FromSeconds(30));

        var blockers = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers;
        var machine = await VmAsync(world, "one");
        var report = await world.EndAsync();

        blockers.Select(blocker => blocker.Kind).ShouldBe(["throttled", "throttled", "throttled"]);
        blockers.ShouldAllBe(blocker => blocker.NextTry != null && blocker.NextTry <= World.Start.AddSeconds(65));
        (machine.Progress, machine.Blocker!.Kind).ShouldBe((VmProgress.Blocked, "throttled"));
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var times = Evictions(world).Where(eviction => eviction.Code == 429).Select(eviction => eviction.Time).Order().ToList();
        (times[1] - times[0]).ShouldBeInRange(TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(63));
        Evictions(world).ShouldAllBe(eviction => eviction.Time <= times[0] || eviction.Time >= times[1]);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("create", "pods", "eviction")]
    [InlineData("get", "leases.coordination.k8s.io", null)]
    public async Task What_one_of_them_was_told_all_of_them_obey(string verb, string resource, string? subresource)
    {
        await using var world = await World.StartAsync(Cluster());
        DateTimeOffset? since = null;
        world.Api.Intercept = request =>
        {
            if (since is null && request is { IsDone: false } && (request.Verb, request.Resource, request.Subresource) == (verb, resource, subresource) && IsCordoned(world)
                && world.Api.RequestLog.Of("watch", "pods").Any())
            {
                since = world.Time.GetUtcNow();
                throw new ApiException(429, "TooManyRequests", "too many requests") { RetryAfterSeconds = 40 };
            }

            return Task.CompletedTask;
        };

        var report = await world.MaintainAsync(Request(world) with { Drain = new DrainPolicy { MaxParallelEvictions = 1 } });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Pods.ShouldAllBe(pod => pod.IsGone);
        Evictions(world).ShouldNotBeEmpty();
        Evictions(world).ShouldAllBe(eviction => eviction.Time <= since!.Value || eviction.Time >= since.Value.AddSeconds(40));
        Evictions(world).Min(eviction => eviction.Time).ShouldBeLessThan(since!.Value.AddSeconds(43));
    }

    private static bool IsCordoned(World world) => world.Cluster.Store.Get(ResourceTypes.Nodes, null, "node-1")!["spec"]!["unschedulable"] is JsonValue;

    private static List<RequestRecord> Evictions(World world) => [.. world.Api.RequestLog.Of("create", "pods", "eviction")];

    private static Scenario Cluster() => Machines(Machine("one")) with
    {
        Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 3, On = ["node-1", "node-1", "node-1"] }],
    };
}

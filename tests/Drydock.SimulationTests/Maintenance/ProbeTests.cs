using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>What the health gate asks beyond the node itself, each kind of question in a whole maintenance: it passes, it fails, it takes too long.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ProbeTests
{
    private static readonly TimeSpan Minutes = TimeSpan.FromMinutes(2);

    [Fact(Timeout = World.Timeout)]
    public async Task A_query_of_Prometheus_is_asked_again_until_it_gives_what_is_wanted()
    {
        var prometheus = new Prometheus(alerts: 2);
        var probe = new ProbeTemplate(ProbeKind.Prometheus) { Url = "https://prometheus.example", Query = """ALERTS{node="{node}"}""", TokenFile = "token" };
        await using var world = await WorldAsync(probe, targets: prometheus);

        var report = await world.MaintainAsync(Request(world));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        prometheus.Calls.Count.ShouldBe(3);
        prometheus.Calls[0].Url.ShouldBe("https://prometheus.example/api/v1/query?query=ALERTS%7Bnode%3D%22node-1%22%7D");
        prometheus.Calls[0].Headers["Authorization"].ShouldBe("Bearer secret of token");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_query_of_Prometheus_that_never_gives_it_says_by_the_deadline_what_it_saw()
    {
        var probe = new ProbeTemplate(ProbeKind.Prometheus) { Url = "https://prometheus.example", Query = "ALERTS" };
        await using var world = await WorldAsync(probe, targets: new Prometheus(alerts: 1000));

        var report = await world.MaintainAsync(Request(world));

        await FailedAsync(world, report, "Probe check: wanted no series, got 1 series: 1");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Pods_with_a_selector_must_be_as_many_Ready_as_before()
    {
        await using var world = await WorldAsync(Web);

        var report = await world.MaintainAsync(Request(world));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Pods_with_a_selector_that_do_not_come_back_fail_by_the_deadline()
    {
        // There is no budget in their way and no room elsewhere: both are away until the node is back.
        await using var world = await WorldAsync(Web, Scenario.Named("healthy") with
        {
            Budgets = [],
            Nodes = [.. Scenario.Named("healthy").Nodes.Select(node => node with { Cordoned = node.Name != "node-1" })],
            VirtualMachines = [],
        });

        var report = await world.MaintainAsync(Request(world));

        await FailedAsync(world, report, "Probe check: 1 of 3 pods with app=web are Ready again");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_that_succeeds_passes_and_runs_once()
    {
        await using var world = await WorldAsync(Job);

        var report = await world.MaintainAsync(Request(world));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(1);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_that_fails_ends_the_gate_at_once_with_its_exit_code_and_is_not_repeated()
    {
        await using var world = await WorldAsync(Job, job: Steered("\"fake-kubelet/exit-code\":\"3\""));

        var report = await world.MaintainAsync(Request(world));

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldStartWith("Node node-1 was not healthy within 2m: Probe check: Job default/drydock-probe-check-");
        report.Message.ShouldContain(" is Failed with exit code 3. Its logs are kept for a day: kubectl logs -n default job/drydock-probe-check-");
        GateOf(report).ShouldBeLessThan(TimeSpan.FromMinutes(1));
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(1);
        (await world.Kubernetes.GetNodeAsync("node-1", default))!.Unschedulable.ShouldBeTrue();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_that_does_not_end_is_deleted_at_the_deadline()
    {
        await using var world = await WorldAsync(Job, job: Steered("\"fake-kubelet/complete-after\":\"18000\""));

        var report = await world.MaintainAsync(Request(world));

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldContain(" and was deleted. Its pod ");
        report.Message.ShouldContain(" is Running.");
        GateOf(report).ShouldBeInRange(Minutes, Minutes + TimeSpan.FromSeconds(30));
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task No_job_begins_while_the_maintenance_is_suspended_also_after_one_that_was_under_way()
    {
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(new MaintenancePolicy("p")
        {
            Probes = new Dictionary<string, ProbeTemplate> { ["one"] = Job, ["two"] = Job },
            RequiredProbes = ["one", "two"],
            Jobs = new Dictionary<string, JobTemplate> { ["check"] = new("default", Steered("\"fake-kubelet/complete-after\":\"60\"")) },
        }));
        await world.BeginAsync(Request(world) with { Health = new HealthPolicy { Timeout = TimeSpan.FromMinutes(10), StableFor = TimeSpan.FromSeconds(1) } });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), default);
        await world.RunForAsync(TimeSpan.FromHours(1));
        var meanwhile = world.Api.RequestLog.Of("create", "jobs.batch").Count;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Resume, "ann"), default);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        (meanwhile, world.Api.RequestLog.Of("create", "jobs.batch").Count).ShouldBe((1, 2));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_for_which_no_time_is_left_is_not_started()
    {
        var slow = new Slow(Minutes);
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(
            new MaintenancePolicy("p")
            {
                Probes = new Dictionary<string, ProbeTemplate> { ["first"] = new(ProbeKind.Prometheus) { Url = "https://prometheus.example", Query = "ALERTS" }, ["check"] = Job },
                RequiredProbes = ["first", "check"],
                Jobs = new Dictionary<string, JobTemplate> { ["check"] = new("default", Steered("\"fake-kubelet/complete-after\":\"5s\"")) },
            },
            slow));
        slow.Time = world.Time;

        var report = await world.MaintainAsync(Request(world));

        await FailedAsync(world, report, "Probe check: its Job was not started, as the node was healthy too late for it.");
        world.Api.RequestLog.Of("create", "jobs.batch").ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_falls_ill_while_its_job_runs_does_not_pass_by_what_was_seen_before()
    {
        await using var world = await WorldAsync(Job, job: Steered("\"fake-kubelet/complete-after\":\"60\""));
        await world.BeginAsync(Request(world));
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await world.RunForAsync(TimeSpan.FromSeconds(10));
        world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", static node =>
        {
            node["status"]!["conditions"]!.AsArray().Add(new JsonObject { ["type"] = "DiskPressure", ["status"] = "True", ["message"] = "the disk is full" });
            return true;
        });

        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, false));
        report.Message.ShouldStartWith("Node node-1 was not healthy within 2m: ");
        report.Message.ShouldContain("DiskPressure");
        world.Api.RequestLog.Of("create", "jobs.batch").Count.ShouldBe(1);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(90)]
    [InlineData(3600)]
    public async Task CSI_drivers_must_be_registered_as_before_the_reboot(int seconds)
    {
        await using var world = await WorldAsync(probe: null, Scenario.Named("healthy") with { Storage = new StorageSpec() { RegistersAfter = TimeSpan.FromSeconds(seconds) } });
        await world.RunForAsync(TimeSpan.FromSeconds(seconds + 10));

        var report = await world.MaintainAsync(Request(world) with { Action = MaintenanceAction.Reboot });

        if (seconds == 90)
        {
            report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
            GateOf(report).ShouldBeGreaterThan(TimeSpan.FromSeconds(60), "it waited for the driver");
        }
        else
        {
            await FailedAsync(world, report, "CSI driver csi.simulated.dev is not registered on the node any more.");
        }
    }

    private static ProbeTemplate Web { get; } = new(ProbeKind.Pods) { Namespace = "shop", Selector = "app=web" };

    private static ProbeTemplate Job { get; } = new(ProbeKind.Job) { Job = "check" };

    private static string Steered(string annotations) =>
        """{"spec":{"template":{"metadata":{"annotations":{ANNOTATIONS}},"spec":{"containers":[{"name":"check","image":"example.com/check","command":["check"]}]}}}}"""
            .Replace("ANNOTATIONS", annotations);

    private static TimeSpan GateOf(MaintenanceReport report) =>
        report.Steps.Single(step => step.Step == MaintenanceStep.Health) is var gate ? gate.To - gate.From : default;

    private static async Task FailedAsync(World world, MaintenanceReport report, string saw)
    {
        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Failed, $"Node node-1 was not healthy within 2m: {saw}"));
        GateOf(report).ShouldBeInRange(Minutes, Minutes + TimeSpan.FromSeconds(30));
        (await world.Kubernetes.GetNodeAsync("node-1", default))!.Unschedulable.ShouldBeTrue();
    }

    private static Task<World> WorldAsync(ProbeTemplate? probe, Scenario? scenario = null, string? job = null, IHttpTargets? targets = null) => World.StartAsync(
        scenario ?? Scenario.Named("healthy"),
        configure: Policies.Of(
            new MaintenancePolicy("p")
            {
                Probes = probe is null ? new Dictionary<string, ProbeTemplate>() : new Dictionary<string, ProbeTemplate> { ["check"] = probe },
                RequiredProbes = probe is null ? [] : ["check"],
                Jobs = new Dictionary<string, JobTemplate> { ["check"] = new("default", job ?? Steered("\"fake-kubelet/complete-after\":\"5s\"")) },
            },
            targets));

    private static MaintenanceRequest Request(World world) => world.Request() with
    {
        Policy = "p", Health = new HealthPolicy { Timeout = Minutes, StableFor = TimeSpan.FromSeconds(1) },
    };

    /// <summary>A Prometheus that takes its time.</summary>
    private sealed class Slow(TimeSpan span) : IHttpTargets
    {
        public TimeProvider Time { get; set; } = TimeProvider.System;

        public string? Problem(string url) => null;

        public async Task<HttpTargetAnswer> SendAsync(HttpTargetCall call, CancellationToken cancellationToken)
        {
            await Task.Delay(span, Time, cancellationToken);
            return new HttpTargetAnswer(200, """{"status":"success","data":{"resultType":"vector","result":[]}}""");
        }
    }

    /// <summary>A Prometheus that tells an alert for so many queries, then none.</summary>
    private sealed class Prometheus(int alerts) : IHttpTargets
    {
        private readonly Lock _lock = new();
        private readonly List<HttpTargetCall> _calls = [];

        public IReadOnlyList<HttpTargetCall> Calls
        {
            get
            {
                lock (_lock)
                {
                    return [.. _calls];
                }
            }
        }

        public string? Problem(string url) => null;

        public Task<HttpTargetAnswer> SendAsync(HttpTargetCall call, CancellationToken cancellationToken)
        {
            lock (_lock)
            {
                _calls.Add(call);
                var series = _calls.Count <= alerts ? """{"metric":{},"value":[1767322800,"1"]}""" : "";
                return Task.FromResult(new HttpTargetAnswer(200, """{"status":"success","data":{"resultType":"vector","result":[""" + series + "]}}"));
            }
        }
    }
}

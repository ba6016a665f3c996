using Drydock.Maintenance;
using Drydock.Maintenance.Drain;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Whoever suspends or cancels a maintenance in the middle of a batch of evictions sees no other begun than those that are in flight.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class EvictionStopTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_pod_of_a_batch_is_evicted_any_more_once_it_is_suspended_or_cancelled(bool isCancel)
    {
        await using var world = await World.StartAsync(Machines() with
        {
            Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
            Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 40, On = [.. Enumerable.Repeat("node-1", 40)] }],
        });
        await StopsAsync(world, Request(world), isCancel);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task No_launcher_that_waited_for_its_turn_is_evicted_any_more_once_it_is_suspended()
    {
        await using var world = await World.StartAsync(Machines([.. Enumerable.Range(1, 8).Select(n => Machine($"vm-{n}"))]));
        await StopsAsync(world, Request(world), isCancel: false);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("hub", 2)]
    [InlineData("lease", 2)]
    [InlineData("nothing", 10)]
    public async Task A_stop_that_another_server_hears_reaches_a_batch_by_the_hub_they_share_or_by_a_cancelled_lease_and_else_after_ten_seconds(string by, int seconds)
    {
        await using var world = await World.StartAsync(Machines() with
        {
            Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 40, On = [.. Enumerable.Repeat("node-1", 40)] }],
        });
        using var slow = world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Latency = TimeSpan.FromSeconds(1) });
        var line = new Line();
        var (here, there) = (new Wakeups(world.Time, CancellationToken.None, by == "hub" ? line.End() : null), new Wakeups(world.Time, CancellationToken.None, by == "hub" ? line.End() : null));
        var node = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        await world.Kubernetes.AcquireLeaseAsync("node-1", node.Uid, "drydock/hub/m1", TimeSpan.FromHours(1), CancellationToken.None);
        IReadOnlyList<PodEntry>[] pods = [.. world.Cluster.Store.List(ResourceTypes.Pods, "shop")
            .Select(pod => (IReadOnlyList<PodEntry>)[new PodEntry("shop", (string)pod["metadata"]!["name"]!, (string)pod["metadata"]!["uid"]!)])];
        var since = world.Time.GetUtcNow();

        var batch = new EvictPodsActivity(world.Kubernetes, world.Time, new EvictionSlots(), there)
            .RunAsync(null!, new EvictPodsInput("node-1", "drydock/hub/m1", pods, null, Force: false) { AtOnce = 2 });
        await world.RunForAsync(TimeSpan.FromSeconds(1.5));
        await here.WakeAsync(Wakeups.EvictionsOf("node-1"), CancellationToken.None);
        if (by == "lease")
        {
            await world.Kubernetes.MarkLeaseCancelledAsync("node-1", "drydock/hub/m1", CancellationToken.None);
        }

        await world.RunUntilAsync(() => batch.IsCompleted);

        (world.Time.GetUtcNow() - since).ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(seconds));
        var result = await batch;
        result.Accepted.Count.ShouldBeInRange(2, 2 * seconds);
        (result.Verdict, result.Untried?.Count).ShouldBe(by == "lease" ? (Verdict.Cancelled, null) : (Verdict.Done, pods.Length - result.Accepted.Count));
        Evictions(world).ShouldBe(result.Accepted.Count);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("pods", true)]
    [InlineData("pods", false)]
    [InlineData("launcher", true)]
    [InlineData("launcher", false)]
    [InlineData("stop", true)]
    [InlineData("stop", false)]
    public async Task Nothing_is_asked_to_leave_any_more_after_a_cancel_or_a_suspension_that_comes_between_two_tries(string what, bool isCancel)
    {
        var machine = Machine("one") with { EvictionStrategy = "None" };
        await using var world = await World.StartAsync(what switch
        {
            "pods" => Machines() with { Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 6, On = [.. Enumerable.Repeat("node-1", 6)] }] },
            "launcher" => Machines(machine),
            _ => Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }),
        });
        var (isAway, isUnmarked) = (false, false);
        world.Api.Intercept = request =>
        {
            var isAsked = request is { Subresource: "eviction" or "stop", IsDone: false };
            (isAway, isUnmarked) = (isAway || (isAsked && !isUnmarked), isUnmarked || isAsked);
            return request is { Resource: "leases.coordination.k8s.io", Name: "node-node-1", IsDone: false } && (request.IsChange ? isUnmarked : isAway)
                || (isAsked && isAway) ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out") : Task.CompletedTask;
        };
        await world.BeginAsync(Request(world, Quick with { OnNotMigratable = StuckVmPolicy.ShutDown }) with { Remediation = RemediationPolicy.LabelOnly });
        await world.RunUntilAsync(() => isAway);
        await world.RunForAsync(TimeSpan.FromMinutes(3));

        await (isCancel
            ? world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None)
            : world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), CancellationToken.None));
        await world.RunForAsync(TimeSpan.FromMilliseconds(100));
        var before = Asked(world);
        isAway = false;
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        Asked(world).ShouldBe(before, "a try that was waited for is none any more, whether the lease carries a mark or not");
        isUnmarked = false;
        world.Api.Intercept = null;
        if (!isCancel)
        {
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Resume, "ann"), CancellationToken.None);
        }

        var report = await world.EndAsync();
        report.Outcome.ShouldBe(isCancel ? MaintenanceOutcome.Cancelled : MaintenanceOutcome.Completed, report.Message);
        report.LeftBehind.ShouldBeEmpty();
        world.AcceptedEvictions().ShouldBeUnique();
    }

    private static int Asked(World world) => Evictions(world) + world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "stop").Count;

    private static async Task StopsAsync(World world, MaintenanceRequest request, bool isCancel)
    {
        using var slow = world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Latency = TimeSpan.FromSeconds(2) });
        await world.BeginAsync(request with { Drain = request.Drain with { MaxParallelEvictions = 2 } });
        await world.RunUntilAsync(() => Evictions(world) >= 2);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
        await (isCancel
            ? world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None)
            : world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), CancellationToken.None));
        await world.RunForAsync(TimeSpan.FromMilliseconds(100));
        var before = Evictions(world);

        await world.RunForAsync(TimeSpan.FromMinutes(5));
        (Evictions(world) - before).ShouldBeInRange(0, 2, "those that were in flight are answered");
        if (!isCancel)
        {
            (await world.StatusAsync<MaintenanceStatus>())!.Suspension.ShouldNotBeNull();
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Resume, "ann"), CancellationToken.None);
        }

        var report = await world.EndAsync();
        report.Outcome.ShouldBe(isCancel ? MaintenanceOutcome.Cancelled : MaintenanceOutcome.Completed, report.Message);
        world.AcceptedEvictions().ShouldBeUnique();
    }

    /// <summary>Those that were answered.</summary>
    private static int Evictions(World world) => world.Api.RequestLog.Of("create", "pods", "eviction").Count;

    /// <summary>What carries the news between two servers of one hub.</summary>
    private sealed class Line
    {
        private readonly List<Carrier> _ends = [];

        public IWakeupRelay End()
        {
            _ends.Add(new Carrier(this));
            return _ends[^1];
        }

        private sealed class Carrier(Line line) : IWakeupRelay
        {
            public Action<string>? Woken { get; set; }

            public Task WakeAsync(string node, CancellationToken cancellationToken)
            {
                foreach (var other in line._ends.Where(other => other != this))
                {
                    other.Woken?.Invoke(node);
                }

                return Task.CompletedTask;
            }
        }
    }
}

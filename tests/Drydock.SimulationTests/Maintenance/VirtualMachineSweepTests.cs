using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// The rarer ways of a machine off its node, with a crash before and after every change that they make, and with a reading that fails once:
/// each is done once, and the end is the same.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineSweepTests
{
    // There are many: what reads once reads again and again.
    private const int EveryReading = 9;

    private const string Stop = "update virtualmachines.subresources.kubevirt.io/stop";
    private const string Start = "update virtualmachines.subresources.kubevirt.io/start";
    private const string Evict = "create pods/eviction";
    private const string Migrate = "update virtualmachines.subresources.kubevirt.io/migrate";
    private const string Withdraw = "update virtualmachineinstances.subresources.kubevirt.io/evacuate/cancel";
    private const string DeleteMigration = "delete virtualmachineinstancemigrations.kubevirt.io";
    private const string DeleteInstance = "delete virtualmachineinstances.kubevirt.io";

    private static readonly VirtualMachineSpec Fixed = Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable", RunStrategy = "RerunOnFailure" };

    private static readonly Dictionary<string, Scene> Scenes = new()
    {
        ["abort"] = new(NoRoom(), Quick with { MaxAttempts = 1, OnStuck = StuckVmPolicy.Skip }, VmOutcome.Skipped, (Withdraw, 1), (DeleteMigration, 1)),
        ["elsewhere"] = new(Machines(Machine("one")), Quick, VmOutcome.Migrated, (Withdraw, 1), (DeleteMigration, 1), (Migrate, 1))
        {
            Prepare = world => Annotate(world, "one", "fake-virt-handler/copy-never-ends", "true"),
            See = (world, request) =>
            {
                if (request is { Subresource: "migrate", IsDone: false })
                {
                    Annotate(world, "one", "fake-virt-handler/copy-never-ends", "false");
                }
            },
        },
        ["force"] = new(
            Machines(Fixed with { Shutdown = TimeSpan.FromHours(5) }), Quick with { OnNotMigratable = StuckVmPolicy.ShutDown, StopTimeout = TimeSpan.FromMinutes(3) },
            VmOutcome.Stopped, (Stop, 2))
        {
            Prepare = world => Change(world, "one", vmi => vmi["spec"]!["terminationGracePeriodSeconds"] = 7200),
        },
        ["bare"] = new(Machines(), Quick, VmOutcome.StaysDown, (DeleteInstance, 1))
        {
            Prepare = static world => MakeBare(world, "fake-virt-handler/not-migratable", "HostDeviceNotLiveMigratable", "node-1"),
            Change = request => request with { Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(2), OnTimeout = DeadlinePolicy.Force } },
        },
        ["cancel"] = new(NoRoom(), Quick with { SchedulingTimeout = TimeSpan.FromHours(1) }, VmOutcome.StillThere, (Withdraw, 1), (DeleteMigration, 1))
        {
            CancelAfter = TimeSpan.FromSeconds(30),
        },
        ["external"] = new(
            Machines(Machine("one") with { EvictionStrategy = "External" }), Quick with { ExternalTimeout = TimeSpan.FromMinutes(5), OnStuck = StuckVmPolicy.Skip },
            VmOutcome.Skipped, (Withdraw, 1)),
        ["rerun"] = new(
            Machines(Machine("one") with { EvictionStrategy = "None", RunStrategy = "RerunOnFailure" }), Quick, VmOutcome.RestartedElsewhere, (Evict, 1), (Start, 1)),
        ["inbound"] = new(
            Machines(Machine("one"), Machine("two"), Machine("three")) with { Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2")] },
            Quick with { MaxInboundPerNode = 1 }, VmOutcome.Migrated),
    };

    public static MatrixTheoryData<string, bool> All => new([.. Scenes.Keys], [false, true]);

    public static TheoryData<string> Names => [.. Scenes.Keys];

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(All))]
    public async Task Everything_is_done_once_wherever_the_process_dies(string name, bool after)
    {
        var (scene, wrong) = (Scenes[name], new List<string>());
        for (var nth = 1; ; nth++)
        {
            await using var world = await StartAsync(scene);
            var crash = RequestCrash.Arm(world, IsOfMachine, nth, after, request => scene.See?.Invoke(world, request));
            var report = await RunAsync(world, scene);
            wrong.AddRange(WhatIsWrong(world, scene, report, crash.Count).Select(what => $"killed {nth} {crash.At}: {what}"));
            if (crash.At is null)
            {
                nth.ShouldBeGreaterThan(scene.Calls.Length, "there were changes to die at");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Names))]
    public async Task A_reading_that_fails_once_is_made_again_and_changes_nothing_of_the_end(string name)
    {
        var (scene, wrong) = (Scenes[name], new List<string>());
        for (var nth = 1; ; nth += EveryReading)
        {
            await using var world = await StartAsync(scene);
            var (left, failed, done) = (nth, (string?)null, new List<string>());
            world.Api.Intercept = request =>
            {
                scene.See?.Invoke(world, request);
                var what = $"{request.Verb} {request.Resource}{(request.Subresource is null ? "" : "/" + request.Subresource)}";
                lock (done)
                {
                    if (request.IsDone)
                    {
                        done.Add(what);
                    }
                    else if (request.Verb is "get" or "list" && IsOfMachine(request) && --left == 0)
                    {
                        failed = what;
                        throw new ApiException(500, "InternalError", "etcdserver: leader changed");
                    }
                }

                return Task.CompletedTask;
            };
            var report = await RunAsync(world, scene);
            wrong.AddRange(WhatIsWrong(world, scene, report, call => done.Count(one => one == call)).Select(what => $"failed {nth} {failed}: {what}"));
            if (failed is null)
            {
                nth.ShouldBeGreaterThan(2, "there were readings that could fail");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    private static async Task<World> StartAsync(Scene scene)
    {
        var world = await World.StartAsync(scene.Scenario);
        scene.Prepare?.Invoke(world);
        await world.RunForAsync(TimeSpan.FromSeconds(5));
        return world;
    }

    private static async Task<MaintenanceReport> RunAsync(World world, Scene scene)
    {
        await world.BeginAsync(scene.Change(Request(world, scene.Policy)));
        if (scene.CancelAfter is { } span)
        {
            var until = world.Time.GetUtcNow() + span;
            await using var look = world.Time.CreateTimer(_ => { }, null, span, System.Threading.Timeout.InfiniteTimeSpan);
            await world.RunUntilAsync(() => world.IsDead || world.Time.GetUtcNow() >= until);
            if (world.IsDead)
            {
                await world.CrashAsync();
                await world.RunForAsync(span);
            }

            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        }

        var report = await world.EndAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        return report;
    }

    private static IEnumerable<string> WhatIsWrong(World world, Scene scene, MaintenanceReport report, Func<string, int> count)
    {
        if (report.Outcome != (scene.CancelAfter is null ? MaintenanceOutcome.Completed : MaintenanceOutcome.Cancelled))
        {
            yield return $"{report.Outcome}: {report.Message}";
        }

        foreach (var vm in report.VirtualMachines.Where(vm => vm.Outcome != scene.Outcome || (vm.Outcome == VmOutcome.Stopped && !vm.IsRestored)))
        {
            yield return vm.ToString();
        }

        foreach (var (call, times) in scene.Calls.Where(call => count(call.What) != call.Times))
        {
            yield return $"{count(call)} times {call}, not {times}";
        }

        foreach (var machine in world.Cluster.Store.List(KubeVirtTypes.Migrations).CountBy(migration => (string)migration["spec"]!["vmiName"]!))
        {
            if (scene.Outcome == VmOutcome.Migrated && machine.Value > 1)
            {
                yield return $"{machine.Value} migrations of {machine.Key}";
            }
        }

        foreach (var vm in world.Cluster.Store.List(KubeVirtTypes.VirtualMachines).Where(vm => vm["metadata"]!["annotations"]?["drydock.dev/held-by"] is not null))
        {
            yield return $"{vm["metadata"]!["name"]} still carries the mark";
        }

        foreach (var vmi in world.Cluster.Store.List(KubeVirtTypes.Instances).Where(vmi => vmi["status"]?["evacuationNodeName"] is not null))
        {
            yield return $"{vmi["metadata"]!["name"]} is still marked";
        }

        foreach (var migration in world.Cluster.Store.List(KubeVirtTypes.Migrations).Where(migration => !IsOver(migration)))
        {
            yield return $"a migration goes on in {migration["status"]?["phase"]}";
        }

        foreach (var left in report.LeftBehind)
        {
            yield return left;
        }
    }

    private static bool IsOfMachine(InterceptedRequest request) =>
        request.Resource.EndsWith("kubevirt.io", StringComparison.Ordinal) || request.Subresource == "eviction"
        || (request.Resource == "leases.coordination.k8s.io" && request.Name?.Contains("node-node", StringComparison.Ordinal) == false);

    private sealed record Scene(Scenario Scenario, VirtualMachinePolicy Policy, VmOutcome Outcome, params (string What, int Times)[] Calls)
    {
        public Action<World>? Prepare { get; init; }

        public Action<World, InterceptedRequest>? See { get; init; }

        public Func<MaintenanceRequest, MaintenanceRequest> Change { get; init; } = static request => request;

        public TimeSpan? CancelAfter { get; init; }
    }
}

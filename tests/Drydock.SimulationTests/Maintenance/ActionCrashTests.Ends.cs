using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <content>The same on the way of a cancel or of a deadline, two seconds into the action: it ends once, and nothing of it goes on.</content>
public sealed partial class ActionCrashTests
{
    private const string Endless = """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"36000"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";

    private static readonly TimeSpan Given = TimeSpan.FromSeconds(20);

    private static readonly MaintenancePolicy Endlessly = new("p")
    {
        RebootJob = "endless",
        Jobs = new Dictionary<string, JobTemplate> { ["endless"] = new("default", Endless) },
        Webhooks = Asking.Webhooks,
    };

    public static TheoryData<MaintenanceAction, bool, bool> Ends
    {
        get
        {
            var data = new TheoryData<MaintenanceAction, bool, bool>();
            foreach (var kind in (MaintenanceAction[])[MaintenanceAction.Job, MaintenanceAction.Reboot, MaintenanceAction.PowerCycle, MaintenanceAction.Webhook])
            {
                data.Add(kind, true, false);
                data.Add(kind, true, true);
                data.Add(kind, false, false);
                data.Add(kind, false, true);
            }

            return data;
        }
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Ends))]
    public async Task An_action_that_is_cancelled_or_late_ends_once_and_leaves_nothing_wherever_the_process_dies(MaintenanceAction kind, bool isCancel, bool after)
    {
        var wrong = new List<string>();
        for (var nth = 1; ; nth++)
        {
            var targets = new DyingTargets();
            await using var world = await World.StartAsync(Small with { Faults = isCancel ? [] : [new FaultSpec("powerFails", "node-1")] }, configure: Policies.Of(Endlessly, targets));
            await world.BeginAsync(Request(world, kind, isCancel));
            await world.RunUntilAsync(() => IsUnderWay(world, kind, targets));
            await world.RunForAsync(TimeSpan.FromSeconds(2));
            var crash = RequestCrash.Arm(world, static _ => true, nth, after);
            if (isCancel)
            {
                await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
            }

            var report = await world.EndAsync();
            await world.RunForAsync(TimeSpan.FromMinutes(1));
            wrong.AddRange((await WhatIsLeftAsync(world, report, isCancel)).Select(what => $"killed {nth} {crash.At}: {what}"));
            if (crash.At is null)
            {
                nth.ShouldBeGreaterThan(2, "there were changes to die at");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    private static MaintenanceRequest Request(World world, MaintenanceAction kind, bool isCancel) => world.Request() with
    {
        Policy = "p",
        Action = kind,
        ActionOptions = new ActionOptions
        {
            Template = kind switch { MaintenanceAction.Job => "endless", MaintenanceAction.Webhook => "asks", _ => null },
            PowerOffFor = TimeSpan.FromHours(9),
            Timeout = isCancel ? TimeSpan.FromHours(1) : Given,
        },
        Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
        OnFailure = FailurePolicy.Restore,
    };

    private static bool IsUnderWay(World world, MaintenanceAction kind, DyingTargets targets) => kind switch
    {
        MaintenanceAction.PowerCycle => Answered(world, "patch", "baremetalhosts.metal3.io", 200) > 0,
        MaintenanceAction.Webhook => targets.Effects.Count > 0,
        _ => Answered(world, "create", "jobs.batch", 201) > 0,
    };

    private static async Task<IReadOnlyList<string>> WhatIsLeftAsync(World world, MaintenanceReport report, bool isCancel)
    {
        var host = await ActionTests.HostAsync(world);
        var node = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;

        // A machine that was to go down and has not may go down yet.
        var keeps = !isCancel && report.Actions[0].Step.Kind is MaintenanceAction.Reboot or MaintenanceAction.PowerCycle;
        return
        [
            .. Differs("outcome", report.Outcome, isCancel ? MaintenanceOutcome.Cancelled : MaintenanceOutcome.Failed, report.Message),
            .. Differs("actions", Told(report), isCancel ? "action Cancelled" : "action Failed", ""),
            .. Differs("jobs", world.Cluster.Store.List(ResourceTypes.Jobs).Count, 0, ""),
            .. Differs("jobs created", Answered(world, "create", "jobs.batch", 201) <= 1, true, ""),
            .. Differs("annotations of the host", host.Annotations.Keys.Count(static key => key.StartsWith("reboot.metal3.io", StringComparison.Ordinal)), 0, ""),
            .. Differs("cordoned", node.Unschedulable, keeps, report.Message),
            .. Differs("left behind", report.LeftBehind.Count > 0, keeps, string.Join(' ', report.LeftBehind)),
        ];
    }
}

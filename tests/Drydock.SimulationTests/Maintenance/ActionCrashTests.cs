using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// The process dies just before and just after every call that a maintenance makes to the API and every call of a webhook, for
/// each kind of action; and every change that the kind itself makes, as each hook it may be. Everything happens once, nothing stays behind.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed partial class ActionCrashTests
{
    private const string Quick = """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"2s"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";

    private const string Leases = "leases.coordination.k8s.io";

    private static readonly MaintenancePolicy Policy = new("p")
    {
        Jobs = new Dictionary<string, JobTemplate> { ["quick"] = new("default", Quick) },
        Webhooks = new Dictionary<string, WebhookTemplate> { ["change"] = new("https://hooks.example/{node}", "key") { WaitsForCallback = false } },
    };

    /// <summary>What each kind is told, and what it does to the world for each time it is taken. A kind that is not here fails its test.</summary>
    private static readonly Dictionary<MaintenanceAction, Row> Table = new()
    {
        [MaintenanceAction.None] = new(new ActionOptions(), ["nodes", Leases]),
        [MaintenanceAction.Hold] = new(new ActionOptions { RemindEvery = TimeSpan.FromSeconds(4) }, ["events"]),
        [MaintenanceAction.Reboot] = new(new ActionOptions(), ["jobs.batch"]) { Jobs = 1 },
        [MaintenanceAction.PowerCycle] = new(new ActionOptions { PowerOffFor = TimeSpan.FromSeconds(5) }, ["baremetalhosts.metal3.io"]) { PowerPatches = 2 },
        [MaintenanceAction.Job] = new(new ActionOptions { Template = "quick" }, ["jobs.batch"]) { Jobs = 1 },
        [MaintenanceAction.Webhook] = new(new ActionOptions { Template = "change" }, [DyingTargets.Call]) { Calls = 1 },
    };

    public static TheoryData<MaintenanceAction, ActionPoint, bool> EverythingEverywhere
    {
        get
        {
            var data = new TheoryData<MaintenanceAction, ActionPoint, bool>();
            foreach (var (kind, point) in from kind in Enum.GetValues<MaintenanceAction>() from point in Enum.GetValues<ActionPoint>() where IsPossible(kind, point) select (kind, point))
            {
                data.Add(kind, point, false);
                data.Add(kind, point, true);
            }

            return data;
        }
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(EverythingEverywhere))]
    public async Task Everything_happens_once_wherever_the_process_dies(MaintenanceAction kind, ActionPoint point, bool after)
    {
        var wrong = new List<string>();
        for (var nth = 1; ; nth++)
        {
            var targets = new DyingTargets();
            await using var world = await World.StartAsync(Small, configure: Policies.Of(Policy, targets));
            var crash = RequestCrash.Arm(world, request => point == ActionPoint.Action || Table[kind].Makes.Contains(request.Resource), nth, after);
            targets.Crash = crash;
            await world.BeginAsync(Request(world, kind, point));
            var report = await EndAsync(world);
            wrong.AddRange((await WhatIsWrongAsync(world, kind, point, report, targets)).Select(what => $"killed {nth} {crash.At}: {what}"));
            if (crash.At is null)
            {
                nth.ShouldBeGreaterThan(Table[kind].Makes.Count, "there were changes to die at");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(EveryKind))]
    public async Task Everything_happens_once_when_the_process_dies_at_any_reading(MaintenanceAction kind, bool after)
    {
        // A reading changes nothing: before it and after it the world is the same. Each of them is died at once, half before and half after.
        var wrong = new List<string>();
        for (var nth = after ? 2 : 1; ; nth += 2)
        {
            var targets = new DyingTargets();
            await using var world = await World.StartAsync(Small, configure: Policies.Of(Policy, targets));
            var crash = RequestCrash.ArmReadings(world, nth, after);
            await world.BeginAsync(Request(world, kind, ActionPoint.Action));
            var report = await EndAsync(world);

            // What is read from here on is the test's.
            world.Api.Intercept = null;
            wrong.AddRange((await WhatIsWrongAsync(world, kind, ActionPoint.Action, report, targets)).Select(what => $"killed {nth} {crash.At}: {what}"));
            if (crash.At is null)
            {
                nth.ShouldBeGreaterThan(10, "there were readings to die at");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    public static TheoryData<MaintenanceAction, bool> EveryKind
    {
        get
        {
            var data = new TheoryData<MaintenanceAction, bool>();
            foreach (var kind in Enum.GetValues<MaintenanceAction>())
            {
                data.Add(kind, false);
                data.Add(kind, true);
            }

            return data;
        }
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_call_back_that_was_taken_is_not_lost_when_the_process_dies()
    {
        var targets = new Targets();
        await using var world = await World.StartAsync(
            Scenario.Named("healthy"),
            configure: Policies.Of(new("p") { Webhooks = new Dictionary<string, WebhookTemplate> { ["change"] = new("https://hooks.example/{node}", "key") } }, targets));
        await world.BeginAsync(ActionTests.Webhook(world));
        await world.RunUntilAsync(() => targets.Calls.Count > 0);
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        await world.Client.RaiseEventAsync(InstanceIds.Action("m1", "action"), ActionEvents.Callback, new WebhookCallback(true, "done"), default);
        await world.CrashAsync();
        var report = await world.EndAsync();

        (report.Outcome, report.Actions.Single().Outcome).ShouldBe((MaintenanceOutcome.Completed, ActionOutcome.Done));
        targets.Calls.Count.ShouldBe(1);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_complete_that_was_taken_is_not_lost_when_the_process_dies()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), default);
        await world.CrashAsync();
        var report = await world.EndAsync();

        (report.Outcome, report.Actions.Single().Message).ShouldBe((MaintenanceOutcome.Completed, "ann said complete."));
    }

    private static bool IsPossible(MaintenanceAction kind, ActionPoint point) => kind switch
    {
        // A node is not taken down while it is full, or after its health was checked.
        MaintenanceAction.Reboot or MaintenanceAction.PowerCycle => point is ActionPoint.Action or ActionPoint.AfterDrain,
        MaintenanceAction.None => point == ActionPoint.Action,
        _ => true,
    };

    private static string KeyOf(ActionPoint point) => point switch
    {
        ActionPoint.BeforeDrain => "before-drain-1",
        ActionPoint.AfterDrain => "after-drain-1",
        ActionPoint.BeforeUncordon => "before-uncordon-1",
        _ => "action",
    };

    private static MaintenanceRequest Request(World world, MaintenanceAction kind, ActionPoint point)
    {
        var step = new ActionStep(kind, Table[kind].Options);
        var request = world.Request() with { Policy = "p", Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) } };
        return point switch
        {
            ActionPoint.BeforeDrain => request with { Hooks = new MaintenanceHooks { BeforeDrain = [step] } },
            ActionPoint.AfterDrain => request with { Hooks = new MaintenanceHooks { AfterDrain = [step] } },
            ActionPoint.BeforeUncordon => request with { Hooks = new MaintenanceHooks { BeforeUncordon = [step] } },
            _ => request with { Action = kind, ActionOptions = step.Options },
        };
    }

    /// <summary>To the end, through a death; somebody who looks every ten seconds says complete when it is held.</summary>
    private static async Task<MaintenanceReport> EndAsync(World world, DyingTargets? callBack = null)
    {
        while (true)
        {
            var until = world.Time.GetUtcNow() + TimeSpan.FromSeconds(10);
            await using var look = world.Time.CreateTimer(_ => { }, null, TimeSpan.FromSeconds(10), System.Threading.Timeout.InfiniteTimeSpan);
            await world.RunUntilAsync(() => world.IsDead || world.Time.GetUtcNow() >= until);
            if (world.IsDead)
            {
                await world.CrashAsync();
                continue;
            }

            var instance = await world.Client.GetInstanceAsync("m1", true, CancellationToken.None);
            if (instance!.IsCompleted)
            {
                return instance.ReadOutputAs<MaintenanceReport>()!;
            }

            if (instance.ReadCustomStatusAs<MaintenanceStatus>() is { IsHolding: true })
            {
                await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
            }

            if (callBack is { Effects.Count: > 0 } && await world.Client.GetInstanceAsync(InstanceIds.Action("m1", "action"), CancellationToken.None) is { IsCompleted: false } action)
            {
                await world.Client.RaiseEventAsync(action.InstanceId, ActionEvents.Callback, new WebhookCallback(true, "done"), CancellationToken.None);
            }
        }
    }

    private static async Task<IReadOnlyList<string>> WhatIsWrongAsync(
        World world, MaintenanceAction kind, ActionPoint point, MaintenanceReport report, DyingTargets targets)
    {
        var row = Table[kind];
        await ActionTests.NothingIsHeldAsync(world);
        return
        [
            .. Differs("outcome", report.Outcome, MaintenanceOutcome.Completed, report.Message),
            .. Differs("actions", Told(report), kind == MaintenanceAction.None ? "" : $"{KeyOf(point)} Done", ""),
            .. Differs("jobs created", Answered(world, "create", "jobs.batch", 201), row.Jobs, ""),
            .. Differs("patches of the machine's power", Answered(world, "patch", "baremetalhosts.metal3.io", 200), row.PowerPatches, ""),
            .. Differs("webhooks taken", string.Join(' ', targets.Effects), row.Calls == 0 ? "" : $"m1/{KeyOf(point)}", ""),
            .. Differs("bodies for one key", targets.BodiesPerKey, row.Calls, ""),
            .. Differs("patches of the node", Answered(world, "patch", "nodes", 200), 2, ""),
            .. Differs("evictions", string.Join(' ', world.AcceptedEvictions().Select(pod => pod.Split('-')[0])), "shop/web", ""),
            .. report.LeftBehind,
            .. world.WhatIsWrong(),
        ];
    }

    private static string Told(MaintenanceReport report) => string.Join(' ', report.Actions.Select(action => $"{action.Key} {action.Outcome}"));

    private static int Answered(World world, string verb, string resource, int code) =>
        world.Api.RequestLog.Of(verb, resource).Count(request => request.Code == code);

    private static IEnumerable<string> Differs<T>(string what, T saw, T wanted, string why) =>
        Equals(saw, wanted) ? [] : [$"{what}: {saw}, not {wanted}. {why}"];

    private static Scenario Small { get; } = new()
    {
        Name = "small",
        Nodes = [.. ActionTests.Hardware.Nodes.Take(2).Select(node => node with { RebootTakes = TimeSpan.FromSeconds(3) })],
        Workloads = [.. Scenario.Named("healthy").Workloads.Where(workload => workload.Name == "web").Select(workload => workload with { Replicas = 1, On = ["node-1"] })],
        NodeHealthChecks = ActionTests.Hardware.NodeHealthChecks,
        MachineHealthChecks = ActionTests.Hardware.MachineHealthChecks,
        Maintain = "node-1",
    };

    /// <summary>A kind of action.</summary>
    /// <param name="Options">What it is told.</param>
    /// <param name="Makes">What it changes: the resources.</param>
    private sealed record Row(ActionOptions Options, IReadOnlyList<string> Makes)
    {
        public int Jobs { get; init; }

        public int PowerPatches { get; init; }

        public int Calls { get; init; }
    }
}

/// <summary>A change system that does a thing once for each idempotency key; its first answer for each is 503. The process may die at a call.</summary>
internal sealed class DyingTargets : IHttpTargets
{
    public const string Call = "call webhook";

    private readonly Lock _lock = new();
    private readonly List<HttpTargetCall> _received = [];
    private readonly List<string> _effects = [];

    public RequestCrash? Crash { get; set; }

    /// <summary>The keys for which it did something, in order.</summary>
    public IReadOnlyList<string> Effects
    {
        get
        {
            lock (_lock)
            {
                return [.. _effects];
            }
        }
    }

    /// <summary>How many different bodies came for one key, at the most.</summary>
    public int BodiesPerKey
    {
        get
        {
            lock (_lock)
            {
                return _received.GroupBy(Key).Select(static calls => calls.Select(static call => call.Body).Distinct().Count()).DefaultIfEmpty().Max();
            }
        }
    }

    public string? Problem(string url) => null;

    public async Task<HttpTargetAnswer> SendAsync(HttpTargetCall call, CancellationToken cancellationToken)
    {
        if (Crash is null)
        {
            return Receive(call);
        }

        if (await Crash.DiesAsync(Call, isDone: false))
        {
            return new HttpTargetAnswer(null, "The process died before it was sent.");
        }

        var answer = Receive(call);
        await Crash.DiesAsync(Call, isDone: true);
        return answer;
    }

    private static string Key(HttpTargetCall call) => call.Headers["Idempotency-Key"];

    private HttpTargetAnswer Receive(HttpTargetCall call)
    {
        lock (_lock)
        {
            var isFirst = _received.TrueForAll(one => Key(one) != Key(call));
            _received.Add(call);
            if (isFirst)
            {
                return new HttpTargetAnswer(503, "starting");
            }

            if (!_effects.Contains(Key(call)))
            {
                _effects.Add(Key(call));
            }

            return new HttpTargetAnswer(202, "");
        }
    }
}

using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The process dies just before and just after every change an action makes through the API: each happens once.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ActionCrashTests
{
    private static readonly ActionStep Change = new(MaintenanceAction.Webhook, new ActionOptions { Template = "change" });

    private static readonly MaintenancePolicy Policy = new("p")
    {
        Webhooks = new Dictionary<string, WebhookTemplate> { ["change"] = new("https://hooks.example/{node}", "key") { WaitsForCallback = false } },
    };

    [Theory(Timeout = World.Timeout)]
    [InlineData("/jobs", 1, false)]
    [InlineData("/jobs", 1, true)]
    [InlineData("/jobs", 2, false)]
    [InlineData("/jobs", 2, true)]
    [InlineData("/jobs", 3, true)]
    public async Task A_node_is_rebooted_once_whenever_the_process_dies(string path, int nth, bool after)
    {
        await using var world = await World.StartAsync("healthy");
        world.KillAtRequest(request => request.RequestUri!.AbsolutePath.Contains(path), nth, after);

        var report = await world.MaintainAsync(world.Request() with { Action = MaintenanceAction.Reboot });

        world.Deaths.ShouldBe(1);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(1);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    public async Task A_machine_is_switched_off_once_and_never_left_off_whenever_the_process_dies(int nth, bool after)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        world.KillAtRequest(request => request.Method == HttpMethod.Patch && request.RequestUri!.AbsolutePath.Contains("/baremetalhosts"), nth, after);

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffFor = TimeSpan.FromSeconds(30) },
        });

        world.Deaths.ShouldBe(1);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.Api.RequestLog.Of("patch", "baremetalhosts.metal3.io").Count(request => request.Code == 200).ShouldBe(2);
        await ActionTests.NothingIsHeldAsync(world);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    [InlineData(3, true)]
    public async Task A_webhook_has_one_effect_for_each_action_whenever_the_process_dies(int nth, bool after)
    {
        // The first call of each key is answered 503: three calls of two keys, and one more for the death.
        var targets = new DyingTargets(nth, after);
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(Policy, targets));
        targets.World = world;

        var report = await world.MaintainAsync(world.Request() with
        {
            Policy = "p",
            Action = MaintenanceAction.Webhook,
            ActionOptions = Change.Options,
            Hooks = new MaintenanceHooks { BeforeDrain = [Change] },
        });

        world.Deaths.ShouldBe(1);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        targets.Effects.ShouldBe(["m1/before-drain-1", "m1/action"]);
        targets.BodiesPerKey.ShouldBe(1, "a repetition says the same");
        world.WhatIsWrong().ShouldBeEmpty();
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

    [Theory(Timeout = World.Timeout)]
    [InlineData("/nodehealthchecks/", 1, false)]
    [InlineData("/nodehealthchecks/", 1, true)]
    [InlineData("/nodehealthchecks/", 2, true)]
    [InlineData("/machinehealthchecks/", 1, true)]
    [InlineData("/machinehealthchecks/", 2, false)]
    [InlineData("/machinehealthchecks/", 2, true)]
    public async Task Remediation_is_paused_and_let_go_whenever_the_process_dies(string path, int nth, bool after)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        world.KillAtRequest(request => request.Method == HttpMethod.Patch && request.RequestUri!.AbsolutePath.Contains(path), nth, after);

        var report = await world.MaintainAsync();

        world.Deaths.ShouldBe(1);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        await ActionTests.NothingIsHeldAsync(world);
        world.WhatIsWrong().ShouldBeEmpty();
    }
}

/// <summary>A change system that does a thing once for each idempotency key; its first answer for each is 503. The process dies at a call.</summary>
internal sealed class DyingTargets(int nth, bool after) : IHttpTargets
{
    private readonly Lock _lock = new();
    private readonly List<HttpTargetCall> _received = [];
    private readonly List<string> _effects = [];
    private int _left = nth;

    public World? World { get; set; }

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
                return _received.GroupBy(Key).Max(static calls => calls.Select(static call => call.Body).Distinct().Count());
            }
        }
    }

    public string? Problem(string url) => null;

    public async Task<HttpTargetAnswer> SendAsync(HttpTargetCall call, CancellationToken cancellationToken)
    {
        var dies = Interlocked.Decrement(ref _left) == 0;
        if (dies && !after)
        {
            await World!.KillAsync();
            return new HttpTargetAnswer(null, "The process died before it was sent.");
        }

        var answer = Receive(call);
        if (dies)
        {
            await World!.KillAsync();
        }

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

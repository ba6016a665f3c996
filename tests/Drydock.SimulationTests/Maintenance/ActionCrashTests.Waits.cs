using Drydock.Maintenance;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <content>The same for what waits for somebody, and for a probe that is a job.</content>
public sealed partial class ActionCrashTests
{
    private static MaintenancePolicy Asking => new("p")
    {
        Jobs = Policy.Jobs,
        Webhooks = new Dictionary<string, WebhookTemplate> { ["asks"] = new("https://hooks.example/{node}", "key") },
        Probes = new Dictionary<string, ProbeTemplate> { ["check"] = new(ProbeKind.Job) { Job = "quick" } },
    };

    [Theory(Timeout = World.Timeout)]
    [InlineData("off until complete", false)]
    [InlineData("off until complete", true)]
    [InlineData("webhook that calls back", false)]
    [InlineData("webhook that calls back", true)]
    [InlineData("job of a probe", false)]
    [InlineData("job of a probe", true)]
    public async Task What_waits_for_somebody_and_a_probe_by_a_job_happen_once_wherever_the_process_dies(string scene, bool after)
    {
        var (makes, jobs, patches, calls) = scene switch
        {
            "off until complete" => ("baremetalhosts.metal3.io", 0, 2, ""),
            "webhook that calls back" => (DyingTargets.Call, 0, 0, "m1/action"),
            _ => ("jobs.batch", 1, 0, ""),
        };
        var wrong = new List<string>();
        for (var nth = 1; ; nth++)
        {
            var targets = new DyingTargets();
            await using var world = await World.StartAsync(Small, configure: Policies.Of(Asking, targets));
            var crash = RequestCrash.Arm(world, request => request.Resource == makes, nth, after);
            targets.Crash = crash;
            await world.BeginAsync(Request(world, scene));
            var report = await EndAsync(world, targets);
            string[] seen =
            [
                .. Differs("outcome", report.Outcome, MaintenanceOutcome.Completed, report.Message),
                .. Differs("jobs created", Answered(world, "create", "jobs.batch", 201), jobs, ""),
                .. Differs("patches of the machine's power", Answered(world, "patch", "baremetalhosts.metal3.io", 200), patches, ""),
                .. Differs("webhooks taken", string.Join(' ', targets.Effects), calls, ""),
                .. report.LeftBehind,
                .. world.WhatIsWrong(),
            ];
            wrong.AddRange(seen.Select(what => $"killed {nth} {crash.At}: {what}"));
            if (crash.At is null)
            {
                nth.ShouldBeGreaterThan(1, "there were changes to die at");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    private static MaintenanceRequest Request(World world, string scene)
    {
        var request = world.Request() with { Policy = "p", Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) } };
        return scene switch
        {
            "off until complete" => request with { Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffUntilComplete = true } },
            "webhook that calls back" => request with { Action = MaintenanceAction.Webhook, ActionOptions = new ActionOptions { Template = "asks" } },
            _ => request with { Health = request.Health with { Probes = ["check"] } },
        };
    }
}

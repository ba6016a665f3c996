using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The health gate in virtual time: deadlines, probes, and what the report says.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class HealthGateTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_kubelet_that_stays_too_old_fails_by_the_deadline_and_the_node_stays_cordoned()
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync(world.Request() with
        {
            Health = new HealthPolicy { KubeletVersion = "v1.99.0", Timeout = TimeSpan.FromMinutes(20) },
        });

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, false));
        report.Message.ShouldBe("Node node-1 was not healthy within 20m: The kubelet is v1.36.2, at least v1.99.0 is wanted.");
        var health = report.Steps.Single(step => step.Step == MaintenanceStep.Health);
        (health.To - health.From).ShouldBeInRange(TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(21));
        (await world.Kubernetes.GetNodeAsync("node-1", default))!.Unschedulable.ShouldBeTrue();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_kubelet_that_a_reboot_brings_to_the_wanted_version_passes()
    {
        var healthy = Scenario.Named("healthy");
        await using var world = await World.StartAsync(healthy with
        {
            Nodes = [.. healthy.Nodes.Select(node => node with { KubeletVersionAfterReboot = "v1.37.0" })],
        });

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.Reboot, Health = new HealthPolicy { KubeletVersion = "v1.37.0" },
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_probe_is_asked_until_it_passes_and_one_that_never_does_says_what_it_saw()
    {
        var policy = new MaintenancePolicy("p")
        {
            Probes = new Dictionary<string, ProbeTemplate> { ["up"] = new(ProbeKind.Http) { Url = "https://status.example/{node}", Contains = "ok" } },
        };
        var targets = new Targets { Failures = 3 };
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(policy, targets));

        var report = await world.MaintainAsync(world.Request() with
        {
            Policy = "p", Health = new HealthPolicy { Probes = ["up"], Timeout = TimeSpan.FromMinutes(2) },
        });

        report.Message.ShouldBe("Node node-1 was not healthy within 2m: Probe up: the answer does not contain 'ok': 202");
        targets.Calls.Count.ShouldBeInRange(11, 14);
        targets.Calls[0].Url.ShouldBe("https://status.example/node-1");
    }
}

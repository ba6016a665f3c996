using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Virtual machines and pods leave in one order, as the rules of the request say.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class MachineOrderTests
{
    private const string Launchers = "kubevirt.io=virt-launcher";

    [Theory(Timeout = World.Timeout)]
    [InlineData("app=early", -1, "early", "one", "late")]
    [InlineData("app=late", 1, "early", "one", "late")]
    [InlineData(Launchers, 1, "early", "late", "one")]
    [InlineData(Launchers, -1, "one", "early", "late")]
    public async Task What_has_a_lower_order_is_gone_before_the_next_is_asked_to_leave(string selector, int order, params string[] inTurn)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { EvictionStrategy = "None" }) with { Workloads = [Web("early"), Web("late")] });
        var request = Request(world);

        var report = await world.MaintainAsync(request with
        {
            Drain = request.Drain with { Rules = [new DrainRule(DrainBehavior.Evict) { PodSelector = selector, Order = order }] },
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var machine = report.VirtualMachines.ShouldHaveSingleItem();
        machine.Outcome.ShouldBe(VmOutcome.RestartedElsewhere, machine.Message);
        var evicted = world.Api.RequestLog.Of("create", "pods", "eviction").Where(request => request.Code is 200 or 201)
            .Select(request => (Name: inTurn.Single(name => request.Name!.Contains(name, StringComparison.Ordinal)), request.Time)).ToDictionary();
        var gone = report.Pods.Where(pod => !pod.IsLauncher).ToDictionary(pod => pod.Pod.Name.Split('-')[0], pod => pod.GoneAt!.Value);
        gone["one"] = evicted["one"].AddSeconds(1);
        foreach (var (before, after) in Apart(selector, order, inTurn))
        {
            evicted[after].ShouldBeGreaterThanOrEqualTo(gone[before].AddSeconds(-1), $"{after} after {before}");
            (evicted[after] - evicted[before]).ShouldBeGreaterThan(TimeSpan.FromSeconds(1), $"{after} after {before}");
            (evicted[after] - gone[before]).ShouldBeLessThan(TimeSpan.FromSeconds(15), "it is told at once that its turn has come");
        }
    }

    // Those that the rule sets apart; pods and machines without one leave together.
    private static IEnumerable<(string Before, string After)> Apart(string selector, int order, string[] inTurn)
    {
        var ruled = selector == Launchers ? "one" : selector["app=".Length..];
        return inTurn.Where(name => name != ruled).Select(other => order < 0 ? (ruled, other) : (other, ruled));
    }

    private static WorkloadSpec Web(string name) => new("deployment", "shop", name) { On = ["node-1"], TerminateAfter = TimeSpan.FromSeconds(5) };
}

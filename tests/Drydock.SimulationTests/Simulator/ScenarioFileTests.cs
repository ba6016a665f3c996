using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class ScenarioFileTests
{
    [Theory]
    [InlineData("nodes: []", "name is missing. (line 1)")]
    [InlineData("name: x\nnode: []", "Unknown field node (a list), line 2. Allowed here: budgets, description, evictionStrategy, expect, faults, hyperConverged, machineApi, machineHealthChecks, maintain, migrations, name, nodeHealthChecks, nodes, request, storage, users, virtualMachines, workloads.")]
    [InlineData("name: x\nnodes: [{name: a, cpus: 4}]", "Unknown field nodes[0].cpus (4), line 2. Allowed here: bareMetalHost, controlPlane, cordoned, count, cpu, cpuModel, ignoresSoftPowerOff, kubeletVersion, kubeletVersionAfterReboot, labels, machine, memory, name, pods, rebootTakes, shutdownTakes, stopsSilently, zone.")]
    [InlineData("name: x\nnodes: [{name: a, count: 2}]", "nodes[0].name is 'a'. Allowed: a name with {n} when there is a count, such as worker-{n}.")]
    [InlineData("name: x\nnodes: [{name: a, rebootTakes: soon}]", "nodes[0].rebootTakes is 'soon'. Allowed: a duration such as 200ms, 1.5s or 2m.")]
    [InlineData("name: x\nnodes: [{name: a, pods: -1}]", "nodes[0].pods is '-1'. Allowed: a whole number, 0 or more. (line 2)")]
    [InlineData("name: x\nnodes: [{name: a}]\nmaintain: b", "maintain is 'b'. Allowed: a.")]
    [InlineData("name: x\nnodes: [{name: a}]\nvirtualMachines: [{name: v, runStrategy: Sometimes}]", "virtualMachines[0].runStrategy is 'Sometimes'. Allowed: Always, RerunOnFailure, Manual, Halted, Once, WaitAsReceiver.")]
    [InlineData("name: x\nnodes: [{name: a}]\nvirtualMachines: [{name: v}]\nexpect: {virtualMachines: {default/v: gone}}", "expect.virtualMachines.default/v is 'gone'. Allowed: migrated, restarted, restored, down, untouched.")]
    [InlineData("name: x\nnodes: [{name: a}]\nworkloads: [{replicas: 2}]", "A workload has one of the fields deployment, statefulSet, daemonSet, pod, with NAMESPACE/NAME.")]
    [InlineData("name: x\nnodes: [{name: a}]\nbudgets: [{name: b}]", "budgets[0].minAvailable is 'nothing'. Allowed: one of minAvailable and maxUnavailable, not both.")]
    [InlineData("name: [x", "Not YAML")]
    public void A_file_that_cannot_be_used_is_refused_with_field_value_and_what_is_allowed(string text, string message) =>
        Should.Throw<ScenarioException>(() => Scenario.Load(text)).Message.ShouldStartWith(message);

    [Fact]
    public void An_unknown_name_lists_the_known_ones() =>
        Should.Throw<ScenarioException>(() => Scenario.Named("nope")).Message.ShouldBe($"There is no scenario 'nope'. There are: {string.Join(", ", Scenario.Names)}; and the examples {string.Join(", ", Scenario.Examples)}.");

    [Fact]
    public void The_six_scenarios_of_the_demo_are_there() => Scenario.Names.ShouldBe(
        ["healthy", "disruption-budget", "migration-stuck", "node-not-ready", "vm-not-migratable", "vm-pending-after-restart"]);

    [Fact]
    public void A_request_is_handed_on_as_it_is() => Scenario.Named("migration-stuck").Request.ToJsonString().ShouldBe(
        """{"virtualMachines":{"schedulingTimeout":"3s","maxAttempts":2,"retryDelay":"1s","onStuck":"ShutDown"},"health":{"stableFor":"2s"}}""");

    [Fact]
    public void Counted_nodes_have_numbered_names() =>
        Scenario.Load("name: x\nnodes: [{name: 'worker-{n}', count: 3}]").Nodes.Select(node => node.Name).ShouldBe(["worker-1", "worker-2", "worker-3"]);
}

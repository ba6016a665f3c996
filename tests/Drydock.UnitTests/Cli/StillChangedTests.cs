using Drydock.Cli.Embedded;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.VirtualMachines;
using Drydock.UnitTests.Server;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Cli;

public sealed class StillChangedTests
{
    [Fact]
    public async Task A_machine_that_is_marked_before_its_eviction_is_not_told_as_stopped()
    {
        var prior = new VmPrior("worker-a", "RerunOnFailure", null);
        var cluster = new StubCluster("worker-a")
        {
            Mark = new HoldMark("drydock/h/m-1", "{}"), MarkedVms = [Marked("stopped", prior), Marked("evicted", prior with { IsEvicted = true }), Marked("unreadable", null)],
        };

        var sentences = await StillChanged.ReadAsync(cluster, null, "worker-a");

        sentences.ShouldBe(
        [
            "Node worker-a is schedulable and marked as held by drydock/h/m-1.",
            "Virtual machine vms/stopped is marked: it was stopped and waits to be started again.",
            "Virtual machine vms/evicted is marked: once its eviction has shut it down it is started again.",
            "Virtual machine vms/unreadable is marked: it was stopped and waits to be started again.",
        ]);
    }

    private static VmSnapshot Marked(string name, VmPrior? prior) =>
        new(new ObjectRef("vms", name), name, "1") { Mark = new HoldMark("drydock/h/m-1", prior is null ? "?" : LedgerJson.Write(prior)) };
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class SubresourceTests
{
    public static TheoryData<string> Rows => [.. RecordedRow.All().Select(row => row.ToString())];

    /// <summary>The cells of the table by run strategy, without the row of the deprecated field.</summary>
    public static TheoryData<string, string> Cells =>
        [.. ObservedTests.Table("f)").SkipLast(1).SelectMany(row => ((string[])["start", "stop", "restart"]).Select(operation => (row[0], operation)))];

    [Theory]
    [MemberData(nameof(Rows))]
    public void Every_recorded_call_is_answered_and_carried_out_as_recorded(string name)
    {
        var row = RecordedRow.All().Single(each => each.ToString() == name);
        var vm = $"f-{row.RunStrategy.ToLowerInvariant()}-{row.State}-{row.Operation}";
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}evictionStrategy: LiveMigrate\nvirtualMachines: [{{name: {vm}, runStrategy: {row.RunStrategy}}}]\n");
        BringTo(cluster, vm, row);
        var uid = cluster.Vmi(vm)?.UidOf();
        State(cluster, vm).ShouldBe(row.Before);

        var (code, reason, message) = Call(cluster, vm, row.Operation);

        (code, reason ?? string.Empty, message).ShouldBe((row.Code, row.Reason, row.Message));
        RunStrategies.Of(cluster.Vm(vm)).ShouldBe(row.StrategyAfter);
        string.Join(',', cluster.Vm(vm).Objects("status", "stateChangeRequests").Select(each => each.Text("action"))).ShouldBe(row.Requests);
        cluster.Pass(14);
        Later(cluster, vm, uid, row).ShouldBe(row.Later);
    }

    [Theory]
    [MemberData(nameof(Cells))]
    public void What_a_run_strategy_makes_of_a_call_is_what_was_observed(string state, string operation)
    {
        // What is said in parentheses of a start that is paused has a row in the full table.
        var cell = ObservedTests.Table("f)").Single(row => row[0] == state)[Array.IndexOf(["", "start", "stop", "restart"], operation)].Split(" (with ")[0];
        var rows = RecordedRow.All().Where(row => row.Operation == operation && Describes(state, row)).ToList();
        rows.ShouldNotBeEmpty();
        foreach (var row in rows)
        {
            var cluster = new TestCluster($"{TestCluster.ThreeNodes}evictionStrategy: LiveMigrate\nvirtualMachines: [{{name: vm, runStrategy: {row.RunStrategy}}}]\n");
            BringTo(cluster, "vm", row);
            var uid = cluster.Vmi("vm")?.UidOf();

            var (code, _, message) = Call(cluster, "vm", operation);

            code.ShouldBe(int.Parse(cell[..3]));
            (code == 409 ? message.Split("\"vm\": ")[1] : "").ShouldStartWith(code == 409 ? cell[4..].TrimEnd('…') : "");
            RunStrategies.Of(cluster.Vm("vm")).ShouldBe(cell.Contains('→', StringComparison.Ordinal) ? cell.Split(' ')[^1].Trim('*') : row.RunStrategy);
            cluster.Vm("vm").Objects("status", "stateChangeRequests").Select(each => each.Text("action"))
                .ShouldBe(((string[])["Stop", "Start"]).Where(action => cell.Contains(action, StringComparison.Ordinal)));
            cluster.Pass(14);
            (cluster.Vmi("vm")?.UidOf() is { } later && later != uid).ShouldBe(code == 202 && (operation != "stop"));
        }
    }

    [Theory]
    [InlineData(true, "stop")]
    [InlineData(false, "start")]
    public void A_machine_with_the_deprecated_field_keeps_it(bool running, string operation)
    {
        var row = ObservedTests.Table("f)").Single(each => each[0].StartsWith("running: true / false", StringComparison.Ordinal));
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}virtualMachines: [{{name: vm, runStrategy: {(running ? "Always" : "Halted")}}}]\n");
        cluster.Store.Update(KubeVirtTypes.VirtualMachines, "default", "vm", vm =>
        {
            vm.Set(null, "spec", "runStrategy");
            vm.Set(running, "spec", "running");
            return true;
        });

        var (code, _, _) = Call(cluster, "vm", operation);
        cluster.Pass(14);

        $"{code} → running: {(cluster.Vm("vm").Flag("spec", "running") ? "true" : "false")}".ShouldBe(row[operation == "start" ? 1 : 2]);
        cluster.Vm("vm").At("spec", "runStrategy").ShouldBeNull();
        (cluster.Vmi("vm")?.InstancePhase()).ShouldBe(running ? null : "Running");
    }

    [Fact]
    public void A_missing_machine_is_not_found_by_its_singular_name()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);

        Call(cluster, "g-nope", "stop").ShouldBe((404, "NotFound", "virtualmachine.kubevirt.io \"g-nope\" not found"));
    }

    [Fact]
    public void A_machine_that_cannot_migrate_answers_with_the_webhooks_refusal_inside_a_500()
    {
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}virtualMachines: [{{name: g-nm, notMigratable: HostDeviceNotLiveMigratable}}]\n");

        Call(cluster, "g-nm", "migrate").ShouldBe((500, "InternalError",
            "Internal error occurred: admission webhook \"migration-create-validator.kubevirt.io\" denied the request: Cannot migrate VMI, "
            + "Reason: HostDeviceNotLiveMigratable, Message: VMI specifies non-migratable generic PCI host device"));
    }

    [Fact]
    public void A_dry_run_changes_nothing()
    {
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}virtualMachines: [{{name: vm}}]\n");
        var before = cluster.Vm("vm")!.VersionOf();

        new KubeVirtSubresources(cluster.Store, cluster.Simulated.Clock).Call(new("PUT", "subresources.kubevirt.io", "v1", "default", "virtualmachines", "vm", "stop", null, DryRun: true)).Code.ShouldBe(202);

        cluster.Vm("vm")!.VersionOf().ShouldBe(before);
    }

    private static bool Describes(string state, RecordedRow row)
    {
        var words = state.Split([',', ' '], 2);

        return words[0] == row.RunStrategy && words.ElementAtOrDefault(1) switch
        {
            null => true,
            var what when what.Contains("no VMI", StringComparison.Ordinal) => row.State == "novmi",
            var what when what.Contains("Succeeded", StringComparison.Ordinal) || what.Contains("shut down", StringComparison.Ordinal) => row.State == "succeeded",
            var what => what.Contains(row.State, StringComparison.Ordinal),
        };
    }

    private static (int Code, string? Reason, string Message) Call(TestCluster cluster, string vm, string operation)
    {
        var (path, body) = operation switch
        {
            "start-paused" => ("start", new JsonObject { ["paused"] = true }),
            "stop-grace0" => ("stop", new JsonObject { ["gracePeriod"] = 0 }),
            "restart-grace0" => ("restart", new JsonObject { ["gracePeriodSeconds"] = 0 }),
            _ => (operation, null),
        };
        try
        {
            var answer = new KubeVirtSubresources(cluster.Store, cluster.Simulated.Clock)
                .Call(new("PUT", "subresources.kubevirt.io", "v1", "default", "virtualmachines", vm, path, body, DryRun: false));
            return (answer.Code, null, string.Empty);
        }
        catch (ApiException refusal)
        {
            return (refusal.Code, refusal.Reason, refusal.Message);
        }
    }

    // "running" is how a scenario starts a machine; the others need a shutdown from inside or a target that starts slowly.
    private static void BringTo(TestCluster cluster, string vm, RecordedRow row)
    {
        if (row.RunStrategy == "Manual" && row.State is "running" or "succeeded" && cluster.Vmi(vm) is null)
        {
            Call(cluster, vm, "start");
            cluster.Pass(5);
        }

        if (row.State == "succeeded")
        {
            cluster.Store.Update(KubeVirtTypes.Instances, "default", vm, vmi =>
            {
                vmi.SetPhase("Succeeded", cluster.Now);
                return true;
            });
            cluster.Pass(5);
        }
        else if (row.State == "starting")
        {
            foreach (var node in (string[])["node-1", "node-2", "node-3"])
            {
                cluster.Cordon(node);
            }

            Call(cluster, vm, "restart");
            cluster.Pass(5);
        }
    }

    private static string State(TestCluster cluster, string vm)
    {
        var printable = cluster.Vm(vm).Text("status", "printableStatus");
        return $"{(printable == "ErrorUnschedulable" ? "Starting" : printable)}/{cluster.Vmi(vm)?.InstancePhase() ?? "None"}";
    }

    private static string Later(TestCluster cluster, string vm, string? uid, RecordedRow row)
    {
        var now = cluster.Vmi(vm)?.UidOf();
        var which = now is null ? string.Empty : now == uid ? "same VMI" : "new VMI";
        return $"{RunStrategies.Of(cluster.Vm(vm))} {State(cluster, vm)} {which}".Trim();
    }
}

using System.Text;
using Drydock.DurableTask.Client;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Microsoft.Data.Sqlite;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// The program is another after a restart, and one of the orchestrations under way does not do any more what its history says: that is said in
/// words, nothing is done twice, and nothing is left that <c>drydock restore</c> does not find.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class UpdateTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData("m1:pods", "pods.evict")]
    [InlineData("m1:vm:vms/database", "vm.evict-launcher")]
    public async Task A_part_that_cannot_go_on_fails_its_maintenance_in_words_and_the_node_is_put_back(string instance, string step)
    {
        await using var world = await BegunAsync();

        await world.CrashAsync(hub => Change(hub, instance, step));
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored, report.LeftBehind.Count).ShouldBe((MaintenanceOutcome.Failed, true, 0), report.Message);
        report.Message.ShouldContain($"the code called activity '{step}'");
        await NothingIsLeftAsync(world);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("m1:lease", "lease.renew")]
    [InlineData("m1:hold", "node.await-marks")]
    public async Task What_renews_the_lease_or_keeps_the_marks_is_started_anew_and_the_maintenance_goes_on(string instance, string step)
    {
        await using var world = await BegunAsync();

        await world.CrashAsync(hub => Change(hub, instance, step));
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        report.Findings.ShouldContain(finding => finding.Message.Contains($"the code called activity '{step}'"));
        world.WhatIsWrong().Where(what => !what.Contains("within")).ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_maintenance_that_cannot_go_on_says_at_which_step_and_a_restore_by_hand_puts_the_node_back()
    {
        await using var world = await BegunAsync();

        await world.CrashAsync(static hub => Change(hub, "m1", "node.mark"));
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var end = (await world.Client.GetInstanceAsync("m1", getInputsAndOutputs: true, CancellationToken.None))!;
        var restored = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);

        end.RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Failed);
        end.FailureDetails!.ErrorMessage.ShouldContain("orchestrator 'node.maintenance', instance 'm1', step 5: history says that activity 'xode.mark' was called");
        (restored.IsRefused, restored.LeftBehind.Count).ShouldBe((false, 0));
        await NothingIsLeftAsync(world);
    }

    /// <summary>In the middle of a drain: pods are evicted one by one, a machine is being migrated.</summary>
    private static async Task<World> BegunAsync()
    {
        var world = await World.StartAsync(Slow);
        await world.BeginAsync(world.Request() with { OnFailure = FailurePolicy.Restore, LeaseDuration = TimeSpan.FromMinutes(6) });
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        return world;
    }

    private static async Task NothingIsLeftAsync(World world)
    {
        var evicted = world.AcceptedEvictions().Count;
        await world.RunForAsync(TimeSpan.FromMinutes(30));

        (await LeftRunningTests.RunningAsync(world)).ShouldBeEmpty();
        world.AcceptedEvictions().Count.ShouldBe(evicted);
        world.AcceptedEvictions().ShouldBeUnique();
        world.WhatIsWrong().Where(what => !what.Contains("have left it")).ShouldBeEmpty();
    }

    private static Scenario Slow { get; } = new()
    {
        Name = "slow",
        EvictionStrategy = "LiveMigrate",
        Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}"))],
        Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 10, On = ["node-1"], StartAfter = TimeSpan.FromSeconds(30) }],
        Budgets = [new BudgetSpec("shop", "web", "web") { MaxUnavailable = "1" }],
        VirtualMachines = [new VirtualMachineSpec("vms", "database") { On = "node-1", RunStrategy = "Always", Memory = "4Gi", Copy = TimeSpan.FromMinutes(5) }],
        Maintain = "node-1",
    };

    /// <summary>As if the code asked for a step that it did not ask for: the history names another in its place.</summary>
    private static void Change(string hub, string instance, string step)
    {
        using var connection = new SqliteConnection($"Data Source={hub};Pooling=False");
        connection.Open();
        var rows = new List<(long Key, long Seq, byte[] Payload)>();
        using (var select = connection.CreateCommand())
        {
            select.CommandText = "SELECT h.instance_key, h.seq, h.payload FROM history h JOIN instances i ON i.key = h.instance_key WHERE i.id = $id";
            select.Parameters.AddWithValue("$id", instance);
            using var reader = select.ExecuteReader();
            while (reader.Read())
            {
                rows.Add((reader.GetInt64(0), reader.GetInt64(1), (byte[])reader.GetValue(2)));
            }
        }

        var name = Encoding.UTF8.GetBytes(step);
        var changed = 0;
        foreach (var (key, seq, payload) in rows)
        {
            var at = payload.AsSpan().IndexOf(name);
            if (at < 0)
            {
                continue;
            }

            payload[at] = (byte)'x';
            using var update = connection.CreateCommand();
            update.CommandText = "UPDATE history SET payload = $payload WHERE instance_key = $key AND seq = $seq";
            update.Parameters.AddWithValue("$payload", payload);
            update.Parameters.AddWithValue("$key", key);
            update.Parameters.AddWithValue("$seq", seq);
            changed += update.ExecuteNonQuery();
        }

        changed.ShouldBeGreaterThan(0, $"{step} is in the history of {instance}");
    }
}

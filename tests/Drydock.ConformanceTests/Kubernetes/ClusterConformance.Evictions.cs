using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Simulator.Api;
using Drydock.Simulator.Store;
using Shouldly;

namespace Drydock.ConformanceTests.Kubernetes;

/// <summary>Evictions, virtual machines and waiting for what becomes of them.</summary>
public abstract partial class ClusterConformance
{
    [Fact]
    public async Task A_pod_is_evicted_once_and_its_replacement_is_never_touched()
    {
        var web = await PodOfAsync("web-");

        (await EvictAsync(web)).Answer.ShouldBe(EvictionAnswer.Accepted);

        (await EvictAsync(web)).Answer.ShouldBe(EvictionAnswer.Terminating);
        (await EvictAsync(web with { Uid = Guid.NewGuid().ToString() })).Answer.ShouldBe(EvictionAnswer.Gone);
        (await Cluster.DeletePodAsync(web, TimeSpan.Zero, Token)).Answer.ShouldBe(EvictionAnswer.Accepted);
        (await EvictAsync(web)).Answer.ShouldBe(EvictionAnswer.Gone);
    }

    [Fact]
    public async Task A_budget_lets_one_go_and_holds_the_next()
    {
        var pods = (await Cluster.ListPodsOnNodeAsync("node-1", Token)).Where(pod => pod.Ref.Name.StartsWith("api-", StringComparison.Ordinal)).ToList();

        (await EvictAsync(pods[0].Instance)).Answer.ShouldBe(EvictionAnswer.Accepted);
        var held = await EvictAsync(pods[1].Instance);

        held.Answer.ShouldBeOneOf(EvictionAnswer.BudgetExhausted, EvictionAnswer.BudgetNotObserved);
        held.Object.ShouldBe("poddisruptionbudget/shop/api");
    }

    [Fact]
    public async Task A_budget_that_allows_none_is_called_so()
    {
        var outcome = await EvictAsync(await PodOfAsync("never-"));

        (outcome.Answer, outcome.Object).ShouldBe((EvictionAnswer.BudgetCanNeverBeMet, "poddisruptionbudget/shop/never"));
    }

    [Fact]
    public async Task Two_budgets_over_one_pod_are_both_named()
    {
        var pod = (await Cluster.ListPodsOnNodeAsync("node-1", Token)).First(found => found.Ref.Name.StartsWith("free-", StringComparison.Ordinal));
        foreach (var name in (string[])["one", "two"])
        {
            Simulation.Store.Create(ResourceTypes.PodDisruptionBudgets, new JsonObject
            {
                ["apiVersion"] = "policy/v1",
                ["kind"] = "PodDisruptionBudget",
                ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "shop" },
                ["spec"] = new JsonObject
                {
                    ["minAvailable"] = 0,
                    ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject([.. pod.Labels.Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value))]) },
                },
            });
        }

        var outcome = await EvictAsync(pod.Instance);

        (outcome.Answer, outcome.Object).ShouldBe(
            (EvictionAnswer.SeveralBudgets, "poddisruptionbudget/shop/one, poddisruptionbudget/shop/two"));
    }

    [Fact]
    public async Task Being_forbidden_or_throttled_is_an_answer_and_a_broken_connection_is_not()
    {
        var free = await PodOfAsync("free-");
        using (Simulation.Api.Access.Deny("create", "pods/eviction"))
        {
            var forbidden = await EvictAsync(free);
            forbidden.Answer.ShouldBe(EvictionAnswer.Forbidden);
            forbidden.Message.ShouldNotBeNull().ShouldContain("is not allowed to create pods/eviction in namespace shop");
        }

        using (Simulation.Api.Fail(new Fault { Resource = "pods", Subresource = "eviction", Code = 429, RetryAfterSeconds = 3, Count = 1 }))
        {
            (await EvictAsync(free)).ShouldSatisfyAllConditions(
                outcome => outcome.Answer.ShouldBe(EvictionAnswer.Throttled), outcome => outcome.RetryAfter.ShouldBe(TimeSpan.FromSeconds(3)));
        }

        using (Simulation.Api.Fail(new Fault { Resource = "pods", Subresource = "eviction", ConnectionReset = true, AfterTheWrite = true, Count = 1 }))
        {
            (await Should.ThrowAsync<ClusterException>(() => EvictAsync(free))).IsTransient.ShouldBeTrue();
        }

        // It was carried out; who asks again sees that.
        (await EvictAsync(free)).Answer.ShouldBeOneOf(EvictionAnswer.Terminating, EvictionAnswer.Gone);
    }

    [Fact]
    public async Task A_machine_is_marked_migrated_and_its_launcher_goes()
    {
        var launcher = await PodOfAsync("virt-launcher-database-");

        var first = await EvictAsync(launcher);
        (first.Answer, first.Object).ShouldBe((EvictionAnswer.VmMigrating, "vmi/vms/database"));
        var cursor = await Cluster.WaitForChangeAsync("node-1", null, Later(20), Token);
        while ((await Cluster.GetVmiAsync(new ObjectRef("vms", "database"), Token))!.Node == "node-1")
        {
            cursor = await Cluster.WaitForChangeAsync("node-1", cursor, Later(20), Token);
        }

        var migration = (await Cluster.ListMigrationsAsync(new ObjectRef("vms", "database"), Token)).ShouldHaveSingleItem();
        (migration.IsEvacuation, migration.SourceNode).ShouldBe((true, "node-1"));
        (await Cluster.ListMigrationsAsync(null, Token)).Count.ShouldBe(1);

        // Until its process ended, KubeVirt takes the launcher that was left for a target: it is not on the machine's node.
        await UntilAsync(async () => (await EvictAsync(launcher)).Answer is EvictionAnswer.Accepted or EvictionAnswer.Gone);
    }

    [Fact]
    public async Task A_machine_that_cannot_migrate_is_stopped_marked_and_started_again()
    {
        (await EvictAsync(await PodOfAsync("virt-launcher-fixed-"))).ShouldSatisfyAllConditions(
            outcome => outcome.Answer.ShouldBe(EvictionAnswer.VmNotMigratable), outcome => outcome.Object.ShouldBe("vmi/vms/fixed"));
        var machine = new ObjectRef("vms", "fixed");
        (await Cluster.CallVmAsync(machine, VmCall.Migrate, null, Token)).IsAccepted.ShouldBeFalse();

        var mark = new HoldMark("drydock/h/a", """{"runStrategy":"Always"}""");
        (await MarkAsync(machine, mark)).Mark.ShouldBe(mark);
        (await Cluster.ListMarkedVmsAsync("drydock/h/a", Token)).Select(vm => vm.Ref).ShouldBe([machine]);
        (await Cluster.ListMarkedVmsAsync("drydock/h/b", Token)).ShouldBeEmpty();
        (await Cluster.CallVmAsync(machine, VmCall.Stop, null, Token)).ShouldBe(new VmCallOutcome(true, 202, null));
        (await Cluster.GetVmAsync(machine, Token))!.RunStrategy.ShouldBe("Halted");

        await UntilAsync(async () => await Cluster.GetVmiAsync(machine, Token) is null);
        (await Cluster.CallVmAsync(machine, VmCall.Stop, null, Token)).Code.ShouldBe(409);
        await UntilAsync(async () => await Cluster.SetRunStrategyAsync((await Cluster.GetVmAsync(machine, Token))!, "Always", Token) is not null);
        await UntilAsync(async () => (await Cluster.GetVmiAsync(machine, Token))?.Phase == "Running");
        (await MarkAsync(machine, null)).Mark.ShouldBeNull();
    }

    [Fact]
    public async Task An_evacuation_is_withdrawn()
    {
        foreach (var node in (string[])["node-2", "node-3"])
        {
            Simulation.Store.Update(ResourceTypes.Nodes, null, node, found => (found["spec"] = new JsonObject { ["unschedulable"] = true }) is not null);
        }

        (await EvictAsync(await PodOfAsync("virt-launcher-database-"))).Answer.ShouldBe(EvictionAnswer.VmMigrating);
        var vmi = (await Cluster.GetVmiAsync(new ObjectRef("vms", "database"), Token))!;
        vmi.EvacuationNode.ShouldBe("node-1");
        await UntilAsync(async () => (await Cluster.ListMigrationsAsync(vmi.Ref, Token)).Count > 0);

        (await Cluster.CancelEvacuationAsync(vmi, Token)).IsAccepted.ShouldBeTrue();
        (await Cluster.CancelEvacuationAsync(vmi, Token)).IsAccepted.ShouldBeTrue();
        foreach (var migration in await Cluster.ListMigrationsAsync(vmi.Ref, Token))
        {
            await Cluster.DeleteMigrationAsync(migration.Ref, migration.Uid, Token);
        }

        await UntilAsync(async () => (await Cluster.ListMigrationsAsync(vmi.Ref, Token)).All(migration => migration.IsFinished));
        (await Cluster.GetVmiAsync(vmi.Ref, Token))!.EvacuationNode.ShouldBeNull();
    }

    [Fact]
    public async Task A_wait_ends_when_a_pod_of_the_node_goes_also_after_the_watches_broke()
    {
        var cursor = await QuietAsync("node-1");
        await EvictAsync(await PodOfAsync("free-"));
        cursor = await WokenAsync(cursor);

        Simulation.Api.DropWatches();
        cursor = await QuietAsync("node-1");
        await EvictAsync(await PodOfAsync("web-"));
        cursor = await WokenAsync(cursor);

        // Everything before now is forgotten: the watches get 410 and list again.
        ((ObjectStore)Simulation.Store).Compact();
        Simulation.Api.DropWatches();
        cursor = await QuietAsync("node-1");
        await EvictAsync(await PodOfAsync("api-"));
        await WokenAsync(cursor);
    }

    /// <summary>A cursor after which the node is quiet: all watches are up and have told what they had to tell.</summary>
    private async Task<string> QuietAsync(string node)
    {
        var cursor = await Cluster.WaitForChangeAsync(node, null, Later(1), Token);
        while (true)
        {
            var next = await Cluster.WaitForChangeAsync(node, cursor, Later(0.5), Token);
            if (next == cursor)
            {
                return cursor;
            }

            cursor = next;
        }
    }

    private async Task<string> WokenAsync(string cursor)
    {
        var next = await Cluster.WaitForChangeAsync("node-1", cursor, Later(30), Token);
        next.ShouldNotBe(cursor);
        return next;
    }

    private static DateTimeOffset Later(double seconds) => TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(seconds);

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            TimeProvider.System.GetElapsedTime(start).ShouldBeLessThan(TimeSpan.FromMinutes(1));
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
        }
    }

    private async Task<VmSnapshot> MarkAsync(ObjectRef machine, HoldMark? mark)
    {
        while (true)
        {
            if (await Cluster.MarkVmAsync((await Cluster.GetVmAsync(machine, Token))!, mark, Token) is { } marked)
            {
                return marked;
            }
        }
    }

    private Task<EvictionOutcome> EvictAsync(PodInstance pod) => Cluster.EvictPodAsync(pod, null, Token);

    private async Task<PodInstance> PodOfAsync(string start) =>
        (await Cluster.ListPodsOnNodeAsync("node-1", Token)).First(pod => pod.Ref.Name.StartsWith(start, StringComparison.Ordinal)).Instance;
}

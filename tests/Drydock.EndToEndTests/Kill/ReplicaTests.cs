using System.Text.Json;
using Drydock.Api;
using Drydock.ConformanceTests.TaskHub;
using Drydock.EndToEndTests.Cli;
using Drydock.EndToEndTests.Server;
using Drydock.Simulator.KubeVirt;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Kill;

/// <summary>Several servers on one PostgreSQL: any of them may be killed, and the others go on with what it was at.</summary>
public sealed class ReplicaTests
{
    private static readonly MaintenanceCreate Request = new() { Node = "node-1", Reason = "new kernel", Health = new HealthSettings { StableFor = "1s" } };

    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task A_server_killed_in_the_drain_is_replaced_by_another_with_the_same_deadlines_and_nothing_is_done_twice()
    {
        // A copy that takes a while, so that there is something to go on with.
        await using var cluster = await LiveCluster.StartAsync("healthy", copy: TimeSpan.FromSeconds(8));
        var database = PostgreSqlServer.Shared.NewDatabase();
        await using var first = Serve(cluster, database);
        await using var second = Serve(cluster, database);
        using var one = await ConnectAsync(first);
        using var other = await ConnectAsync(second);
        var started = await new DrydockApiClient(one).CreateMaintenanceAsync(Request, null, Token);
        var api = new DrydockApiClient(other);

        // Its virtual machines are on their way, each with a deadline.
        var before = await WatchAsync(api, started.Id, view => view.Step == "Drain" && view.Vms.Any(vm => vm is { Phase: "Running", Deadline: not null }));
        await first.KillAsync();
        List<MaintenanceView> seen = [];
        var after = await WatchAsync(api, started.Id, view =>
        {
            seen.Add(view);
            return view.IsOver;
        });

        before.IsOver.ShouldBeFalse();
        after.State.ShouldBe(MaintenanceState.Completed, after.Message);
        after.LeftBehind.ShouldBeEmpty();
        after.Vms.ShouldAllBe(vm => vm.Outcome == "Migrated");
        cluster.Evictions().Values.ShouldAllBe(times => times == 1);
        cluster.Cluster.Check().Where(check => !check.Ok).ShouldBeEmpty();
        cluster.Cluster.Store.List(KubeVirtTypes.Migrations).Count.ShouldBe(after.Vms.Count);
        var drains = seen.Where(view => view.Step == before.Step).ToList();
        drains.ShouldNotBeEmpty();
        drains.ShouldAllBe(view => view.Deadline == before.Deadline);
    }

    [Fact]
    public async Task A_maintenance_that_one_server_runs_is_cancelled_at_another_without_a_long_wait()
    {
        await using var cluster = await LiveCluster.StartAsync("disruption-budget");
        var database = PostgreSqlServer.Shared.NewDatabase();
        await using var first = Serve(cluster, database);
        await using var second = Serve(cluster, database);
        using var one = await ConnectAsync(first);
        using var other = await ConnectAsync(second);
        var node = cluster.Node;
        var started = await new DrydockApiClient(one).CreateMaintenanceAsync(Request with { Node = node }, null, Token);
        var api = new DrydockApiClient(other);
        await WatchAsync(api, started.Id, view => view.Step == "Drain");

        var asked = TimeProvider.System.GetTimestamp();
        await api.CancelMaintenanceAsync(started.Id, "wrong node", Token);
        var after = await WatchAsync(api, started.Id, view => view.IsOver);

        after.State.ShouldBe(MaintenanceState.Cancelled, after.Message);
        TimeProvider.System.GetElapsedTime(asked).ShouldBeLessThan(TimeSpan.FromSeconds(40));
        cluster.IsCordoned().ShouldBeFalse();
    }

    private static DrydockProcess Serve(LiveCluster cluster, string database) =>
        cluster.Start("serve", "--db", database, "--urls", "http://127.0.0.1:0", "--access", "none", "--output", "json");

    private static async Task<HttpClient> ConnectAsync(DrydockProcess server)
    {
        await server.WaitForAsync("\"kind\":\"listening\"");
        var line = server.Output.Split('\n').First(line => line.Contains("\"kind\":\"listening\"", StringComparison.Ordinal));
        return new HttpClient { BaseAddress = new Uri(JsonDocument.Parse(line).RootElement.GetProperty("data").GetProperty("url").GetString()!) };
    }

    private async Task<MaintenanceView> WatchAsync(DrydockApiClient api, string id, Func<MaintenanceView, bool> until)
    {
        while (true)
        {
            var view = await api.GetMaintenanceAsync(id, Token);
            if (view.IsOver || until(view))
            {
                return view;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
        }
    }
}

using Drydock.Kubernetes;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Watching;

/// <summary>In a large cluster something happens at every moment: who waits for a machine of one node is not woken by each of it.</summary>
public sealed class MachineWaitTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly PlayedServer _server = new();
    private readonly Dictionary<string, PlayedWatch> _watches = new(StringComparer.Ordinal);
    private readonly KubernetesCluster _cluster;
    private long _told;

    public MachineWaitTests()
    {
        Serve("/api/v1/nodes", "");
        Serve("/apis/policy/v1/poddisruptionbudgets", "");
        Serve("/apis/kubevirt.io/v1/virtualmachineinstances", Vmi("db", "n1", "Running"));
        Serve("/apis/kubevirt.io/v1/virtualmachineinstancemigrations", "");
        Serve("/api/v1/pods", $"{Pod("virt-launcher-db", """ "kubevirt.io":"virt-launcher","app":"db" """)},{Pod("web", """ "app":"web" """)}");
        _cluster = _server.Connect(_clock);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Twenty_things_that_happen_elsewhere_in_each_second_wake_twice_a_second()
    {
        var cursor = await SettleAsync();
        var wait = WaitForMachine(cursor);
        var woken = 0;
        for (var moment = 0; moment < 200; moment++)
        {
            await TellAsync("nodes", "ADDED", $$$"""{"metadata":{"name":"new-{{{moment}}}","uid":"u"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}""");
            _clock.Advance(TimeSpan.FromMilliseconds(50));
            if (_cluster.Counts.ParkedWaits == 0)
            {
                woken++;
                wait = WaitForMachine(await wait);
            }
        }

        woken.ShouldBeInRange(10, 20);
    }

    [Fact]
    public async Task What_happens_to_the_machine_while_others_are_gathered_is_told_at_once()
    {
        var cursor = await SettleAsync();
        await TellAsync("nodes", "ADDED", """{"metadata":{"name":"new","uid":"u"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}""");
        var wait = WaitForMachine(cursor);
        _clock.Advance(TimeSpan.FromMilliseconds(60));
        _cluster.Counts.ParkedWaits.ShouldBe(1);

        // It restarts elsewhere: its new instance is on no node yet.
        await TellAsync("virtualmachineinstances", "MODIFIED", Vmi("db", "", "Pending"));
        _clock.Advance(TimeSpan.FromMilliseconds(50));

        _cluster.Counts.ParkedWaits.ShouldBe(0);
        await wait;
    }

    [Fact]
    public async Task A_budget_that_covers_no_machine_of_the_node_wakes_only_those_who_wait_for_budgets()
    {
        var cursor = await SettleAsync();
        var (ofMachine, ofBudget, ofNode) = (WaitForMachine(cursor), WaitForBudget(cursor), Wait(cursor));

        await TellAsync("poddisruptionbudgets", "ADDED", Budget("web", "web", 1));
        _clock.Advance(TimeSpan.FromMilliseconds(50));

        await ofBudget.WaitAsync(TimeSpan.FromSeconds(10));
        await ofNode.WaitAsync(TimeSpan.FromSeconds(10));
        _clock.Advance(TimeSpan.FromSeconds(10));
        _cluster.Counts.ParkedWaits.ShouldBe(1);

        await TellAsync("poddisruptionbudgets", "ADDED", Budget("db", "db", 0));
        _clock.Advance(TimeSpan.FromMilliseconds(50));
        var next = WaitForMachine(await ofMachine.WaitAsync(TimeSpan.FromSeconds(10)));
        await TellAsync("poddisruptionbudgets", "MODIFIED", Budget("db", "db", 1));
        _clock.Advance(TimeSpan.FromMilliseconds(50));

        await next.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task The_migrations_under_way_are_known_from_the_watch_and_those_that_finished_are_not_kept()
    {
        await SettleAsync();
        await TellAsync("virtualmachineinstancemigrations", "ADDED", Migration("old", "Succeeded", "2026-01-01T00:00:00Z"));
        await TellAsync("virtualmachineinstancemigrations", "ADDED", Migration("b", "Pending", "2026-01-01T00:00:01Z"));
        await TellAsync("virtualmachineinstancemigrations", "ADDED", Migration("c", "Running", "2026-01-01T00:00:02Z"));
        await TellAsync("virtualmachineinstancemigrations", "ADDED", Migration("d", "Running", "2026-01-01T00:00:03Z"));
        await TellAsync("virtualmachineinstancemigrations", "MODIFIED", Migration("d", "Failed", "2026-01-01T00:00:03Z"));

        _cluster.WatchedMigrations!.Select(migration => $"{migration.Ref.Name} {migration.Phase}").ShouldBe(["c Running", "b Pending"]);

        _watches["virtualmachineinstancemigrations"].Break();
        await UntilAsync(() => _cluster.WatchedMigrations is null);
    }

    private void Serve(string path, string items)
    {
        var plural = path[(path.LastIndexOf('/') + 1)..];
        _watches[plural] = new PlayedWatch();
        var list = $$$"""{"metadata":{"resourceVersion":"10"},"items":[{{{items}}}]}""";
        _server.On($"GET {path}?", request => request.Line.Contains("?watch", StringComparison.Ordinal) ? _watches[plural].Open() : PlayedServer.Answer(200, list));
    }

    /// <summary>All watches are open and what they told at the start is behind us.</summary>
    private async Task<string> SettleAsync()
    {
        await Wait(null);
        await UntilAsync(() => _watches.Keys.All(plural => _server.Asked.Any(line => line.Contains($"/{plural}?watch", StringComparison.Ordinal)))
            && _cluster.Counts.RequestsInFlight == 0 && _cluster.WatchedMigrations is not null && _cluster.WatchedBudgets is not null);
        return await Wait(null);
    }

    private async Task TellAsync(string plural, string type, string json)
    {
        _watches[plural].Send(type, json);
        _told++;
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == _told);
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            limit.IsCancellationRequested.ShouldBeFalse();
            await Task.Yield();
        }
    }

    private DateTimeOffset Until => _clock.GetUtcNow() + TimeSpan.FromMinutes(5);

    private Task<string> Wait(string? cursor) => _cluster.WaitForChangeAsync("n1", cursor, Until, CancellationToken.None);

    private Task<string> WaitForBudget(string cursor) => _cluster.WaitForBudgetChangeAsync("n1", cursor, Until, CancellationToken.None);

    private Task<string> WaitForMachine(string cursor) => _cluster.WaitForMachineChangeAsync("n1", cursor, Until, CancellationToken.None);

    private static string Pod(string name, string labels) => $$$"""
        {"metadata":{"name":"{{{name}}}","namespace":"ns","uid":"{{{name}}}","labels":{ {{{labels}}} }},"spec":{"nodeName":"n1"},"status":{"phase":"Running"}}
        """;

    private static string Budget(string name, string app, int allowed) => $$$"""
        {"metadata":{"name":"{{{name}}}","namespace":"ns","uid":"{{{name}}}"},"spec":{"selector":{"matchLabels":{"app":"{{{app}}}"} } },"status":{"disruptionsAllowed":{{{allowed}}} } }
        """;

    private static string Vmi(string name, string node, string phase) => $$$"""
        {"metadata":{"name":"{{{name}}}","namespace":"ns","uid":"{{{name}}}"},"status":{"nodeName":"{{{node}}}","phase":"{{{phase}}}"}}
        """;

    private static string Migration(string name, string phase, string created) => $$$"""
        {"metadata":{"name":"{{{name}}}","namespace":"ns","uid":"{{{name}}}","creationTimestamp":"{{{created}}}"},"spec":{"vmiName":"db"},"status":{"phase":"{{{phase}}}"}}
        """;
}

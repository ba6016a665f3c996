using Drydock.Kubernetes;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Watching;

/// <summary>A wait ends on the first change that can matter, once per burst, and survives whatever happens to a watch.</summary>
public sealed class ChangeFeedTests : IAsyncLifetime
{
    private const string Pods = "GET /api/v1/pods?";
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly PlayedServer _server = new();
    private readonly KubernetesCluster _cluster;
    private PlayedWatch _pods = new();
    private PlayedWatch _nodes = new();
    private readonly PlayedWatch _budgets = new();

    public ChangeFeedTests()
    {
        _server.On("GET /api/v1/nodes?limit", 200, List());
        _server.On("GET /api/v1/nodes?watch", _ => _nodes.Open());
        _server.On("GET /apis/policy/v1/poddisruptionbudgets?limit", 200, List());
        _server.On("GET /apis/policy/v1/poddisruptionbudgets?watch", _ => _budgets.Open());
        _server.On(Pods + "fieldSelector=spec.nodeName=n1&limit", 200, List(Pod("p", "Running")));
        _server.On(Pods + "watch", _ => _pods.Open());
        _cluster = _server.Connect(_clock);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Without_a_cursor_or_with_one_of_another_process_the_wait_ends_at_once()
    {
        var until = _clock.GetUtcNow() + TimeSpan.FromMinutes(1);

        var cursor = await _cluster.WaitForChangeAsync("n1", null, until, CancellationToken.None);

        (await _cluster.WaitForChangeAsync("n1", "0123:7", until, CancellationToken.None)).ShouldStartWith(cursor.Split(':')[0]);
    }

    [Fact]
    public async Task Changes_that_come_close_together_wake_once()
    {
        var cursor = await SettleAsync();
        var wait = Wait(cursor);

        _pods.Send("MODIFIED", Pod("p", "Succeeded"));
        _pods.Send("DELETED", Pod("p", "Succeeded"));
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == 2);
        wait.IsCompleted.ShouldBeFalse();
        _cluster.Counts.ParkedWaits.ShouldBe(1);
        _clock.Advance(TimeSpan.FromMilliseconds(50));

        _cluster.Counts.ParkedWaits.ShouldBe(0);
        var next = Wait(await wait);
        _clock.Advance(TimeSpan.FromSeconds(1));
        next.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_change_between_two_waits_ends_the_next_at_once()
    {
        var cursor = await SettleAsync();

        _pods.Send("MODIFIED", Pod("p", "Failed"));
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == 1);

        (await Wait(cursor).WaitAsync(TimeSpan.FromMinutes(1))).ShouldNotBe(cursor);
    }

    [Fact]
    public async Task A_heartbeat_wakes_nobody_and_a_node_that_takes_pods_again_wakes_all()
    {
        var cursor = await SettleAsync();
        var wait = Wait(cursor);

        _nodes.Send("ADDED", Node("other", ready: false, heartbeat: "2026-01-01T00:00:00Z"));
        _nodes.Send("MODIFIED", Node("other", ready: false, heartbeat: "2026-01-01T00:00:10Z"));
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == 2);
        _clock.Advance(TimeSpan.FromSeconds(1));
        wait.IsCompleted.ShouldBeFalse();

        _nodes.Send("MODIFIED", Node("other", ready: true, heartbeat: "2026-01-01T00:00:20Z"));
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == 3);
        _clock.Advance(TimeSpan.FromMilliseconds(50));
        await wait.WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Who_waits_for_a_machine_is_woken_by_launchers_and_not_by_other_pods()
    {
        var cursor = await SettleAsync();
        var ofNode = Wait(cursor);
        var ofMachine = WaitForMachine(cursor);

        _pods.Send("DELETED", Pod("p", "Running"));
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == 1);
        _clock.Advance(TimeSpan.FromMilliseconds(50));
        await ofNode.WaitAsync(TimeSpan.FromMinutes(1));
        ofMachine.IsCompleted.ShouldBeFalse();
        _cluster.Counts.ParkedWaits.ShouldBe(1);

        _pods.Send("ADDED", Launcher("virt-launcher-db"));
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == 2);
        _clock.Advance(TimeSpan.FromMilliseconds(50));
        await ofMachine.WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task A_launcher_that_went_between_two_waits_ends_the_next_for_a_machine_at_once_and_another_pod_does_not()
    {
        var cursor = await SettleAsync();
        _pods.Send("MODIFIED", Pod("p", "Failed"));
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == 1);

        var wait = WaitForMachine(cursor);
        wait.IsCompleted.ShouldBeFalse();
        _pods.Send("ADDED", Launcher("virt-launcher-db"));
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == 2);

        await WaitForMachine(cursor).WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Nothing_happens_until_the_time_is_up()
    {
        var wait = Wait(await SettleAsync());

        _clock.Advance(TimeSpan.FromSeconds(59));
        wait.IsCompleted.ShouldBeFalse();
        _clock.Advance(TimeSpan.FromSeconds(1));

        await wait.WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task A_cancelled_wait_is_not_parked_any_more()
    {
        using var stop = new CancellationTokenSource();
        var wait = _cluster.WaitForChangeAsync("n1", await SettleAsync(), _clock.GetUtcNow() + TimeSpan.FromMinutes(1), stop.Token);

        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => wait);
        _cluster.Counts.ParkedWaits.ShouldBe(0);
    }

    [Fact]
    public async Task A_dropped_connection_goes_on_where_it_was()
    {
        var wait = Wait(await SettleAsync());
        _pods.Send("BOOKMARK", """{"metadata":{"resourceVersion":"77"}}""");
        var broken = _pods;
        _pods = new PlayedWatch();

        broken.Break();
        await UntilAsync(() => _server.Asked.Any(line => line.Contains("resourceVersion=77", StringComparison.Ordinal)), advance: true);
        _pods.Send("MODIFIED", Pod("p", "Failed"));
        await UntilAsync(() => _cluster.Counts.WatchEventsSeen == 1);
        _clock.Advance(TimeSpan.FromMilliseconds(50));

        await wait.WaitAsync(TimeSpan.FromMinutes(1));
        _server.Asked.Count(line => line.StartsWith(Pods + "fieldSelector", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task An_expired_watch_lists_again_and_tells_what_changed_meanwhile()
    {
        var wait = Wait(await SettleAsync());
        _server.On(Pods + "fieldSelector=spec.nodeName=n1&limit", 200, List());
        var expired = _pods;
        _pods = new PlayedWatch();

        expired.Send("ERROR", Recording.Json("expired").GetProperty("object").GetRawText());
        await UntilAsync(() => _server.Asked.Count(line => line.StartsWith(Pods + "watch", StringComparison.Ordinal)) == 2);
        _clock.Advance(TimeSpan.FromMilliseconds(50));

        await wait.WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task A_silent_watch_is_opened_again()
    {
        await SettleAsync();
        var silent = _pods;
        _pods = new PlayedWatch();

        // From here on its silence is measured.
        _clock.Advance(TimeSpan.FromSeconds(1));
        silent.Send("BOOKMARK", """{"metadata":{"resourceVersion":"77"}}""");
        await UntilAsync(() => _cluster.Counts.Watches.Any(watch => watch.HeardAt == _clock.GetUtcNow()));
        _clock.Advance(TimeSpan.FromSeconds(150));

        await UntilAsync(() => _server.Asked.Count(line => line.StartsWith(Pods + "watch", StringComparison.Ordinal)) == 2);
        silent.Close();
    }

    [Fact]
    public async Task That_a_watch_was_opened_counts_as_heard_also_of_a_server_that_has_nothing_to_tell()
    {
        await SettleAsync();
        var broken = _pods;
        _pods = new PlayedWatch();

        // As when the API server is restarted; the watch is open again after a moment, and nobody touches a pod or sends a bookmark.
        broken.Break();
        await UntilAsync(() => PodsWatch() is { Broken: not null });
        await UntilAsync(() => PodsWatch() is { Broken: null }, advance: true);
        var opened = PodsWatch().HeardAt;
        _clock.Advance(TimeSpan.FromSeconds(150));
        await UntilAsync(() => PodsWatch().HeardAt >= opened + TimeSpan.FromSeconds(150));

        PodsWatch().Broken.ShouldBeNull();
        WatchState PodsWatch() => _cluster.Counts.Watches.Single(watch => watch.Resource == "pods");
    }

    [Fact]
    public async Task Watches_end_when_nobody_waited_for_five_minutes()
    {
        await SettleAsync();

        for (var minute = 0; minute < 6; minute++)
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            await UntilAsync(() => _cluster.Counts.RequestsInFlight == 0);
        }

        var asked = _server.Asked.Count;
        _clock.Advance(TimeSpan.FromMinutes(30));
        await Task.Yield();
        _server.Asked.Count.ShouldBe(asked);
    }

    [Fact]
    public async Task An_API_server_that_is_away_for_a_while_is_asked_again()
    {
        _server.On(Pods + "fieldSelector=spec.nodeName=n1&limit", (_, _) => throw new HttpRequestException("Connection refused"));
        var until = _clock.GetUtcNow() + TimeSpan.FromMinutes(1);
        var cursor = await _cluster.WaitForChangeAsync("n1", null, until, CancellationToken.None);
        await UntilAsync(() => _server.Asked.Any(line => line.StartsWith(Pods, StringComparison.Ordinal)));

        _server.On(Pods + "fieldSelector=spec.nodeName=n1&limit", 200, List(Pod("p", "Running")));

        await UntilAsync(() => _server.Asked.Any(line => line.StartsWith(Pods + "watch", StringComparison.Ordinal)), advance: true);
        (await _cluster.WaitForChangeAsync("n1", cursor, until, CancellationToken.None)).ShouldNotBe(cursor);
    }

    /// <summary>All watches are open and what they told at the start is behind us.</summary>
    private async Task<string> SettleAsync()
    {
        var until = _clock.GetUtcNow() + TimeSpan.FromMinutes(1);
        await _cluster.WaitForChangeAsync("n1", null, until, CancellationToken.None);
        string[] kinds = ["/nodes?", "/pods?", "/poddisruptionbudgets?"];
        await UntilAsync(() => kinds.All(kind => _server.Asked.Any(line => line.Contains(kind + "watch", StringComparison.Ordinal)))
            && _server.Asked.Any(line => line.Contains("instances?", StringComparison.Ordinal))
            && _server.Asked.Any(line => line.Contains("migrations?", StringComparison.Ordinal))
            && _cluster.Counts.RequestsInFlight == 0);

        // Each of the five watches tells once, when it has listed, that all may have changed.
        var cursor = "";
        while (!cursor.EndsWith(":5", StringComparison.Ordinal))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, TestContext.Current.CancellationToken);
            cursor = await _cluster.WaitForChangeAsync("n1", null, until, TestContext.Current.CancellationToken);
        }

        return cursor;
    }

    private Task<string> Wait(string cursor) =>
        _cluster.WaitForChangeAsync("n1", cursor, _clock.GetUtcNow() + TimeSpan.FromMinutes(1), CancellationToken.None);

    private Task<string> WaitForMachine(string cursor) =>
        _cluster.WaitForMachineChangeAsync("n1", cursor, _clock.GetUtcNow() + TimeSpan.FromMinutes(1), CancellationToken.None);

    private async Task UntilAsync(Func<bool> condition, bool advance = false)
    {
        var end = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            TimeProvider.System.GetElapsedTime(end).ShouldBeLessThan(TimeSpan.FromMinutes(1));
            if (advance)
            {
                _clock.Advance(TimeSpan.FromMilliseconds(100));
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, CancellationToken.None);
        }
    }

    private static string List(params string[] items) => $$"""{"metadata":{"resourceVersion":"10"},"items":[{{string.Join(',', items)}}]}""";

    private static string Pod(string name, string phase) =>
        $$$"""{"metadata":{"name":"{{{name}}}","namespace":"ns","uid":"u","resourceVersion":"11"},"spec":{"nodeName":"n1"},"status":{"phase":"{{{phase}}}"}}""";

    private static string Launcher(string name) =>
        $$$"""{"metadata":{"name":"{{{name}}}","namespace":"ns","uid":"l","resourceVersion":"12","labels":{"kubevirt.io":"virt-launcher"}},"spec":{"nodeName":"n1"},"status":{"phase":"Running"}}""";

    private static string Node(string name, bool ready, string heartbeat) => $$$"""
        {"metadata":{"name":"{{{name}}}","uid":"u","resourceVersion":"11"},"status":{"conditions":[
          {"type":"Ready","status":"{{{(ready ? "True" : "False")}}}","lastHeartbeatTime":"{{{heartbeat}}}"}]}}
        """;
}

using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Drydock.Api;
using Drydock.EndToEndTests.Cli;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>What can be read of a server at work: pages, versions, streams, metrics and traces.</summary>
public sealed class ReadingTests : IAsyncLifetime
{
    private Harbour _harbour = null!;

    private CancellationToken Token { get; } = Harbour.Deadline();

    private HttpClient Http => _harbour.Http;

    public async ValueTask InitializeAsync() => _harbour = await Harbour.OpenAsync(Token);

    public ValueTask DisposeAsync() => _harbour.DisposeAsync();

    [Fact]
    public async Task Nodes_come_page_by_page_with_lease_and_maintenance()
    {
        var held = await HoldAsync();

        var first = await Http.GetFromJsonAsync<NodeList>("api/v1/nodes?limit=1", ApiJson.Options, Token);
        var all = new List<NodeView>(first!.Items);
        while (first.Next is not null)
        {
            first = (await Http.GetFromJsonAsync<NodeList>($"api/v1/nodes?limit=1&after={first.Next}", ApiJson.Options, Token))!;
            all.AddRange(first.Items);
        }

        all.Select(static node => node.Name).ShouldBe(["node-1", "node-2", "node-3"]);
        var one = all[0];
        (one.IsCordoned, one.MaintenanceId, one.MaintenanceState).ShouldBe((true, held.Id, MaintenanceState.Holding));
        one.Lease.ShouldNotBeNull().Holder.ShouldContain(held.Id);
        one.Lease.IsExpired.ShouldBeFalse();
        all[1].Lease.ShouldBeNull();
        (await Http.GetFromJsonAsync<NodeList>("api/v1/nodes?cordoned=true", ApiJson.Options, Token))!.Items.ShouldHaveSingleItem().Name.ShouldBe("node-1");
        (await Http.GetAsync("api/v1/nodes/nope", Token)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task All_pods_of_a_maintenance_are_there_while_it_runs_and_when_it_is_over()
    {
        var held = await HoldAsync();
        var during = await PodsAsync(held.Id, 2);
        await _harbour.Api.CompleteMaintenanceAsync(held.Id, skipHealth: true, Token);
        var ended = await _harbour.WatchAsync(held.Id, static _ => false, Token);
        var after = await PodsAsync(held.Id, 3);

        during.Count.ShouldBeGreaterThanOrEqualTo(held.Pods.ToEvict);
        during.ShouldAllBe(static pod => pod.IsGone && pod.Attempts > 0 && pod.GoneAt != null);
        after.Select(static pod => pod.Uid).ShouldBe(ended.Report!.Pods.Select(static pod => pod.Uid), ignoreOrder: true);
        (await Http.GetFromJsonAsync<PodList>($"api/v1/maintenances/{held.Id}/pods?gone=false", ApiJson.Options, Token))!.Items.ShouldBeEmpty();
        (await Http.GetFromJsonAsync<VmList>($"api/v1/maintenances/{held.Id}/vms?limit=1", ApiJson.Options, Token))!.Items.ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData("api/v1/nodes?limit=0", "limit")]
    [InlineData("api/v1/nodes?limit=many", "limit")]
    [InlineData("api/v1/nodes?cordoned=perhaps", "cordoned")]
    [InlineData("api/v1/maintenances?state=Sleeping", "state")]
    [InlineData("api/v1/maintenances?limit=501", "limit")]
    [InlineData("api/v1/maintenances?after=nope", "after")]
    public async Task A_bad_query_is_answered_with_the_field(string path, string field)
    {
        var answer = await Http.GetAsync(path, Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await answer.Content.ReadFromJsonAsync<Problem>(ApiJson.Options, Token))!.Errors.ShouldHaveSingleItem().Field.ShouldBe(field);
    }

    [Theory]
    [InlineData("node-1a", "node-2")]
    [InlineData("node-0", "node-1")]
    [InlineData("zzz", null)]
    public async Task A_page_of_nodes_begins_behind_a_node_that_is_gone_by_now(string gone, string? first)
    {
        var page = (await Http.GetFromJsonAsync<NodeList>($"api/v1/nodes?limit=1&after={gone}", ApiJson.Options, Token))!;

        page.Items.Select(static node => node.Name).ShouldBe(first is null ? [] : [first]);
    }

    [Fact]
    public async Task Lists_choose_by_state_and_by_who_asked()
    {
        var held = await HoldAsync();

        foreach (var (query, count) in new[] { ("state=holding", 1), ("state=Running", 0), ("requestedBy=" + Uri.EscapeDataString(held.RequestedBy!), 1), ("requestedBy=nobody", 0), ("node=node-1", 1), ("node=node-2", 0) })
        {
            (await Http.GetFromJsonAsync<MaintenanceList>($"api/v1/maintenances?{query}", ApiJson.Options, Token))!.Items.Count.ShouldBe(count, query);
        }
    }

    [Fact]
    public async Task A_change_is_made_only_to_the_version_that_the_caller_saw()
    {
        var held = await HoldAsync();
        var seen = await Http.GetAsync($"api/v1/maintenances/{held.Id}", Token);
        var tag = seen.Headers.ETag.ShouldNotBeNull();

        var unchanged = await SendAsync(HttpMethod.Get, $"api/v1/maintenances/{held.Id}", request => request.Headers.IfNoneMatch.Add(tag));
        var refused = await SendAsync(HttpMethod.Post, $"api/v1/maintenances/{held.Id}/cancel", static request => request.Headers.IfMatch.Add(new EntityTagHeaderValue("\"old\"")));
        var still = await _harbour.Api.GetMaintenanceAsync(held.Id, Token);
        var done = await SendAsync(HttpMethod.Post, $"api/v1/maintenances/{held.Id}/complete", request => request.Headers.IfMatch.Add(tag));

        unchanged.StatusCode.ShouldBe(HttpStatusCode.NotModified);
        refused.StatusCode.ShouldBe(HttpStatusCode.PreconditionFailed);
        (await refused.Content.ReadFromJsonAsync<Problem>(ApiJson.Options, Token))!.Type.ShouldBe(ProblemTypes.Changed);
        still.State.ShouldBe(MaintenanceState.Holding);
        done.StatusCode.ShouldBe(HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task A_stream_that_comes_back_is_not_told_what_it_knows_but_all_that_changed()
    {
        var held = await HoldAsync();
        var (first, id) = await FirstEventAsync($"maintenances/{held.Id}", null, TimeSpan.FromSeconds(10));
        var (again, _) = await FirstEventAsync($"maintenances/{held.Id}", id, TimeSpan.FromSeconds(2));
        await _harbour.Api.CancelMaintenanceAsync(held.Id, "enough", Token);
        await _harbour.WatchAsync(held.Id, static _ => false, Token);
        var (last, end) = await FirstEventAsync($"maintenances/{held.Id}", id, TimeSpan.FromSeconds(10));
        var known = await SendAsync(HttpMethod.Get, $"api/v1/maintenances/{held.Id}/events", request => request.Headers.TryAddWithoutValidation("Last-Event-ID", end));

        first.ShouldNotBeNull().ShouldContain("\"state\":\"Holding\"");
        again.ShouldBeNull("the version is the one that was seen");
        last.ShouldNotBeNull().ShouldContain("\"state\":\"Cancelled\"");
        known.StatusCode.ShouldBe(HttpStatusCode.NoContent, "It is over and known: a browser does not ask again.");
    }

    [Fact]
    public async Task One_trace_goes_from_the_request_to_the_eviction()
    {
        var trace = ActivityTraceId.CreateRandom();
        var spans = new System.Collections.Concurrent.ConcurrentBag<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name is "Drydock.DurableTask" or "Microsoft.AspNetCore",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);

        var answer = await SendAsync(HttpMethod.Post, "api/v1/maintenances", request =>
        {
            request.Headers.Add("traceparent", $"00-{trace.ToHexString()}-{ActivitySpanId.CreateRandom().ToHexString()}-01");
            request.Content = JsonContent.Create(new MaintenanceCreate { Node = "node-1", Health = new HealthSettings { StableFor = "0s" } }, options: ApiJson.Options);
        });
        var started = (await answer.Content.ReadFromJsonAsync<MaintenanceView>(ApiJson.Options, Token))!;
        await _harbour.WatchAsync(started.Id, static _ => false, Token);

        spans.Where(span => span.TraceId == trace).Select(static span => span.OperationName).ShouldContain("activity:pods.evict");
    }

    [Fact]
    public async Task A_rollout_is_followed_to_its_end_by_a_program_and_by_a_person()
    {
        var rollout = await _harbour.Api.CreateRolloutAsync(
            new RolloutCreate { Nodes = ["node-2", "node-3"], Maintenance = new MaintenanceSettings { Health = new HealthSettings { StableFor = "0s" } } }, null, Token);
        await using var person = DrydockProcess.Start(Path.GetTempPath(), "rollout", "watch", rollout.Id, "--server", _harbour.Http.BaseAddress!.ToString());

        var seen = new List<RolloutView>();
        await foreach (var view in _harbour.Api.WatchRolloutAsync(rollout.Id, Token))
        {
            seen.Add(view);
        }

        var code = await person.WaitForExitAsync();
        seen[^1].IsOver.ShouldBeTrue();
        seen.Select(static view => view.Done).ShouldBeInOrder();
        seen.SelectMany(static view => view.Nodes).ShouldContain(static node => node.Node == "node-2" && node.State == "UnderMaintenance");
        (code, person.Error).ShouldBe((0, ""));
        person.Output.ShouldContain("  node-3: Completed (");
        person.Output.ShouldContain("Completed, 2 of 2 nodes done.");

        var (data, last) = await FirstEventAsync($"rollouts/{rollout.Id}", null, TimeSpan.FromSeconds(10));
        JsonNode.Parse(data!)!["state"]!.GetValue<string>().ShouldBe("Completed");
        var known = await SendAsync(HttpMethod.Get, $"api/v1/rollouts/{rollout.Id}/events", request => request.Headers.TryAddWithoutValidation("Last-Event-ID", last));
        known.StatusCode.ShouldBe(HttpStatusCode.NoContent, "It is over and known: a browser does not ask again.");
    }

    [Fact]
    public async Task A_stream_that_has_nothing_to_tell_says_that_it_lives()
    {
        var held = await HoldAsync();
        var types = new List<string>();
        using (var answer = await Http.GetAsync($"api/v1/maintenances/{held.Id}/events", HttpCompletionOption.ResponseHeadersRead, Token))
        {
            await using var stream = await answer.Content.ReadAsStreamAsync(Token);
            await foreach (var item in System.Net.ServerSentEvents.SseParser.Create(stream).EnumerateAsync(Token))
            {
                types.Add(item.EventType);
                if (item.EventType == "heartbeat")
                {
                    break;
                }
            }
        }

        types[0].ShouldBe("maintenance");
        types[^1].ShouldBe("heartbeat");

        // Who left in the middle of a silence holds nothing up.
        await _harbour.Api.CancelMaintenanceAsync(held.Id, null, Token);
        (await _harbour.WatchAsync(held.Id, static _ => false, Token)).State.ShouldBe(MaintenanceState.Cancelled);
    }

    [Fact]
    public async Task Who_stops_watching_stops_nothing_else()
    {
        var held = await HoldAsync();
        await using var person = DrydockProcess.Start(Path.GetTempPath(), "watch", held.Id, "-o", "json", "--server", _harbour.Http.BaseAddress!.ToString());
        await person.WaitForAsync("\"type\":\"progress\"");

        await person.InterruptAsync();

        (await person.WaitForExitAsync()).ShouldBe(130, person.Output + person.Error);
        person.Output.ShouldContain($"Come back with 'drydock watch {held.Id}'");
        (await _harbour.Api.GetMaintenanceAsync(held.Id, Token)).State.ShouldBe(MaintenanceState.Holding);
    }

    [Fact]
    public async Task Rollouts_windows_machines_and_histories_come_in_pages()
    {
        for (var index = 0; index < 3; index++)
        {
            await _harbour.Api.CreateWindowAsync(new WindowCreate { Name = $"w{index}", Cron = FarDate.Cron, Duration = "1h", Rollout = new RolloutCreate { Nodes = ["node-1"] } }, Token);
            await _harbour.Api.CreateRolloutAsync(new RolloutCreate { Nodes = ["node-3"], Maintenance = new MaintenanceSettings { Approval = new ApprovalSettings { Gates = ["Start"] } } }, $"key-{index}", Token);
        }

        var started = await _harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Health = new HealthSettings { StableFor = "1s" } }, null, Token);
        await _harbour.WatchAsync(started.Id, static _ => false, Token);

        (await PagesAsync("api/v1/windows", 2)).Select(static item => (string)item["name"]!).ShouldBe(["w0", "w1", "w2"]);
        (await PagesAsync("api/v1/rollouts", 2)).Select(static item => (string)item["id"]!).ShouldBe((await _harbour.Api.ListAllRolloutsAsync(Token)).Select(static each => each.Id));
        (await PagesAsync("api/v1/vms", 1)).Count.ShouldBe((await _harbour.Api.ListVirtualMachinesAsync(null, null, Token)).Count);
        var history = await PagesAsync($"api/v1/maintenances/{started.Id}/history", 7);
        history.Select(static line => line.ToJsonString()).ShouldBeUnique();
        history.Count.ShouldBe((await _harbour.Api.GetHistoryAsync(started.Id, Token)).Count);
        (await Http.GetAsync($"api/v1/maintenances/{started.Id}/history?after=nothing", Token)).StatusCode.ShouldBe(System.Net.HttpStatusCode.BadRequest);
    }

    private async Task<List<JsonNode>> PagesAsync(string path, int limit)
    {
        var items = new List<JsonNode>();
        string? after = null;
        do
        {
            var page = (await Http.GetFromJsonAsync<JsonNode>($"{path}?limit={limit}{(after is null ? "" : $"&after={Uri.EscapeDataString(after)}")}", Token))!;
            page["items"]!.AsArray().Count.ShouldBeInRange(1, limit, path);
            items.AddRange(page["items"]!.AsArray().Select(static item => item!));
            after = (string?)page["next"];
        }
        while (after is not null);

        return items;
    }

    private async Task<MaintenanceView> HoldAsync()
    {
        var started = await _harbour.Api.CreateMaintenanceAsync(
            new MaintenanceCreate { Node = "node-1", Action = "Hold", Health = new HealthSettings { StableFor = "0s" } }, null, Token);
        return await _harbour.WatchAsync(started.Id, static view => view.State == MaintenanceState.Holding, Token);
    }

    private async Task<List<PodResultView>> PodsAsync(string id, int limit)
    {
        var all = new List<PodResultView>();
        string? after = null;
        do
        {
            var page = (await Http.GetFromJsonAsync<PodList>($"api/v1/maintenances/{id}/pods?limit={limit}{(after is null ? "" : "&after=" + after)}", ApiJson.Options, Token))!;
            page.Items.Count.ShouldBeLessThanOrEqualTo(limit);
            all.AddRange(page.Items);
            after = page.Next;
        }
        while (after is not null);
        return all;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, Action<HttpRequestMessage> prepare)
    {
        using var request = new HttpRequestMessage(method, path);
        prepare(request);
        return await Http.SendAsync(request, Token);
    }

    private async Task<(string? Data, string? Id)> FirstEventAsync(string subject, string? lastEventId, TimeSpan patience)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(patience);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"api/v1/{subject}/events");
        if (lastEventId is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        }

        try
        {
            using var answer = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            await using var stream = await answer.Content.ReadAsStreamAsync(limit.Token);
            await foreach (var item in System.Net.ServerSentEvents.SseParser.Create(stream).EnumerateAsync(limit.Token))
            {
                return (item.Data, item.EventId);
            }
        }
        catch (OperationCanceledException) when (!Token.IsCancellationRequested)
        {
            // Nothing came in time.
        }

        return (null, null);
    }
}

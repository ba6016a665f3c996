using System.Net;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Remote;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.TaskHub.Endpoint;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>What the endpoint owes beyond the hub behind it: who may come, which hub, pings, sizes, a quiet end.</summary>
public sealed class TaskHubServerTests
{
    private const string Secret = "0123456789abcdef-test";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_caller_without_the_right_token_is_refused_and_told_how_to_send_it()
    {
        await using var served = await ServedHub.StartAsync(configure: options => options.Token = Secret);

        (await RefusedAsync(StatusCode.Unauthenticated, () => served.Connect().HelloAsync(Token))).ShouldContain("authorization: Bearer");
        await RefusedAsync(StatusCode.Unauthenticated, () => served.Connect(token: Secret + "x").HelloAsync(Token));
        await served.Connect(token: Secret).HelloAsync(Token);
    }

    [Fact]
    public void Only_a_loopback_address_goes_without_a_token()
    {
        new TaskHubServerOptions { Listen = new IPEndPoint(IPAddress.Any, 4001) }.Validate().ShouldHaveSingleItem().ShouldContain("bearer token");
        new TaskHubServerOptions { Token = "short" }.Validate().ShouldHaveSingleItem().ShouldContain("16");
        new TaskHubServerOptions().Validate().ShouldBeEmpty();
    }

    [Fact]
    public async Task The_header_names_a_hub_and_hubs_do_not_see_each_other()
    {
        await using var served = await ServedHub.StartAsync();
        await StartAsync(served.Connect(), "a");

        (await GetAsync(served.Connect("orders"), "a")).Exists.ShouldBeFalse();
        await StartAsync(served.Connect("Orders"), "a");

        (await GetAsync(served.Connect("orders"), "a")).Exists.ShouldBeTrue();
        Directory.GetFiles(served.Folder, "*.db").Select(Path.GetFileName).Order().ShouldBe(["hub.db", "hub.orders.db"]);
        (await RefusedAsync(StatusCode.InvalidArgument, () => served.Connect("../x").HelloAsync(Token))).ShouldContain("'../x'");
    }

    [Fact]
    public async Task A_hub_is_deleted_only_where_that_is_allowed()
    {
        await using var careful = await ServedHub.StartAsync();
        (await RefusedAsync(StatusCode.FailedPrecondition, () => DeleteAsync(careful))).ShouldContain("--allow-hub-deletion");

        await using var served = await ServedHub.StartAsync(configure: options => options.AllowHubDeletion = true);
        await StartAsync(served.Connect(), "a");
        await DeleteAsync(served);
        (await GetAsync(served.Connect(), "a")).Exists.ShouldBeFalse();
    }

    [Fact]
    public async Task A_stream_begins_with_a_ping_and_repeats_it()
    {
        await using var served = await ServedHub.StartAsync(configure: options => options.PingInterval = TimeSpan.FromMilliseconds(50));
        using var channel = GrpcChannel.ForAddress(served.Server.Address);
        using var call = new TaskHubSidecarService.TaskHubSidecarServiceClient(channel).GetWorkItems(new GetWorkItemsRequest(), cancellationToken: Token);

        for (var ping = 0; ping < 3; ping++)
        {
            (await call.ResponseStream.MoveNext(Token)).ShouldBeTrue();
            call.ResponseStream.Current.HealthPing.ShouldNotBeNull();
        }
    }

    [Fact]
    public async Task What_is_too_large_for_a_worker_fails_alone()
    {
        await using var served = await ServedHub.StartAsync(configure: options => options.LargestMessage = 100_000);
        var client = served.Connect();
        await using var worker = new HandWorker(served.Connect(configure: options => options.MaximumReceivedBytes = 100_000));
        await StartAsync(client, "large", new string('x', 200_000));
        await StartAsync(client, "small");

        (await worker.TurnAsync()).Request.InstanceId.ShouldBe("small");

        var large = await GetAsync(client, "large");
        large.OrchestrationState.OrchestrationStatus.ShouldBe(OrchestrationStatus.Failed);
        large.OrchestrationState.FailureDetails.ErrorMessage.ShouldContain("takes at most 100,000");
        (await RefusedAsync(StatusCode.ResourceExhausted, () => GetAsync(served.Connect(configure: options => options.MaximumReceivedBytes = 100_000), "large")))
            .ShouldContain("without inputs");
    }

    [Fact]
    public async Task A_stop_waits_for_what_workers_hold_and_hands_out_nothing_more()
    {
        await using var served = await ServedHub.StartAsync();
        var client = served.Connect();
        await using var worker = new HandWorker(client);
        await StartAsync(client, "a");
        var (_, token) = await worker.TurnAsync();

        var stop = served.Server.StopAsync(Token);
        await StartAsync(await served.Hubs.GetAsync(null, Token), "b");
        stop.IsCompleted.ShouldBeFalse();
        await worker.CompleteAsync(token, Act.Complete(0));
        await stop;

        worker.Waiting.ShouldBe(0);
        var hub = await served.Hubs.GetAsync(null, Token);
        (await GetAsync(hub, "a")).OrchestrationState.OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
        (await GetAsync(hub, "b")).OrchestrationState.OrchestrationStatus.ShouldBe(OrchestrationStatus.Pending);
    }

    [Fact]
    public async Task Several_workers_share_the_work_and_none_holds_more_than_it_said()
    {
        await using var served = await ServedHub.StartAsync();
        var hub = (EmbeddedTaskHub)await served.Hubs.GetAsync(null, Token);
        var turns = new GetWorkItemsRequest { WorkItemFilters = new WorkItemFilters { Orchestrations = { new OrchestrationFilter { Name = "Orchestrator" } } } };
        var steps = new GetWorkItemsRequest { WorkItemFilters = new WorkItemFilters { Activities = { new ActivityFilter { Name = "Work" } } } };
        await using var orchestrators = new HandWorker(served.Connect(), turns);
        await StartAsync(hub, "a");
        await orchestrators.DoTurnAsync([.. Enumerable.Range(0, 10).Select(static id => Act.Schedule(id, "Work"))]);
        HashSet<int> done = [];
        await using var two = new HandWorker(served.Connect(), new GetWorkItemsRequest(steps) { MaxConcurrentActivityWorkItems = 2 });
        await using (var three = new HandWorker(served.Connect(), new GetWorkItemsRequest(steps) { MaxConcurrentActivityWorkItems = 3 }))
        {
            for (var item = 0; item < 3; item++)
            {
                (await three.NextAsync()).ActivityRequest.Name.ShouldBe("Work");
            }

            // The other takes and ends the seven that are left, two at a time, and gets none of what this one holds.
            for (var left = 7; left > 0; left--)
            {
                await DoneAsync(hub, two, done);

                // The first passes through the hub; when the second is answered, what the first made ready was handed out. One is the turn.
                await hub.HelloAsync(Token);
                await hub.HelloAsync(Token);
                (await hub.GetCountsAsync(Token)).OutstandingItems.ShouldBe(3 + Math.Min(left - 1, 2) + 1);
                three.Waiting.ShouldBe(0);
            }
        }

        // It is gone: what it held is for the other.
        for (var left = 3; left > 0; left--)
        {
            await DoneAsync(hub, two, done);
        }

        done.Order().ShouldBe(Enumerable.Range(0, 10));
    }

    [Fact]
    public async Task Health_is_told_to_anybody()
    {
        await using var served = await ServedHub.StartAsync(configure: options => options.Token = Secret);
        using var channel = GrpcChannel.ForAddress(served.Server.Address);

        var health = await new Grpc.Health.V1.Health.HealthClient(channel).CheckAsync(new(), cancellationToken: Token);

        health.Status.ShouldBe(Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus.Serving);
    }

    [Fact]
    public async Task A_stream_that_is_silent_is_given_up_as_a_lost_connection()
    {
        // The server's pings are further apart than the worker's patience: as if the connection were half open.
        await using var served = await ServedHub.StartAsync(configure: options => options.PingInterval = TimeSpan.FromHours(1));
        var hub = served.Connect(configure: options => options.Silence = TimeSpan.FromMilliseconds(200));

        (await RefusedAsync(StatusCode.Unavailable, async () =>
        {
            await foreach (var item in hub.GetWorkItemsAsync(new GetWorkItemsRequest(), false, Token))
            {
                item.ShouldBeNull();
            }
        })).ShouldContain("not even a health ping");
    }

    [Fact]
    public async Task A_wait_outlives_the_server_it_was_begun_on()
    {
        var folder = new HubFolder().Create();
        var address = new IPEndPoint(IPAddress.Loopback, Ports.Free());
        using var hub = new RemoteTaskHub(
            new RemoteTaskHubOptions { Address = TaskHubAddress.Parse(address.ToString()) }, TimeProvider.System, NullLogger<RemoteTaskHub>.Instance);
        Task<GetInstanceResponse> wait;
        await using (var first = await OpenAsync(folder, address))
        {
            await StartAsync(hub, "a");
            wait = hub.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = "a" }, Token);
            await GetAsync(hub, "a");
        }

        await using (var second = await OpenAsync(folder, address))
        {
            await hub.TerminateInstanceAsync(new TerminateRequest { InstanceId = "a" }, Token);
            (await wait.WaitAsync(TimeSpan.FromSeconds(30), Token)).OrchestrationState.OrchestrationStatus.ShouldBe(OrchestrationStatus.Terminated);
        }

        folder.Dispose();
    }

    [Fact]
    public async Task An_activity_that_takes_too_long_or_is_silent_fails_and_its_worker_hears_of_it()
    {
        var clock = new FakeTimeProvider();
        await using var served = await ServedHub.StartAsync(clock);
        var hub = served.Connect();
        await using var lost = hub.WatchLostActivitiesAsync(Token).GetAsyncEnumerator(Token);
        var next = lost.MoveNextAsync().AsTask();
        await using var worker = new HandWorker(hub);
        await StartAsync(hub, "a");
        var slow = Act.Schedule(0, "Slow");
        slow.ScheduleTask.Tags.Add("drydock.heartbeat", "00:00:10");
        slow.ScheduleTask.Tags.Add("drydock.start-to-close", "00:00:25");
        await worker.DoTurnAsync(slow);
        var (_, token) = await worker.ActivityAsync();
        await ListeningAsync(hub);

        clock.Advance(TimeSpan.FromSeconds(9));
        (await hub.HeartbeatActivityAsync(token, "half", Token)).ShouldBeTrue();
        clock.Advance(TimeSpan.FromSeconds(9));
        (await hub.HeartbeatActivityAsync(token, null, Token)).ShouldBeTrue();
        clock.Advance(TimeSpan.FromSeconds(9));

        var failed = (await worker.TurnAsync()).Request.NewEvents[1].TaskFailed;
        failed.FailureDetails.ErrorType.ShouldBe("System.TimeoutException");
        failed.FailureDetails.ErrorMessage.ShouldContain("00:00:25");
        (await next).ShouldBeTrue();
        lost.Current.ShouldBe(token);
        (await hub.HeartbeatActivityAsync(token, null, Token)).ShouldBeFalse();
    }

    [Fact]
    public async Task What_the_last_heartbeat_said_goes_with_the_next_attempt()
    {
        await using var served = await ServedHub.StartAsync();
        var hub = served.Connect();
        await using var worker = new HandWorker(hub);
        await StartAsync(hub, "a");
        await worker.DoTurnAsync(Act.Schedule(0, "Slow"));
        var (first, token) = await worker.ActivityAsync();
        (await hub.HeartbeatActivityAsync(token, "\"half\"", Token)).ShouldBeTrue();
        (await hub.HeartbeatActivityAsync(token, null, Token)).ShouldBeTrue();

        await hub.AbandonActivityTaskAsync(new AbandonActivityTaskRequest { CompletionToken = token }, Token);

        var (second, _) = await worker.ActivityAsync();
        first.Tags.ShouldNotContainKey("drydock.progress");
        second.Tags["drydock.progress"].ShouldBe("\"half\"");
        (await hub.HeartbeatActivityAsync(token, null, Token)).ShouldBeFalse();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_an_entity_starts_is_marked_as_ours_if_a_worker_of_ours_ran_it(bool isOurs)
    {
        await using var served = await ServedHub.StartAsync();
        var hub = served.Connect();
        await using var worker = new HandWorker(hub, keepsOrchestrators: isOurs);
        await hub.SignalEntityAsync(new SignalEntityRequest { InstanceId = "@e@1", Name = "start" }, Token);
        var batch = await worker.NextAsync();
        var start = new OperationAction { StartNewOrchestration = new StartNewOrchestrationAction { InstanceId = "a", Name = "Orchestrator" } };
        var result = new EntityBatchResult
        {
            CompletionToken = batch.CompletionToken, Results = { new OperationResult { Success = new OperationResultSuccess() } }, Actions = { start },
        };

        await hub.CompleteEntityTaskAsync(result, Token);

        var (turn, _) = await worker.TurnAsync();
        turn.NewEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Tags.ContainsKey("drydock.semantics").ShouldBe(isOurs);
    }

    private static async Task DoneAsync(EmbeddedTaskHub hub, HandWorker worker, HashSet<int> done)
    {
        var (request, token) = await worker.ActivityAsync();
        await hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = token, Result = "1" }, Token);
        done.Add(request.TaskId).ShouldBeTrue();
    }

    // The feed has told that it listens once a call that was sent after it has come back.
    private static Task ListeningAsync(RemoteTaskHub hub) => hub.HelloAsync(Token);

    private static async Task<IAsyncDisposable> OpenAsync(HubFolder folder, IPEndPoint address)
    {
        var hubs = new TaskHubDirectory(folder.Path, null, TimeProvider.System, NullLoggerFactory.Instance);
        var server = new TaskHubServer(hubs, new TaskHubServerOptions { Listen = address }, TimeProvider.System, NullLoggerFactory.Instance);
        await server.StartAsync(Token);
        return new Both(server, hubs);
    }

    private static Task StartAsync(ITaskHub hub, string id, string? input = null) =>
        hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "Orchestrator", Input = input }, Token);

    private static Task<GetInstanceResponse> GetAsync(ITaskHub hub, string id) =>
        hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = true }, Token);

    private static async Task DeleteAsync(ServedHub served)
    {
        using var channel = GrpcChannel.ForAddress(served.Server.Address);
        try
        {
            await new TaskHubSidecarService.TaskHubSidecarServiceClient(channel).DeleteTaskHubAsync(new DeleteTaskHubRequest(), cancellationToken: Token);
        }
        catch (RpcException refusal)
        {
            throw new TaskHubException(refusal.StatusCode, refusal.Status.Detail, refusal);
        }
    }

    private static async Task<string> RefusedAsync(StatusCode status, Func<Task> action)
    {
        var refusal = await Should.ThrowAsync<TaskHubException>(action);
        refusal.Status.ShouldBe(status, refusal.Message);
        return refusal.Message;
    }

    private sealed class Both(TaskHubServer server, TaskHubDirectory hubs) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await server.DisposeAsync();
            await hubs.DisposeAsync();
        }
    }
}

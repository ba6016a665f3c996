using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>Work that ends whoever takes it is not given out for ever.</summary>
public abstract class TaskHubPoison
{
    protected const int Limit = 3;
    private const string Counter = "@counter@1";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Opens the hub, each time the same one.</summary>
    protected abstract Task<EmbeddedTaskHub> OpenAsync();

    protected static void Configure(TaskHubOptions options)
    {
        options.MaximumDeliveries = Limit;
        options.AbandonDelay = TimeSpan.FromMilliseconds(1);
    }

    [Fact]
    public async Task An_activity_whose_workers_all_end_fails_and_says_so()
    {
        await using var hub = await OpenAsync();
        await ScheduleAsync(hub);
        for (var i = 0; i < Limit; i++)
        {
            await using var lost = new HandWorker(hub);
            await lost.ActivityAsync();
        }

        await using var worker = new HandWorker(hub);
        var (turn, token) = await worker.TurnAsync();
        var failure = turn.NewEvents.Select(e => e.TaskFailed).Single(failed => failed is not null).FailureDetails;
        (failure.ErrorType, failure.IsNonRetriable).ShouldBe(("WorkItemPoisoned", true));
        failure.ErrorMessage.ShouldContain("'A' was given out 3 times and never answered");
        await worker.CompleteAsync(token, Act.Complete(1, "handled"));
        (await EndAsync(hub)).Output.ShouldBe("handled");
    }

    [Fact]
    public async Task What_ends_the_whole_process_is_counted_over_restarts()
    {
        await using (var hub = await OpenAsync())
        {
            await ScheduleAsync(hub);
        }

        for (var i = 0; i < Limit; i++)
        {
            await using var hub = await OpenAsync();
            await using var worker = new HandWorker(hub);
            (await worker.NextAsync()).ActivityRequest.ShouldNotBeNull();
        }

        await using var last = await OpenAsync();
        await using var survivor = new HandWorker(last);
        (await survivor.TurnAsync()).Request.NewEvents.Count(e => e.TaskFailed is not null).ShouldBe(1);
    }

    [Fact]
    public async Task A_turn_whose_workers_all_end_fails_its_orchestration_and_its_parent_hears_of_it()
    {
        await using var hub = await OpenAsync();
        await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "i", Name = "O" }, Token);
        await using (var parent = new HandWorker(hub, Only("O")))
        {
            await parent.DoTurnAsync(Act.Child(0, "kid", "Kid"));
        }

        for (var i = 0; i < Limit; i++)
        {
            await using var lost = new HandWorker(hub);
            (await lost.TurnAsync()).Request.InstanceId.ShouldBe("kid");
        }

        await using var worker = new HandWorker(hub);
        var told = (await worker.DoTurnAsync(Act.Complete(1))).NewEvents.Select(e => e.SubOrchestrationInstanceFailed).Single(failed => failed is not null);
        told.FailureDetails.ErrorMessage.ShouldContain("The next turn of 'kid' was given out 3 times");
        var kid = await EndAsync(hub, "kid");
        (kid.OrchestrationStatus, kid.FailureDetails.ErrorType).ShouldBe((OrchestrationStatus.Failed, "WorkItemPoisoned"));
    }

    [Fact]
    public async Task Rewound_an_orchestration_that_ended_its_workers_has_the_events_that_came_before()
    {
        await using var hub = await OpenAsync();
        await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "i", Name = "O" }, Token);
        await using (var first = new HandWorker(hub))
        {
            await first.DoTurnAsync();
        }

        await hub.RaiseEventAsync(new RaiseEventRequest { InstanceId = "i", Name = "approved", Input = "1" }, Token);
        for (var i = 0; i < Limit; i++)
        {
            await using var lost = new HandWorker(hub);
            await lost.TurnAsync();
        }

        await using var worker = new HandWorker(hub);
        (await EndAsync(hub)).FailureDetails.ErrorType.ShouldBe("WorkItemPoisoned");
        await hub.RewindInstanceAsync(new RewindInstanceRequest { InstanceId = "i" }, Token);

        var turn = await worker.DoTurnAsync(Act.Complete(0));
        turn.PastEvents.Single(e => e.EventRaised is not null).EventRaised.Name.ShouldBe("approved");
        turn.PastEvents.ShouldNotContain(e => e.ExecutionCompleted != null);
        (await EndAsync(hub)).OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
    }

    [Fact]
    public async Task One_operation_that_ends_workers_fails_alone_and_the_entity_goes_on()
    {
        await using var hub = await OpenAsync();
        await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "i", Name = "O" }, Token);
        await using (var parent = new HandWorker(hub, Only("O")))
        {
            await parent.DoTurnAsync(Act.Call(0, Counter, "deadly"), Act.Call(1, Counter, "harmless"));
        }

        for (var i = 0; i < Limit; i++)
        {
            await using var lost = new HandWorker(hub);

            // Whatever came together may be at fault; from then on one alone.
            (await lost.NextAsync()).EntityRequestV2.OperationRequests.Count.ShouldBe(i == 0 ? 2 : 1);
        }

        await using var worker = new HandWorker(hub);
        var answers = new List<HistoryEvent>();
        while (answers.Count < 2)
        {
            var item = await worker.NextAsync();
            if (item.EntityRequestV2 is { } request)
            {
                request.OperationRequests.Single().EntityOperationCalled.Operation.ShouldBe("harmless");
                var done = new EntityBatchResult { CompletionToken = item.CompletionToken, Results = { new OperationResult { Success = new() { Result = "1" } } } };
                await hub.CompleteEntityTaskAsync(done, Token);
                continue;
            }

            answers.AddRange(item.OrchestratorRequest.NewEvents.Where(e => e.EntityOperationFailed is not null || e.EntityOperationCompleted is not null));
            await worker.CompleteAsync(item.CompletionToken, answers.Count == 2 ? [Act.Complete(2)] : []);
        }

        answers[0].EntityOperationFailed.FailureDetails.ErrorMessage.ShouldContain("The operation 'deadly' of '@counter@1' was given out 3 times");
        answers[1].EntityOperationCompleted.Output.ShouldBe("1");
    }

    [Fact]
    public async Task What_a_worker_gives_back_and_a_hub_that_ends_in_order_are_not_counted()
    {
        await using (var hub = await OpenAsync())
        {
            await ScheduleAsync(hub);
            await using var worker = new HandWorker(hub);
            for (var i = 0; i < Limit * 2; i++)
            {
                var (_, token) = await worker.ActivityAsync();
                await hub.AbandonActivityTaskAsync(new AbandonActivityTaskRequest { CompletionToken = token }, Token);
            }
        }

        for (var i = 0; i < Limit * 2; i++)
        {
            var hub = await OpenAsync();
            await using var worker = new HandWorker(hub);
            await worker.ActivityAsync();
            await hub.DisposeAsync();
        }

        await using var last = await OpenAsync();
        await using var survivor = new HandWorker(last);
        await survivor.DoActivityAsync("1");
        (await survivor.TurnAsync()).Request.NewEvents.Count(e => e.TaskCompleted is not null).ShouldBe(1);
    }

    [Fact]
    public async Task An_answer_makes_an_item_innocent_again()
    {
        await using var hub = await OpenAsync();
        await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "i", Name = "O" }, Token);

        // One instance loses a worker in each of its turns: none of them is at fault.
        for (var turn = 0; turn < Limit + 1; turn++)
        {
            await using (var lost = new HandWorker(hub))
            {
                await lost.TurnAsync();
            }

            await using var worker = new HandWorker(hub);
            await worker.DoTurnAsync(turn == Limit ? Act.Complete(0) : Act.ContinueAsNew(0, "1"));
        }

        (await EndAsync(hub)).OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
    }

    private static async Task ScheduleAsync(EmbeddedTaskHub hub)
    {
        await using var worker = new HandWorker(hub, Only("O"));
        await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "i", Name = "O" }, Token);
        await worker.DoTurnAsync(Act.Schedule(0, "A"));
    }

    /// <summary>A worker that takes nothing but the turns of one orchestrator.</summary>
    private static GetWorkItemsRequest Only(string orchestrator) =>
        new() { WorkItemFilters = new WorkItemFilters { Orchestrations = { new OrchestrationFilter { Name = orchestrator } } } };

    private static async Task<OrchestrationState> EndAsync(EmbeddedTaskHub hub, string id = "i") =>
        (await hub.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = true }, Token).WaitAsync(Patience, Token)).OrchestrationState;
}

public sealed class SqliteTaskHubPoison : TaskHubPoison, IDisposable
{
    private readonly HubFolder _folder = new HubFolder().Create();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task In_a_quiet_life_nothing_is_counted_and_what_was_counted_goes_with_the_work()
    {
        await using (var hub = await OpenAsync())
        {
            await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "i", Name = "O" }, CancellationToken.None);
            await using (var lost = new HandWorker(hub))
            {
                await lost.TurnAsync();
            }

            await using var worker = new HandWorker(hub);
            await worker.DoTurnAsync(Act.Complete(0));
        }

        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_folder.Path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM deliveries";
        command.ExecuteScalar().ShouldBe(0L);
    }

    protected override async Task<EmbeddedTaskHub> OpenAsync() => await _folder.OpenAsync(configure: Configure);
}

public sealed class PostgreSqlTaskHubPoison : TaskHubPoison
{
    private readonly string _database = PostgreSqlServer.Shared.NewDatabase();

    protected override async Task<EmbeddedTaskHub> OpenAsync() => await PostgreSqlHubs.OpenAsync(_database, configure: Configure);
}

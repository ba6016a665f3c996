using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>Entities: operations in order, state all or nothing, locks, and answers in the form that was asked in.</summary>
public abstract class TaskHubEntities : TaskHubConformance
{
    private const string Counter = "@counter@1";

    [Fact]
    public async Task Operations_come_in_order_and_leave_a_state()
    {
        await using var worker = new HandWorker(Hub);
        await SignalAsync("add", "1");
        var (first, token) = await EntityAsync(worker);
        await SignalAsync("add", "2");
        await SignalAsync("add", "3");
        first.EntityState.ShouldBeNull();
        await CompleteAsync(token, "1", 1);

        var (second, next) = await EntityAsync(worker);
        second.EntityState.ShouldBe("1");
        second.OperationRequests.Select(e => e.EntityOperationSignaled.Input).ShouldBe(["2", "3"]);

        // Only the first of the two was done.
        await CompleteAsync(next, "3", 1);
        var (third, last) = await EntityAsync(worker);
        third.OperationRequests.Single().EntityOperationSignaled.Input.ShouldBe("3");
        await CompleteAsync(last, "6", 1);
        var entity = (await Hub.GetEntityAsync(new GetEntityRequest { InstanceId = Counter, IncludeState = true }, Token)).Entity;
        (entity.SerializedState, entity.BacklogQueueSize, entity.LockedBy).ShouldBe(("6", 0, null));
        (await Hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = Counter }, Token)).Exists.ShouldBeFalse();
    }

    [Fact]
    public async Task A_signal_waits_for_its_time_and_an_abandoned_batch_comes_again()
    {
        await using var worker = new HandWorker(Hub);
        await SignalAsync("add", "1", Start.AddMinutes(1));
        await NothingMoreAsync();
        Clock.Advance(TimeSpan.FromMinutes(1));

        var (_, token) = await EntityAsync(worker);
        await Hub.AbandonEntityTaskAsync(new AbandonEntityTaskRequest { CompletionToken = token }, Token);
        await NothingMoreAsync();
        Clock.Advance(TimeSpan.FromSeconds(1));

        (await EntityAsync(worker)).Request.OperationRequests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_call_in_the_older_form_is_answered_in_the_older_form()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Send(0, Counter, "op", """{"op":"get","id":"6f0e3e0c-0000-4000-8000-000000000001","parent":"a","input":"\"x\""}"""));

        var (request, token) = await EntityAsync(worker);
        var call = request.OperationRequests.Single().EntityOperationCalled;
        (call.Operation, call.Input, call.ParentInstanceId).ShouldBe(("get", "\"x\"", "a"));
        await CompleteAsync(token, null, 1, "42");

        var answer = (await worker.DoTurnAsync()).NewEvents[1].EventRaised;
        answer.Name.ShouldBe("6f0e3e0c-0000-4000-8000-000000000001");
        answer.Input.ShouldBe("""{"result":"42"}""");
    }

    [Fact]
    public async Task While_an_orchestration_holds_the_lock_only_its_operations_run_and_its_end_frees_it()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        var asked = new EntityLockRequestedEvent { CriticalSectionId = "section", LockSet = { Counter, "@counter@2" } };
        await worker.DoTurnAsync(new OrchestratorAction { Id = 0, SendEntityMessage = new SendEntityMessageAction { EntityLockRequested = asked } });
        var (granted, turn) = await worker.TurnAsync();
        granted.NewEvents[1].EntityLockGranted.CriticalSectionId.ShouldBe("section");
        await SignalAsync("add", "1");
        await NothingMoreAsync(outstanding: 1);
        var called = new EntityOperationCalledEvent { RequestId = "r", Operation = "get", TargetInstanceId = Counter };
        await worker.CompleteAsync(turn, new OrchestratorAction { Id = 1, SendEntityMessage = new SendEntityMessageAction { EntityOperationCalled = called } });

        var (mine, token) = await EntityAsync(worker);
        mine.OperationRequests.Single().EntityOperationCalled.RequestId.ShouldBe("r");
        await CompleteAsync(token, "1", 1, "1");
        (await worker.DoTurnAsync(Act.Complete(2))).NewEvents[1].EntityOperationCompleted.Output.ShouldBe("1");

        (await EntityAsync(worker)).Request.OperationRequests.Single().EntityOperationSignaled.Operation.ShouldBe("add");
    }

    [Fact]
    public async Task A_lock_that_an_execution_waited_for_is_not_given_to_the_next_execution_of_its_id()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("holder");
        await worker.DoTurnAsync(Lock("first"));
        var (_, holder) = await worker.TurnAsync();
        await StartAsync("a");
        await worker.DoTurnAsync(Lock("earlier"));
        await TerminateAsync("a");
        await worker.DoTurnAsync(Act.Terminated(1));
        await StartAsync("a");
        await worker.DoTurnAsync(Lock("later"));

        await worker.CompleteAsync(holder, Act.Complete(1));

        (await worker.DoTurnAsync(Act.Complete(1))).NewEvents[1].EntityLockGranted.CriticalSectionId.ShouldBe("later");
        await SignalAsync("add", "1");
        (await EntityAsync(worker)).Request.OperationRequests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task What_an_orchestration_had_locked_is_free_when_another_takes_its_id()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Lock("section"));
        await worker.DoTurnAsync();
        await SignalAsync("add", "1");

        await StartAsync("a", policy: new OrchestrationIdReusePolicy { ReplaceableStatus = { OrchestrationStatus.Running } });

        var items = new[] { await worker.NextAsync(), await worker.NextAsync() };
        items.Single(item => item.EntityRequestV2 is not null).EntityRequestV2.OperationRequests.Count.ShouldBe(1);
        items.Single(item => item.OrchestratorRequest is not null).OrchestratorRequest.NewEvents[1].ExecutionStarted.ShouldNotBeNull();
    }

    [Fact]
    public async Task An_entity_of_which_somebody_waits_for_an_answer_is_not_purged()
    {
        var request = new PurgeInstancesRequest { InstanceId = Counter };
        await StartAsync("a");
        await using (var worker = new HandWorker(Hub, Only("Orchestrator")))
        {
            await worker.DoTurnAsync(Act.Call(0, Counter, "get"));
        }

        (await Hub.PurgeInstancesAsync(request, Token)).DeletedInstanceCount.ShouldBe(0);

        await using var other = new HandWorker(Hub);
        await CompleteAsync((await EntityAsync(other)).Token, "1", 1, "1");
        (await other.DoTurnAsync(Act.Complete(1))).NewEvents[1].EntityOperationCompleted.Output.ShouldBe("1");
        (await Hub.PurgeInstancesAsync(request, Token)).DeletedInstanceCount.ShouldBe(1);
    }

    private static GetWorkItemsRequest Only(string orchestration) => new()
    {
        WorkItemFilters = new WorkItemFilters { Orchestrations = { new OrchestrationFilter { Name = orchestration } } },
    };

    private static OrchestratorAction Lock(string section) => new()
    {
        Id = 0,
        SendEntityMessage = new SendEntityMessageAction
        {
            EntityLockRequested = new EntityLockRequestedEvent { CriticalSectionId = section, LockSet = { Counter } },
        },
    };

    [Fact]
    public async Task Entities_are_queried_in_pages_and_cleaned_away()
    {
        await using (var worker = new HandWorker(Hub))
        {
            for (var key = 1; key <= 3; key++)
            {
                await SignalAsync("add", "1", id: $"@counter@{key}");
                var (_, token) = await EntityAsync(worker);
                await CompleteAsync(token, key == 2 ? null : "1", 1);
            }
        }

        var page = await QueryAsync(null);
        page.Entities.Single().InstanceId.ShouldBe("@counter@1");
        (await QueryAsync(page.ContinuationToken)).Entities.Single().InstanceId.ShouldBe("@counter@3");
        var cleaned = await Hub.CleanEntityStorageAsync(new CleanEntityStorageRequest { RemoveEmptyEntities = true }, Token);
        cleaned.EmptyEntitiesRemoved.ShouldBe(1);
        cleaned.ContinuationToken.ShouldBeNull();
    }

    private Task<QueryEntitiesResponse> QueryAsync(string? token) => Hub.QueryEntitiesAsync(
        new QueryEntitiesRequest { Query = new EntityQuery { InstanceIdStartsWith = "@counter@", PageSize = 1, ContinuationToken = token } }, Token);

    private Task SignalAsync(string operation, string input, DateTimeOffset? at = null, string id = Counter) => Hub.SignalEntityAsync(
        new SignalEntityRequest
        {
            InstanceId = id, Name = operation, Input = input, RequestId = Guid.NewGuid().ToString(),
            ScheduledTime = at is { } time ? Timestamp.FromDateTimeOffset(time) : null,
        },
        Token);

    private static async Task<(EntityRequest Request, string Token)> EntityAsync(HandWorker worker)
    {
        var item = await worker.NextAsync();
        return (item.EntityRequestV2 ?? throw new InvalidOperationException($"Expected an entity, got {item}"), item.CompletionToken);
    }

    private Task CompleteAsync(string token, string? state, int results, string? result = null)
    {
        var batch = new EntityBatchResult { CompletionToken = token, EntityState = state };
        batch.Results.AddRange(Enumerable.Repeat(new OperationResult { Success = new OperationResultSuccess { Result = result } }, results));
        return Hub.CompleteEntityTaskAsync(batch, Token);
    }
}

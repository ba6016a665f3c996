using System.Collections.Concurrent;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Grpc.Core;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>A worker that takes each instance through a few activities, and remembers which of their results the hub took.</summary>
internal sealed class ReplicaLoad
{
    public const int Steps = 3;
    private readonly ITaskHub _hub;
    private readonly CancellationToken _stop;

    public ReplicaLoad(ITaskHub hub, CancellationToken stop)
    {
        (_hub, _stop) = (hub, stop);
        Ended = Task.Run(RunAsync, CancellationToken.None);
    }

    public Task Ended { get; }

    /// <summary>The activities whose result was committed here, as <c>instance/step</c>.</summary>
    public ConcurrentBag<string> Activities { get; } = [];

    private async Task RunAsync()
    {
        List<Task> answers = [];
        var request = new GetWorkItemsRequest { MaxConcurrentOrchestrationWorkItems = 8, MaxConcurrentActivityWorkItems = 8 };
        try
        {
            await foreach (var item in _hub.GetWorkItemsAsync(request, keepsOrchestrators: false, _stop))
            {
                answers.Add(AnswerAsync(item));
            }
        }
        catch (OperationCanceledException)
        {
            // The load is over.
        }

        await Task.WhenAll(answers);
    }

    private async Task AnswerAsync(WorkItem item)
    {
        while (!await IsTakenAsync(item))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
        }
    }

    /// <summary>False: whether the hub stored it is not known, so that it is to be said again.</summary>
    private async Task<bool> IsTakenAsync(WorkItem item)
    {
        try
        {
            if (item.ActivityRequest is { } activity)
            {
                await _hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = item.CompletionToken, Result = "1" }, CancellationToken.None);
                Activities.Add($"{activity.OrchestrationInstance.InstanceId}/{activity.TaskId}");
            }
            else if (item.OrchestratorRequest is { } turn)
            {
                var done = turn.PastEvents.Concat(turn.NewEvents).Count(e => e.TaskCompleted is not null);
                await _hub.CompleteOrchestratorTaskAsync(
                    new OrchestratorResponse
                    {
                        CompletionToken = item.CompletionToken,
                        Actions = { done < Steps ? Act.Schedule(done, "Step") : Act.Complete(done, "\"done\"") },
                    },
                    CancellationToken.None);
            }
        }
        catch (TaskHubException refusal) when (refusal.Status is StatusCode.NotFound)
        {
            // Somebody else has it now, or an answer that nobody knew of was stored.
        }
        catch (TaskHubException refusal) when (refusal.Status is StatusCode.Unavailable && !_stop.IsCancellationRequested)
        {
            return false;
        }

        return true;
    }
}

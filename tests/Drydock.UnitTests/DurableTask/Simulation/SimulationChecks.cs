using Drydock.DurableTask.Protobuf;
using Shouldly;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>What holds of every history and every entity at the end, whatever happened before.</summary>
internal sealed class SimulationChecks(ISimulatedStore store, SimulatedWorker worker)
{
    private readonly List<(string Entity, string Input)> _sent = [];

    public void CheckHistory(string id)
    {
        var history = store.History(id);
        history.Count(e => e.ExecutionStarted is not null).ShouldBe(1, id);
        history.Count(e => e.ExecutionCompleted is not null).ShouldBe(1, id);
        if (!history.Exists(e => e.ExecutionRewound is not null))
        {
            // To rewind takes steps out, and of a failure that was caught it cannot always be said that it was.
            history.ShouldNotContain(e => IsNonDeterministic(e), id);
            var steps = history.Where(e => e.EventId >= 0 && e.ExecutionCompleted is null).Select(e => e.EventId).ToList();
            steps.ShouldBe(Enumerable.Range(0, steps.Count), id);
        }

        history.Where(e => e.OrchestratorStarted is not null).Select(e => e.Timestamp.ToDateTime()).ShouldBeInOrder();
        CheckResults(id, store.Instance(id)!.ExecutionId, history);
        CheckTimers(id, history);
        CollectSent(history);
    }

    /// <summary>Everything that the histories say was sent to an entity was done, and everything was done once.</summary>
    public void CheckEntities()
    {
        foreach (var id in new[] { "@list@0", "@list@1", "@list@2" })
        {
            var done = (store.EntityState(id) ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries);
            done.ShouldBeUnique(id);
            _sent.Where(one => one.Entity == id).Select(one => one.Input).ShouldBeSubsetOf(done, id);
        }
    }

    /// <summary>
    /// Every result is one that an activity gave; none is said twice; of one that was acknowledged, no other is said. A rewound execution
    /// that came to other steps has some twice, and of those the answer to one was taken although nobody asked any more.
    /// </summary>
    private void CheckResults(string id, string executionId, List<HistoryEvent> history)
    {
        history.Select(e => e.TaskCompleted?.TaskScheduledId ?? e.TaskFailed?.TaskScheduledId).OfType<int>().ShouldBeUnique(id);
        var scheduled = history.Where(e => e.TaskScheduled is not null).CountBy(e => e.EventId).ToDictionary();
        foreach (var completed in history.Select(e => e.TaskCompleted).OfType<TaskCompletedEvent>())
        {
            worker.Results.ShouldContain(completed.Result, id);
            if (scheduled[completed.TaskScheduledId] == 1 && worker.Acknowledged.TryGetValue((executionId, completed.TaskScheduledId), out var acknowledged))
            {
                completed.Result.ShouldBe(acknowledged, id);
            }
        }
    }

    private static bool IsNonDeterministic(HistoryEvent item) =>
        item.ExecutionCompleted?.Result.Contains("Non-Deterministic", StringComparison.Ordinal) == true;

    private static void CheckTimers(string id, List<HistoryEvent> history)
    {
        var now = DateTime.MinValue;
        foreach (var item in history)
        {
            now = item.OrchestratorStarted is null ? now : item.Timestamp.ToDateTime();
            item.TimerFired?.FireAt.ToDateTime().ShouldBeLessThanOrEqualTo(now, $"{id}: a timer was early.");
        }
    }

    private void CollectSent(List<HistoryEvent> history)
    {
        foreach (var item in history)
        {
            if (item.EntityOperationCalled is { Operation: "Add" } call)
            {
                _sent.Add((call.TargetInstanceId, call.Input));
            }
            else if (item.EntityOperationSignaled is { Operation: "Add" } signal)
            {
                _sent.Add((signal.TargetInstanceId, signal.Input));
            }
        }
    }
}

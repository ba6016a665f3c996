using System.Runtime.CompilerServices;
using Drydock.Api;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Testing;
using Drydock.Maintenance;
using Grpc.Core;
using Event = Drydock.DurableTask.Protobuf.HistoryEvent;
using Kind = Drydock.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Drydock.Server;

/// <summary>Reads the history of a maintenance and its parts from the hub and says it in sentences.</summary>
internal sealed class HistoryReader(ITaskHub hub)
{
    private const int MostData = 4096;

    /// <summary>Everything that happened, in order of time; the marks of the engine's own turns are left out.</summary>
    public async Task<IReadOnlyList<HistoryEventView>> ReadAsync(IEnumerable<string> instances, CancellationToken cancellationToken)
    {
        var all = new List<HistoryEventView>();
        foreach (var instance in instances)
        {
            var names = new Dictionary<int, string>();
            var sequence = 0;
            await foreach (var happened in ReadOneAsync(instance, cancellationToken))
            {
                sequence++;
                if (Describe(happened, names) is { } line)
                {
                    all.Add(new HistoryEventView(happened.Timestamp.ToDateTimeOffset(), instance, line.Kind, line.Name, line.Text, sequence)
                    {
                        Data = line.Data is { Length: > MostData } long_ ? long_[..MostData] + "…" : line.Data,
                    });
                }
            }
        }

        // Stable: what has the same time stays in the order in which it was written.
        return [.. all.OrderBy(static line => line.At)];
    }

    /// <summary>The same as it is stored, one history per instance, for a replay against later code.</summary>
    public async Task<string> ReadStoredAsync(IEnumerable<string> instances, CancellationToken cancellationToken)
    {
        List<string> histories = [];
        foreach (var instance in instances)
        {
            List<Event> events = [];
            await foreach (var happened in ReadOneAsync(instance, cancellationToken))
            {
                events.Add(happened);
            }

            histories.Add(new StoredHistory(instance, events).ToJson());
        }

        return $"[\n{string.Join(",\n", histories)}\n]";
    }

    /// <summary>The input of an instance's present generation, and what its activities answered since.</summary>
    public async Task<(string? Input, IReadOnlyList<DrainAnswer> Answers)> ReadAnswersAsync(string instance, CancellationToken cancellationToken)
    {
        string? input = null;
        var asked = new Dictionary<int, TaskScheduledEvent>();
        var answers = new List<DrainAnswer>();
        await foreach (var happened in ReadOneAsync(instance, cancellationToken))
        {
            switch (happened.EventTypeCase)
            {
                case Kind.ExecutionStarted:
                    (input, asked, answers) = (happened.ExecutionStarted.Input, [], []);
                    break;
                case Kind.TaskScheduled:
                    asked[happened.EventId] = happened.TaskScheduled;
                    break;
                case Kind.TaskCompleted when asked.TryGetValue(happened.TaskCompleted.TaskScheduledId, out var task):
                    answers.Add(new DrainAnswer(task.Name, task.Input, happened.TaskCompleted.Result, happened.Timestamp.ToDateTimeOffset()));
                    break;
            }
        }

        return (input, answers);
    }

    private async IAsyncEnumerable<Event> ReadOneAsync(string instance, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var chunks = hub.StreamInstanceHistoryAsync(new StreamInstanceHistoryRequest { InstanceId = instance }, cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        await using (chunks)
        {
            while (await NextAsync(chunks))
            {
                foreach (var happened in chunks.Current.Events)
                {
                    yield return happened;
                }
            }
        }
    }

    private static async Task<bool> NextAsync(IAsyncEnumerator<HistoryChunk> chunks)
    {
        try
        {
            return await chunks.MoveNextAsync();
        }
        catch (TaskHubException error) when (error.Status == StatusCode.NotFound)
        {
            // Purged between the list of the parts and the reading of this one.
            return false;
        }
    }

    private static Line? Describe(Event happened, Dictionary<int, string> names)
    {
        switch (happened.EventTypeCase)
        {
            case Kind.ExecutionStarted:
                var started = happened.ExecutionStarted;
                return new Line("started", started.Name, $"{started.Name} began.", started.Input);
            case Kind.ExecutionCompleted:
                var ended = happened.ExecutionCompleted;
                return new Line(
                    "ended", null, ended.FailureDetails is { } failure ? $"It failed: {failure.ErrorMessage}" : $"It ended: {ended.OrchestrationStatus}.", ended.Result);
            case Kind.ExecutionTerminated:
                return new Line("terminated", null, "It was ended by force.", happened.ExecutionTerminated.Input);
            case Kind.ExecutionSuspended:
                return new Line("suspended", null, "It was suspended.", happened.ExecutionSuspended.Input);
            case Kind.ExecutionResumed:
                return new Line("resumed", null, "It was resumed.", happened.ExecutionResumed.Input);
            case Kind.ContinueAsNew:
                return new Line("continued", null, "It went on with a fresh history.", happened.ContinueAsNew.Input);
            case Kind.EventRaised:
                return new Line("event-received", happened.EventRaised.Name, $"Event {happened.EventRaised.Name} arrived.", happened.EventRaised.Input);
            case Kind.EventSent:
                var sent = happened.EventSent;
                return new Line("event-sent", sent.Name, $"Event {sent.Name} was sent to {sent.InstanceId}.", sent.Input);
            default:
                return DescribeTask(happened, names);
        }
    }

    private static Line? DescribeTask(Event happened, Dictionary<int, string> names)
    {
        switch (happened.EventTypeCase)
        {
            case Kind.TaskScheduled:
                var task = happened.TaskScheduled;
                names[happened.EventId] = task.Name;
                return new Line("activity-scheduled", task.Name, $"{task.Name} was asked for.", task.Input);
            case Kind.TaskCompleted:
                return Name(happened.TaskCompleted.TaskScheduledId) is var done
                    ? new Line("activity-completed", done, $"{done} is done.", happened.TaskCompleted.Result) : null;
            case Kind.TaskFailed:
                var failed = happened.TaskFailed;
                return new Line("activity-failed", Name(failed.TaskScheduledId), $"{Name(failed.TaskScheduledId)} failed: {failed.FailureDetails?.ErrorMessage}", null);
            case Kind.SubOrchestrationInstanceCreated:
                var part = happened.SubOrchestrationInstanceCreated;
                names[happened.EventId] = part.Name;
                return new Line("part-started", part.Name, $"{part.Name} was started as {part.InstanceId}.", part.Input);
            case Kind.SubOrchestrationInstanceCompleted:
                var partDone = happened.SubOrchestrationInstanceCompleted;
                return new Line("part-completed", Name(partDone.TaskScheduledId), $"{Name(partDone.TaskScheduledId)} ended.", partDone.Result);
            case Kind.SubOrchestrationInstanceFailed:
                var partFailed = happened.SubOrchestrationInstanceFailed;
                return new Line(
                    "part-failed", Name(partFailed.TaskScheduledId), $"{Name(partFailed.TaskScheduledId)} failed: {partFailed.FailureDetails?.ErrorMessage}", null);
            case Kind.TimerCreated:
                return new Line("timer-set", null, $"A timer was set for {happened.TimerCreated.FireAt.ToDateTimeOffset():O}.", null);
            case Kind.TimerFired:
                return new Line("timer-fired", null, $"The timer of {happened.TimerFired.FireAt.ToDateTimeOffset():O} fired.", null);
            default:
                // The engine's own marks (a turn began, a turn ended) say nothing about the maintenance.
                return null;
        }

        string Name(int id) => names.GetValueOrDefault(id, $"task {id}");
    }

    private sealed record Line(string Kind, string? Name, string Text, string? Data);
}

using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.State;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>Makes the work item of the next turn of an instance.</summary>
internal sealed class TurnRequests(IHubStore store, LargePayloads payloads, TaskHubOptions options, TimeProvider clock)
{
    // A worker that keeps live orchestrators compares these with what it has.
    private const string HistoryLength = "drydock.historyLength";
    private const string LastTurn = "drydock.lastTurn";

    /// <summary>Moves messages from the inbox into a turn and describes it. Always at least one message.</summary>
    public OrchestratorRequest Next(Instance instance, WorkStream stream)
    {
        var messages = TakeMessages(instance);
        var started = new HistoryEvent
        {
            EventId = -1,
            // Never before the turn that precedes it, nor before a timer that fired in it, even if the clock was set back: a replay
            // computes with these times.
            Timestamp = Timestamp.FromDateTime(messages.Aggregate(
                Later(clock.GetUtcNow().UtcDateTime, instance.UpdatedAt),
                static (time, message) => message.Event!.TimerFired is { } timer ? Later(time, timer.FireAt.ToDateTime()) : time)),
            OrchestratorStarted = new(),
        };
        instance.Turn = new Turn(started, messages);
        var request = new OrchestratorRequest
        {
            InstanceId = instance.Id,
            ExecutionId = instance.ExecutionId,
            OrchestrationTraceContext = instance.Trace,

            // Without it, workers say that the hub has no entities. Messages come in order here: nothing need be sorted.
            EntityParameters = new OrchestratorEntityParameters { EntityMessageReorderWindow = Duration.FromTimeSpan(TimeSpan.Zero) },
        };
        request.NewEvents.Add(started);
        request.NewEvents.Add(messages.Select(message => message.Event));
        if (stream.KeepsOrchestrators)
        {
            request.Properties.Add(HistoryLength, Value.ForNumber(instance.HistoryLength));
            if (instance.LastTurn is { } token)
            {
                request.Properties.Add(LastTurn, Value.ForString(token));
            }
        }

        AddPast(request, instance, stream);
        return request;
    }

    private void AddPast(OrchestratorRequest request, Instance instance, WorkStream stream)
    {
        if (instance.HistoryLength == 0)
        {
            return;
        }

        if (stream.KeepsOrchestrators || (stream.CanStreamHistory && instance.HistoryBytes > options.InlineHistoryBytes))
        {
            request.RequiresHistoryStreaming = true;
        }
        else
        {
            request.PastEvents.Add(store.ReadHistory(instance.Key).Select(past => payloads.Read(instance.Key, past)));
        }
    }

    private List<Message> TakeMessages(Instance instance)
    {
        var inbox = instance.Inbox;
        var start = inbox.FindIndex(message => message.Flags.HasFlag(MessageFlags.Starts));
        if (start > 0)
        {
            var message = inbox[start];
            inbox.RemoveAt(start);
            inbox.Insert(0, message);
        }

        var count = 0;
        long bytes = 0;
        while (count < inbox.Count)
        {
            var message = inbox[count];
            message.Payload ??= store.ReadMessage(instance.Key, message.Seq);
            message.Event ??= Read(instance, message);
            bytes += message.Payload.Length + message.CharactersApart;
            if (count > 0 && bytes > options.TurnEventBytes)
            {
                break;
            }

            count++;
        }

        var taken = inbox.GetRange(0, count);
        inbox.RemoveRange(0, count);
        return taken;
    }

    private HistoryEvent Read(Instance instance, Message message)
    {
        var historyEvent = HistoryEvent.Parser.ParseFrom(message.Payload);
        message.CharactersApart = LargePayloads.CharactersApart(historyEvent);
        return payloads.Read(instance.Key, historyEvent);
    }

    private static DateTime Later(DateTime one, DateTime other) => one > other ? one : other;
}

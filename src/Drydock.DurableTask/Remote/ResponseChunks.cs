using Drydock.DurableTask.Protobuf;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.Remote;

/// <summary>
/// A turn that is larger than a message may be goes in several, which the hub commits as one. Deprecated in the protocol, and still what
/// the official worker does.
/// </summary>
internal static class ResponseChunks
{
    // Room for the fields beside the actions.
    private const int Overhead = 4096;

    public static IEnumerable<OrchestratorResponse> Of(OrchestratorResponse response, int limit)
    {
        if (response.CalculateSize() <= limit)
        {
            return [response];
        }

        var room = limit - Overhead - (response.CustomStatus?.Length ?? 0) * 3;
        if (response.Actions.FirstOrDefault(action => action.CalculateSize() > room) is { } tooLarge)
        {
            return [Failed(response, tooLarge, limit)];
        }

        return Split(response, room);
    }

    public static Failure TooLarge(string what, int size, int limit) => new()
    {
        ErrorType = "PayloadTooLarge",
        ErrorMessage = $"{what} has {size:N0} bytes; at most {limit:N0} can be sent to the task hub. Store it elsewhere and pass a reference to it.",
        IsNonRetriable = true,
    };

    private static List<OrchestratorResponse> Split(OrchestratorResponse response, int room)
    {
        List<OrchestratorResponse> parts = [];
        var size = 0;
        foreach (var action in response.Actions)
        {
            var bytes = action.CalculateSize() + 8;
            if (parts.Count == 0 || size + bytes > room)
            {
                parts.Add(Part(response, parts.Count));
                size = 0;
            }

            parts[^1].Actions.Add(action);
            size += bytes;
        }

#pragma warning disable CS0612 // See above.
        parts[^1].IsPartial = false;
#pragma warning restore CS0612
        return parts;
    }

    private static OrchestratorResponse Part(OrchestratorResponse response, int index)
    {
        var part = new OrchestratorResponse
        {
            InstanceId = response.InstanceId,
            CustomStatus = response.CustomStatus,
            CompletionToken = response.CompletionToken,
            NumEventsProcessed = index == 0 ? null : 0,
            OrchestrationTraceContext = index == 0 ? response.OrchestrationTraceContext : null,
        };
#pragma warning disable CS0612 // See above.
        part.IsPartial = true;
        part.ChunkIndex = index;
#pragma warning restore CS0612
        return part;
    }

    private static OrchestratorResponse Failed(OrchestratorResponse response, OrchestratorAction tooLarge, int limit)
    {
        var failure = TooLarge($"One step of the orchestration ({tooLarge.OrchestratorActionTypeCase})", tooLarge.CalculateSize(), limit);
        return new OrchestratorResponse
        {
            InstanceId = response.InstanceId,
            CompletionToken = response.CompletionToken,
            Actions =
            {
                new OrchestratorAction
                {
                    Id = tooLarge.Id,
                    CompleteOrchestration = new CompleteOrchestrationAction
                    {
                        OrchestrationStatus = OrchestrationStatus.Failed, Result = failure.ErrorMessage, FailureDetails = failure,
                    },
                },
            },
        };
    }
}

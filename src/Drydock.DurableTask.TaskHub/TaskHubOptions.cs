using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub;

/// <summary>How an embedded hub hands out work and what it keeps, whichever store it has.</summary>
public abstract class TaskHubOptions
{
    /// <summary>How long an abandoned item waits before it is handed out again. The default is half a second.</summary>
    public TimeSpan AbandonDelay { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// From this size in bytes on, a history is streamed instead of sent inline to a worker that can stream. The default is 1 MiB.
    /// </summary>
    public int InlineHistoryBytes { get; set; } = 1024 * 1024;

    /// <summary>At most this many bytes of new events in one turn, so that a work item stays below 4 MB. The default is 2 MiB.</summary>
    public int TurnEventBytes { get; set; } = 2 * 1024 * 1024;

    /// <summary>
    /// Inputs, results, event payloads and custom statuses of orchestrations of more than so many characters are stored once, apart from
    /// the history and the messages that refer to them; whoever reads them does not notice. 0 or more; the default is 16,384.
    /// </summary>
    public int LargePayloadThreshold { get; set; } = 16 * 1024;

    /// <summary>
    /// How long finished orchestrations are kept, by how they ended; looked at every hour. What is not named is kept for ever, which is
    /// the default. Parts go with the orchestration that began them, or by themselves if it is not there any more. Events that were sent to
    /// an instance which never came are kept for the longest of these times.
    /// </summary>
    public IDictionary<OrchestrationStatus, TimeSpan> Retention { get; } = new Dictionary<OrchestrationStatus, TimeSpan>();

    /// <summary>How many operations of an entity are handed out at once. The default is 100.</summary>
    public int EntityBatch { get; set; } = 100;

    /// <summary>
    /// How often a turn, an activity or an operation of an entity is given out without an answer before it counts as poisoned: it is then
    /// not given out again but fails, with an error that says so and is not retriable. An item has no answer if its worker's stream or the whole process ended first; one
    /// that a worker gave back, as our workers do when they stop in order, is not counted. The count survives a restart. 0 means no
    /// limit. The default is 10.
    /// </summary>
    public int MaximumDeliveries { get; set; } = 10;

    /// <summary>Called at each moment around a commit. The default does nothing.</summary>
    public ICrashPoints? CrashPoints { get; set; }
}

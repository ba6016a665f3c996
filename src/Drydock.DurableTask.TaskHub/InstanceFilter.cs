using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.DurableTask.TaskHub;

/// <summary>
/// Which instances are wanted; what is not given lets everything through. Times are inclusive. Not of ended parents: parts of an instance
/// that has ended are left out.
/// </summary>
internal sealed record InstanceFilter(
    IReadOnlyCollection<OrchestrationStatus> Statuses,
    Timestamp? CreatedFrom = null,
    Timestamp? CreatedTo = null,
    Timestamp? CompletedFrom = null,
    Timestamp? CompletedTo = null,
    string? IdPrefix = null,
    bool NotOfEndedParents = false);

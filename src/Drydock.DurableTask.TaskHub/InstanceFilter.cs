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
    bool NotOfEndedParents = false)
{
    /// <summary>
    /// The first id, byte by byte, that comes after all that begin with the prefix, so that an index of ids is enough to find them; null: there
    /// is no prefix, or one whose last character has no simple successor.
    /// </summary>
    public string? IdEnd => IdPrefix is [.., < (char)0xD7FF and var last] ? $"{IdPrefix[..^1]}{(char)(last + 1)}" : null;
}

using System.Globalization;
using Drydock.Api;

namespace Drydock.Server;

/// <summary>One page of instances.</summary>
/// <param name="Items">With input, output and custom status.</param>
/// <param name="Next">Where the next page begins, or null: there is none.</param>
internal sealed record InstancePage(IReadOnlyList<OrchestrationMetadata> Items, string? Next);

/// <summary>
/// Pages of the instances of one orchestration, the newest first. A page begins behind a moment and an id, whatever has become of the instance
/// that was the last of the page before. Of instances that are on no page only what the hub keeps beside the texts is read.
/// </summary>
internal static class NewestFirst
{
    /// <summary>A page, or what is wrong with where it should begin.</summary>
    /// <param name="client">The hub.</param>
    /// <param name="orchestration">Its name.</param>
    /// <param name="onlyRunning">Only those that are not over.</param>
    /// <param name="isWanted">Chooses among them.</param>
    /// <param name="size">How many at most.</param>
    /// <param name="after">The <see cref="InstancePage.Next"/> of the page before, or null.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<Answer<InstancePage>> ReadAsync(
        DurableTaskClient client, string orchestration, bool onlyRunning, Func<OrchestrationMetadata, bool> isWanted, int size, string? after, CancellationToken cancellationToken)
    {
        var from = Position.Parse(after);
        if (after is not null && from is null)
        {
            return Problems.Invalid(new FieldError("after", after, "the 'next' of the page before"));
        }

        var behind = new List<Position>();
        await foreach (var head in Instances.HeadsAsync(client, orchestration, onlyRunning, cancellationToken))
        {
            var position = Position.Of(head);
            if (from is null || Position.Compare(position, from) > 0)
            {
                behind.Add(position);
            }
        }

        behind.Sort(Position.Compare);
        var items = new List<OrchestrationMetadata>();
        foreach (var position in behind)
        {
            if (await client.GetInstanceAsync(position.Id, getInputsAndOutputs: true, cancellationToken) is not { } instance
                || (onlyRunning && instance.IsCompleted) || !isWanted(instance))
            {
                continue;
            }

            if (items.Count == size)
            {
                return new InstancePage(items, Position.Of(items[^1]).ToString());
            }

            items.Add(instance);
        }

        return new InstancePage(items, null);
    }

    private sealed record Position(long Ticks, string Id)
    {
        public static Position Of(OrchestrationMetadata instance) => new(instance.CreatedAt.UtcTicks, instance.InstanceId);

        public static Position? Parse(string? text) =>
            text?.Split('.', 2) is [var ticks, { Length: > 0 } id] && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var moment)
                ? new(moment, id) : null;

        public static int Compare(Position one, Position other) =>
            other.Ticks.CompareTo(one.Ticks) is not 0 and var order ? order : string.CompareOrdinal(other.Id, one.Id);

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Ticks}.{Id}");
    }
}

using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.Worker;

/// <summary>Which work a worker takes; an empty list of a kind means none of that kind.</summary>
public class DurableTaskWorkerWorkItemFilters
{
    /// <summary>The orchestrations. The default is none.</summary>
    public IReadOnlyList<OrchestrationFilter> Orchestrations { get; set; } = [];

    /// <summary>The activities. The default is none.</summary>
    public IReadOnlyList<ActivityFilter> Activities { get; set; } = [];

    /// <summary>The entities. The default is none.</summary>
    public IReadOnlyList<EntityFilter> Entities { get; set; } = [];

    /// <summary>Everything that is registered; of one version only if the worker insists on its own.</summary>
    internal static DurableTaskWorkerWorkItemFilters Of(DurableTaskRegistry registry, DurableTaskWorkerOptions options)
    {
        var strict = options.Versioning is { MatchStrategy: DurableTaskWorkerOptions.VersionMatchStrategy.Strict } versioning
            ? versioning.Version
            : null;
        return new DurableTaskWorkerWorkItemFilters
        {
            Orchestrations =
            [
                .. registry.Orchestrators.Keys.GroupBy(static key => key.Name)
                    .Select(group => new OrchestrationFilter(group.Key, Versions(group, strict))),
            ],
            Activities =
            [
                .. registry.Activities.Keys.GroupBy(static key => key.Name)
                    .Select(group => new ActivityFilter(group.Key, Versions(group, strict))),
            ],
            Entities = [.. registry.GetEntities().Select(static entity => new EntityFilter(entity.Key))],
        };
    }

    /// <summary>As the protocol has it.</summary>
    internal WorkItemFilters ToProtocol() => new()
    {
        Orchestrations = { Orchestrations.Select(static filter => new Protobuf.OrchestrationFilter { Name = filter.Name, Versions = { filter.Versions } }) },
        Activities = { Activities.Select(static filter => new Protobuf.ActivityFilter { Name = filter.Name, Versions = { filter.Versions } }) },
        Entities = { Entities.Select(static filter => new Protobuf.EntityFilter { Name = filter.Name.ToLowerInvariant() }) },
    };

    // What is registered without a version serves every one, unless the worker insists on its own.
    private static IReadOnlyList<string> Versions(IGrouping<TaskName, TaskKey> registered, string? strict)
    {
        List<string> versions = [.. registered.Select(static key => key.Version.Version ?? string.Empty)];
        return strict is not null ? [strict] : versions.Contains(string.Empty) && versions.Count == 1 ? [] : versions;
    }

    /// <summary>Orchestrations of a name.</summary>
    public readonly struct OrchestrationFilter(string name, IReadOnlyList<string>? versions)
    {
        /// <summary>No name.</summary>
        public OrchestrationFilter()
            : this(string.Empty, null)
        {
        }

        /// <summary>The name.</summary>
        public string Name { get; init; } = name;

        /// <summary>Of these versions only; empty for all, "" for those without a version.</summary>
        public IReadOnlyList<string> Versions { get; init; } = versions ?? [];
    }

    /// <summary>Activities of a name.</summary>
    public readonly struct ActivityFilter(string name, IReadOnlyList<string>? versions)
    {
        /// <summary>No name.</summary>
        public ActivityFilter()
            : this(string.Empty, null)
        {
        }

        /// <summary>The name.</summary>
        public string Name { get; init; } = name;

        /// <summary>Of these versions only; empty for all, "" for those without a version.</summary>
        public IReadOnlyList<string> Versions { get; init; } = versions ?? [];
    }

    /// <summary>Entities of a name.</summary>
    public readonly struct EntityFilter(string name)
    {
        /// <summary>No name.</summary>
        public EntityFilter()
            : this(string.Empty)
        {
        }

        /// <summary>The name.</summary>
        public string Name { get; init; } = name;
    }
}

/// <summary>How a worker's filters come about: given, or from what is registered.</summary>
internal sealed class WorkItemFilterOptions
{
    public DurableTaskWorkerWorkItemFilters? Given { get; set; }

    public bool FromRegistry { get; set; }

    public DurableTaskWorkerWorkItemFilters? For(DurableTaskRegistry registry, DurableTaskWorkerOptions options) =>
        FromRegistry ? DurableTaskWorkerWorkItemFilters.Of(registry, options) : Given;
}

using System.Threading.Channels;
using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>One worker that takes work: how much more it takes, of which names, and what it holds.</summary>
internal sealed class WorkStream
{
    public WorkStream(GetWorkItemsRequest request, bool keepsOrchestrators)
    {
        // Zero is what a worker sends that does not set the field.
        OrchestratorRoom = Room(request.MaxConcurrentOrchestrationWorkItems);
        ActivityRoom = Room(request.MaxConcurrentActivityWorkItems);
        EntityRoom = Room(request.MaxConcurrentEntityWorkItems);
        KeepsOrchestrators = keepsOrchestrators;
        CanStreamHistory = request.Capabilities.Contains(WorkerCapability.HistoryStreaming);
        if (request.WorkItemFilters is { } filters)
        {
            Orchestrators = new NameFilter(filters.Orchestrations.Select(filter => (filter.Name, filter.Versions.AsEnumerable())));
            Entities = new NameFilter(filters.Entities.Select(filter => (filter.Name, Enumerable.Empty<string>())));
            Activities = new NameFilter(filters.Activities.Select(filter => (filter.Name, filter.Versions.AsEnumerable())));
        }
    }

    // Never holds more than the limits allow, so it needs no bound of its own.
    public Channel<WorkItem> Items { get; } =
        Channel.CreateUnbounded<WorkItem>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    public int OrchestratorRoom { get; set; }

    public int ActivityRoom { get; set; }

    public int EntityRoom { get; set; }

    public bool KeepsOrchestrators { get; }

    public bool CanStreamHistory { get; }

    /// <summary>It takes turns whose cause is not on disk yet.</summary>
    public bool Speculates { get; init; }

    public NameFilter? Orchestrators { get; }

    public NameFilter? Activities { get; }

    public NameFilter? Entities { get; }

    public HashSet<HandOut> Held { get; } = [];

    private static int Room(int maximum) => maximum switch
    {
        < 0 => throw new TaskHubException(
            Grpc.Core.StatusCode.InvalidArgument, $"A worker cannot take {maximum} items at once."),
        0 => int.MaxValue,
        _ => maximum,
    };
}

/// <summary>The names, and versions of them, that a worker takes.</summary>
internal sealed class NameFilter
{
    private readonly Dictionary<string, HashSet<string>> _names = new(StringComparer.OrdinalIgnoreCase);

    public NameFilter(IEnumerable<(string Name, IEnumerable<string> Versions)> filters)
    {
        foreach (var (name, versions) in filters)
        {
            _names[name] = [.. versions];
        }
    }

    /// <summary>The names, in upper case, of which any version is taken.</summary>
    public string[] AnyVersion => [.. _names.Where(name => name.Value.Count == 0).Select(name => name.Key.ToUpperInvariant())];

    /// <summary>The names, in upper case, each with a version that is taken, on a line of its own.</summary>
    public string[] OneVersion =>
        [.. _names.SelectMany(name => name.Value.Select(version => $"{name.Key.ToUpperInvariant()}\n{version}"))];

    /// <summary>No versions means any; the version "" means those without one.</summary>
    public bool Takes(string name, string version) =>
        _names.TryGetValue(name, out var versions) && (versions.Count == 0 || versions.Contains(version));
}

using System.Reflection;
using Microsoft.Extensions.DependencyInjection;

namespace Drydock.DurableTask;

/// <summary>Which orchestrators and activities a worker runs, each by name and version.</summary>
public sealed partial class DurableTaskRegistry
{
    private readonly Dictionary<TaskKey, Func<IServiceProvider, ITaskOrchestrator>> _orchestrators = [];
    private readonly Dictionary<TaskKey, Func<IServiceProvider, ITaskActivity>> _activities = [];

    /// <summary>The registered orchestrators by name and version.</summary>
    internal IReadOnlyDictionary<TaskKey, Func<IServiceProvider, ITaskOrchestrator>> Orchestrators => _orchestrators;

    /// <summary>The registered activities by name and version.</summary>
    internal IReadOnlyDictionary<TaskKey, Func<IServiceProvider, ITaskActivity>> Activities => _activities;

    /// <summary>The registered orchestrators.</summary>
    public IEnumerable<KeyValuePair<TaskName, Func<IServiceProvider, ITaskOrchestrator>>> GetOrchestrators() =>
        _orchestrators.Select(entry => KeyValuePair.Create(entry.Key.Name, entry.Value));

    /// <summary>The registered activities.</summary>
    public IEnumerable<KeyValuePair<TaskName, Func<IServiceProvider, ITaskActivity>>> GetActivities() =>
        _activities.Select(entry => KeyValuePair.Create(entry.Key.Name, entry.Value));

    private DurableTaskRegistry Add<TTask>(
        Dictionary<TaskKey, Func<IServiceProvider, TTask>> tasks,
        TaskName name,
        TaskVersion version,
        Func<IServiceProvider, TTask> factory)
    {
        ArgumentException.ThrowIfNullOrEmpty(name.Name, nameof(name));
        ArgumentNullException.ThrowIfNull(factory);
        if (!tasks.TryAdd(new TaskKey(name, version), factory))
        {
            var what = version == TaskVersion.Unversioned ? $"'{name}'" : $"'{name}' with version '{version}'";
            throw new ArgumentException($"A task {what} is already registered.", nameof(name));
        }

        return this;
    }

    private static TaskName NameOf(Type type) =>
        type.GetCustomAttribute<DurableTaskAttribute>() is { Name.Name.Length: > 0 } named ? named.Name : new TaskName(type.Name);

    private static TaskVersion VersionOf(Type type) => new(type.GetCustomAttribute<DurableTaskAttribute>()?.Version);

    private static Func<IServiceProvider, TTask> CreatorOf<TTask>(Type type)
        where TTask : class
    {
        ArgumentNullException.ThrowIfNull(type);
        if (type.IsAbstract || !typeof(TTask).IsAssignableFrom(type))
        {
            throw new ArgumentException($"'{type}' is not a class that implements {typeof(TTask).Name}.", nameof(type));
        }

        var create = ActivatorUtilities.CreateFactory(type, Type.EmptyTypes);
        return services => (TTask)create(services, arguments: null);
    }
}

/// <summary>What tells two registered tasks apart.</summary>
internal readonly record struct TaskKey(TaskName Name, TaskVersion Version);

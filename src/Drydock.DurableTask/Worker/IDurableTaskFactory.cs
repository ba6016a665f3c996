using System.Diagnostics.CodeAnalysis;
using Drydock.DurableTask.Entities;

namespace Drydock.DurableTask.Worker;

/// <summary>Creates the tasks that a worker runs.</summary>
public interface IDurableTaskFactory
{
    /// <summary>Creates an activity; false if there is none of that name.</summary>
    bool TryCreateActivity(TaskName name, IServiceProvider serviceProvider, [NotNullWhen(true)] out ITaskActivity? activity);

    /// <summary>Creates an orchestrator; false if there is none of that name.</summary>
    bool TryCreateOrchestrator(
        TaskName name, IServiceProvider serviceProvider, [NotNullWhen(true)] out ITaskOrchestrator? orchestrator);
}

/// <summary>Creates entities too.</summary>
public interface IDurableTaskFactory2 : IDurableTaskFactory
{
    /// <summary>Creates an entity; false if there is none of that name.</summary>
    bool TryCreateEntity(TaskName name, IServiceProvider serviceProvider, [NotNullWhen(true)] out ITaskEntity? entity);
}

/// <summary>
/// Creates what is in a registry. A version is matched exactly; what was registered without a version serves every version only if
/// nothing of that name was registered with one.
/// </summary>
internal sealed class DurableTaskFactory(DurableTaskRegistry registry) : IDurableTaskFactory2
{
    private readonly Tasks<ITaskOrchestrator> _orchestrators = new(registry.Orchestrators);
    private readonly Tasks<ITaskActivity> _activities = new(registry.Activities);
    private readonly Dictionary<TaskName, Func<IServiceProvider, ITaskEntity>> _entities = new(registry.GetEntities());

    /// <summary>What is registered.</summary>
    public DurableTaskRegistry Registry { get; } = registry;

    public bool TryCreateActivity(
        TaskName name, IServiceProvider serviceProvider, [NotNullWhen(true)] out ITaskActivity? activity) =>
        TryCreateActivity(name, TaskVersion.Unversioned, serviceProvider, out activity);

    public bool TryCreateOrchestrator(
        TaskName name, IServiceProvider serviceProvider, [NotNullWhen(true)] out ITaskOrchestrator? orchestrator) =>
        TryCreateOrchestrator(name, TaskVersion.Unversioned, serviceProvider, out orchestrator);

    public bool TryCreateEntity(TaskName name, IServiceProvider serviceProvider, [NotNullWhen(true)] out ITaskEntity? entity) =>
        (entity = _entities.GetValueOrDefault(name)?.Invoke(serviceProvider)) is not null;

    /// <summary>Creates an activity; false if there is none of that name and version.</summary>
    public bool TryCreateActivity(
        TaskName name, TaskVersion version, IServiceProvider services, [NotNullWhen(true)] out ITaskActivity? activity) =>
        (activity = _activities.Find(name, version)?.Invoke(services)) is not null;

    /// <summary>Creates an orchestrator; false if there is none of that name and version.</summary>
    public bool TryCreateOrchestrator(
        TaskName name, TaskVersion version, IServiceProvider services, [NotNullWhen(true)] out ITaskOrchestrator? orchestrator) =>
        (orchestrator = _orchestrators.Find(name, version)?.Invoke(services)) is not null;

    private sealed class Tasks<T>(IReadOnlyDictionary<TaskKey, Func<IServiceProvider, T>> registered)
    {
        private readonly HashSet<TaskName> _versioned =
            [.. registered.Keys.Where(static key => key.Version != TaskVersion.Unversioned).Select(static key => key.Name)];

        public Func<IServiceProvider, T>? Find(TaskName name, TaskVersion version) =>
            registered.TryGetValue(new TaskKey(name, version), out var exact) ? exact
            : _versioned.Contains(name) ? null
            : registered.GetValueOrDefault(new TaskKey(name, TaskVersion.Unversioned));
    }
}

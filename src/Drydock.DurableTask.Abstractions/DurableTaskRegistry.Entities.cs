using Drydock.DurableTask.Entities;

namespace Drydock.DurableTask;

/// <content>Registration of entities: the surface is here, the engine does not run them yet.</content>
public sealed partial class DurableTaskRegistry
{
    private readonly Dictionary<TaskName, Func<IServiceProvider, ITaskEntity>> _entities = [];

    /// <summary>Not supported yet.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public DurableTaskRegistry AddEntity(TaskName name, Func<IServiceProvider, ITaskEntity> factory) => throw Unsupported(name);

    /// <summary>Not supported yet.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public DurableTaskRegistry AddEntity(TaskName name, Type type) => throw Unsupported(name);

    /// <summary>Not supported yet.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public DurableTaskRegistry AddEntity(Type type) => throw Unsupported(NameOf(type));

    /// <summary>Not supported yet.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public DurableTaskRegistry AddEntity<TEntity>(TaskName name)
        where TEntity : class, ITaskEntity => throw Unsupported(name);

    /// <summary>Not supported yet.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public DurableTaskRegistry AddEntity<TEntity>()
        where TEntity : class, ITaskEntity => throw Unsupported(NameOf(typeof(TEntity)));

    /// <summary>Not supported yet.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public DurableTaskRegistry AddEntity(TaskName name, ITaskEntity entity) => throw Unsupported(name);

    /// <summary>Not supported yet.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public DurableTaskRegistry AddEntity(ITaskEntity entity) => throw Unsupported(NameOf(entity.GetType()));

    /// <summary>The registered entities: none.</summary>
    public IEnumerable<KeyValuePair<TaskName, Func<IServiceProvider, ITaskEntity>>> GetEntities() => _entities;

    private static NotSupportedException Unsupported(TaskName name) =>
        new($"Entity '{name}' cannot be registered: durable entities are not supported by this version of Drydock.DurableTask.");
}

using Drydock.DurableTask.Entities;

namespace Drydock.DurableTask;

/// <content>Registration of entities.</content>
public sealed partial class DurableTaskRegistry
{
    private readonly Dictionary<TaskName, Func<IServiceProvider, ITaskEntity>> _entities = [];

    /// <summary>Registers an entity under a name; the factory is called for each batch of operations.</summary>
    /// <exception cref="ArgumentException">The name is registered already.</exception>
    public DurableTaskRegistry AddEntity(TaskName name, Func<IServiceProvider, ITaskEntity> factory)
    {
        ArgumentException.ThrowIfNullOrEmpty(name.Name, nameof(name));
        ArgumentNullException.ThrowIfNull(factory);
        return _entities.TryAdd(name, factory) ? this : throw new ArgumentException($"An entity '{name}' is already registered.", nameof(name));
    }

    /// <summary>Registers a class under a name; it is created with its dependencies for each batch of operations.</summary>
    public DurableTaskRegistry AddEntity(TaskName name, Type type) => AddEntity(name, CreatorOf<ITaskEntity>(type));

    /// <summary>Registers a class under the name of its attribute, or its own.</summary>
    public DurableTaskRegistry AddEntity(Type type) => AddEntity(NameOf(type), type);

    /// <summary>Registers a class under a name.</summary>
    public DurableTaskRegistry AddEntity<TEntity>(TaskName name)
        where TEntity : class, ITaskEntity => AddEntity(name, typeof(TEntity));

    /// <summary>Registers a class under the name of its attribute, or its own.</summary>
    public DurableTaskRegistry AddEntity<TEntity>()
        where TEntity : class, ITaskEntity => AddEntity(typeof(TEntity));

    /// <summary>Registers one object that serves all batches.</summary>
    public DurableTaskRegistry AddEntity(TaskName name, ITaskEntity entity)
    {
        ArgumentNullException.ThrowIfNull(entity);
        return AddEntity(name, _ => entity);
    }

    /// <summary>Registers one object, under the name of its class, that serves all batches.</summary>
    public DurableTaskRegistry AddEntity(ITaskEntity entity)
    {
        ArgumentNullException.ThrowIfNull(entity);
        return AddEntity(NameOf(entity.GetType()), entity);
    }

    /// <summary>The registered entities.</summary>
    public IEnumerable<KeyValuePair<TaskName, Func<IServiceProvider, ITaskEntity>>> GetEntities() => _entities;
}

using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>
/// Prepares, while the server starts, what its first maintenance would otherwise wait for: the serializer's contracts of all inputs and
/// outputs of the orchestrations and activities. Then it gives back the memory that the start took. It runs beside the start of the
/// other services; the server listens when it is done.
/// </summary>
internal sealed class FirstUse : IHostedLifecycleService
{
    private Task _preparing = Task.CompletedTask;

    /// <summary>Makes the contracts of these types, as the SDK's converter needs them.</summary>
    public static void Prepare(IEnumerable<Type> types)
    {
        foreach (var type in types)
        {
            JsonDataConverter.Default.Deserialize("null", type);
        }
    }

    /// <summary>The inputs and outputs of all orchestrations and activities of node maintenance that can be null.</summary>
    public static IReadOnlyList<Type> StoredTypes() =>
        [.. typeof(MaintenanceTasks).Assembly.GetTypes().SelectMany(Stored).Where(static type => !type.IsValueType && !type.IsGenericParameter).Distinct()];

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _preparing = Task.Run(static () => Prepare(StoredTypes()), cancellationToken);
        return Task.CompletedTask;
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _preparing;
        IdleMemory.Collect();
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static IEnumerable<Type> Stored(Type task)
    {
        for (var type = task.BaseType; type is not null; type = type.BaseType)
        {
            if (type.IsGenericType && IsTask(type.GetGenericTypeDefinition()))
            {
                return type.GetGenericArguments();
            }
        }

        return [];
    }

    private static bool IsTask(Type type) => type == typeof(TaskOrchestrator<,>) || type == typeof(TaskActivity<,>);
}

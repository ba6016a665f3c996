using Drydock.DurableTask.Remote;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Drydock.DurableTask.Worker;

/// <summary>How a worker of a task hub works.</summary>
public sealed class TaskHubWorkerOptions : DurableTaskWorkerOptions
{
    /// <summary>
    /// How many orchestrators are kept alive between their turns, so that they need not be replayed; 0 replays every turn. The default
    /// is 1000.
    /// </summary>
    public int MaximumLiveOrchestrators { get; set; } = 1000;

    /// <summary>
    /// After every turn of a live orchestrator, replays the whole history too and fails loudly if it leads elsewhere. For tests. The
    /// default is false.
    /// </summary>
    public bool CompareWithReplay { get; set; }

    /// <summary>How long running turns and activities may go on after the host asked to stop. The default is 10 seconds.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest pause before a lost stream of work items is opened again. The default is 30 seconds.</summary>
    public TimeSpan MaximumReconnectDelay { get; set; } = TimeSpan.FromSeconds(30);
}

/// <summary>Connects workers with task hubs.</summary>
public static class TaskHubWorkerBuilderExtensions
{
    /// <summary>The worker takes its work from the <see cref="ITaskHub"/> of the services.</summary>
    public static IDurableTaskWorkerBuilder UseTaskHub(this IDurableTaskWorkerBuilder builder) => builder.UseTaskHub(static _ => { });

    /// <summary>The worker takes its work from the <see cref="ITaskHub"/> of the services.</summary>
    public static IDurableTaskWorkerBuilder UseTaskHub(this IDurableTaskWorkerBuilder builder, Action<TaskHubWorkerOptions> configure)
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.Configure(builder.Name, configure);
        return builder.UseBuildTarget<TaskHubWorker, TaskHubWorkerOptions>();
    }

    /// <summary>The worker takes its work from a hub in another process.</summary>
    /// <param name="builder">The worker.</param>
    /// <param name="address">Its address or connection string; see <see cref="TaskHubAddress"/>.</param>
    /// <exception cref="FormatException">It is neither.</exception>
    public static IDurableTaskWorkerBuilder UseRemoteTaskHub(this IDurableTaskWorkerBuilder builder, string address)
    {
        builder.Services.AddRemoteTaskHub(address);
        return builder.UseTaskHub();
    }
}

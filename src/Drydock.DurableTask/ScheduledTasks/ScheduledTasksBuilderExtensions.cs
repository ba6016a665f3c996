using Drydock.DurableTask.Client;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>Schedules for workers.</summary>
public static class DurableTaskWorkerBuilderExtensions
{
    /// <summary>The worker runs schedules; entities are enabled on it.</summary>
    public static IDurableTaskWorkerBuilder UseScheduledTasks(this IDurableTaskWorkerBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Configure(static options => options.EnableEntitySupport = true);
        return builder.AddTasks(static tasks => tasks.AddEntity<Schedule>().AddOrchestrator<ExecuteScheduleOperationOrchestrator>());
    }
}

/// <summary>Schedules for clients.</summary>
public static class DurableTaskClientBuilderExtensions
{
    /// <summary>Makes <see cref="ScheduledTaskClient"/> a service, over this client; entities are enabled on it.</summary>
    public static IDurableTaskClientBuilder UseScheduledTasks(this IDurableTaskClientBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Configure(static options => options.EnableEntitySupport = true);
        builder.Services.AddTransient<ScheduledTaskClient>(
            services => new EntityScheduledTaskClient(services.GetRequiredService<IDurableTaskClientProvider>().GetClient(builder.Name)));
        return builder;
    }
}

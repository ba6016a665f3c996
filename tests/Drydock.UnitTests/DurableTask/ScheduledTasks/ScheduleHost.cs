using Drydock.DurableTask.Client;
using Drydock.DurableTask.ScheduledTasks;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.Worker;
using Drydock.UnitTests.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Drydock.UnitTests.DurableTask.ScheduledTasks;

/// <summary>An engine with schedules whose clock the test moves. <c>Job</c> ends at once; <c>Long</c> waits for an event.</summary>
internal sealed class ScheduleHost : IAsyncDisposable
{
    private readonly EngineHost _host;

    private ScheduleHost(EngineHost host, FakeTimeProvider clock) => (_host, Clock) = (host, clock);

    public FakeTimeProvider Clock { get; }

    public DurableTaskClient Client => _host.Client;

    public ScheduledTaskClient Schedules => _host.Services.GetRequiredService<ScheduledTaskClient>();

    private SqliteTaskHub Hub => _host.Services.GetRequiredService<SqliteTaskHub>();

    public static async Task<ScheduleHost> StartAsync(FakeTimeProvider clock, DirectoryInfo? folder = null, ICrashPoints? points = null)
    {
        var host = await EngineHost.StartAsync(
            tasks => tasks
                .AddOrchestratorFunc<string, string>("Job", (_, input) => Task.FromResult(input))
                .AddOrchestratorFunc<string>("Long", context => context.WaitForExternalEvent<string>("end")),
            services: services =>
            {
                services.AddSingleton<TimeProvider>(clock);
                services.AddDurableTaskClient().UseScheduledTasks();
                services.AddDurableTaskWorker().UseScheduledTasks();
            },
            folder: folder,
            hub: options => options.CrashPoints = points);
        return new ScheduleHost(host, clock);
    }

    /// <summary>
    /// Moves the clock from one due time to the next, up to an end, and waits until all that became due is done. The clock jumps, so that
    /// nobody sees a time in between.
    /// </summary>
    public async Task RunUntilAsync(DateTimeOffset end)
    {
        while (await Hub.WhenIdleAsync(CancellationToken.None) is { } due && due <= end)
        {
            Clock.AdjustTime(due > Clock.GetUtcNow() ? due : Clock.GetUtcNow());
        }

        Clock.AdjustTime(end);
        await Hub.WhenIdleAsync(CancellationToken.None);
    }

    /// <summary>When the runs of an orchestration were started, and with what.</summary>
    public async Task<List<(DateTimeOffset At, string? Input)>> RunsAsync(string orchestration = "Job")
    {
        List<(DateTimeOffset, string?)> runs = [];
        await foreach (var instance in Client.GetAllInstancesAsync(new OrchestrationQuery(FetchInputsAndOutputs: true)))
        {
            if (instance.Name == orchestration)
            {
                runs.Add((instance.CreatedAt, instance.ReadInputAs<string>()));
            }
        }

        return [.. runs.Order()];
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();
}

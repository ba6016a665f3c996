using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>How a worker comes to the state of an orchestrator.</summary>
public enum Replaying
{
    /// <summary>It keeps orchestrators between turns.</summary>
    Seldom,

    /// <summary>It replays every turn.</summary>
    Always,

    /// <summary>It keeps orchestrators and replays every turn to compare.</summary>
    Compared,
}

/// <summary>Hub, worker and client in one host, on a database in a temporary folder.</summary>
internal sealed class EngineHost : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly bool _ownsFolder;
    private readonly IHost _host;

    private EngineHost(DirectoryInfo folder, bool ownsFolder, IHost host)
    {
        _folder = folder;
        _ownsFolder = ownsFolder;
        _host = host;
    }

    public DurableTaskClient Client => _host.Services.GetRequiredService<DurableTaskClient>();

    public IServiceProvider Services => _host.Services;

    public static async Task<EngineHost> StartAsync(
        Action<DurableTaskRegistry> tasks,
        Replaying replaying = Replaying.Seldom,
        Action<TaskHubWorkerOptions>? configure = null,
        Action<IServiceCollection>? services = null,
        DirectoryInfo? folder = null,
        Action<SqliteTaskHubOptions>? hub = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        var place = folder ?? Directory.CreateTempSubdirectory("drydock-engine-");
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
        builder.Services.AddSqliteTaskHub(Path.Combine(place.FullName, "hub.db"), hub);
        builder.Services.AddDurableTaskClient(client => client.UseTaskHub());
        builder.Services.AddDurableTaskWorker(worker => worker.AddTasks(tasks).UseTaskHub(options =>
        {
            options.MaximumLiveOrchestrators = replaying == Replaying.Always ? 0 : 1000;
            options.CompareWithReplay = replaying == Replaying.Compared;
            configure?.Invoke(options);
        }));
        services?.Invoke(builder.Services);
        var host = builder.Build();
        await host.StartAsync();
        return new EngineHost(place, folder is null, host);
    }

    /// <summary>Runs an orchestration to its end.</summary>
    public async Task<OrchestrationMetadata> RunAsync(string name, object? input = null, StartOrchestrationOptions? options = null)
    {
        var id = await Client.ScheduleNewOrchestrationInstanceAsync(name, input, options);
        return await EndOfAsync(id);
    }

    /// <summary>Waits for the end of an orchestration, but not forever.</summary>
    public async Task<OrchestrationMetadata> EndOfAsync(string id)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        return await Client.WaitForInstanceCompletionAsync(id, getInputsAndOutputs: true, limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
        if (_ownsFolder)
        {
            _folder.Delete(recursive: true);
        }
    }
}

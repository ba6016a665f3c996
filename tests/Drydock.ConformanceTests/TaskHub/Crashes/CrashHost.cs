using Drydock.DurableTask.Client;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>The whole engine on one file, as a program has it: hub, worker and client.</summary>
internal sealed class CrashHost : IAsyncDisposable
{
    private readonly IHost _host;

    private CrashHost(IHost host) => _host = host;

    public DurableTaskClient Client => _host.Services.GetRequiredService<DurableTaskClient>();

    public SqliteTaskHub Hub => _host.Services.GetRequiredService<SqliteTaskHub>();

    public static async Task<CrashHost> StartAsync(string folder, Ledger ledger, ICrashPoints? points = null, Action<SqliteTaskHubOptions>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
        builder.Services.AddSqliteTaskHub(Path.Combine(folder, "hub.db"), options =>
        {
            options.CrashPoints = points;
            // So that what is stored apart is at every crash, too.
            options.LargePayloadThreshold = 0;
            configure?.Invoke(options);
        });
        builder.Services.AddDurableTaskClient(client => client.UseTaskHub());
        builder.Services.AddDurableTaskWorker(worker => worker.AddTasks(tasks => CrashTasks.Register(tasks, ledger)).UseTaskHub());
        builder.Services.AddDurableTaskWorker().Configure(static options => options.EnableEntitySupport = true);
        var host = builder.Build();
        await host.StartAsync();
        return new CrashHost(host);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
    }
}

using Drydock.DurableTask.Client;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>The whole engine on one store, as a program has it: hub, worker and client.</summary>
internal sealed class CrashHost : IAsyncDisposable
{
    private readonly IHost _host;

    private CrashHost(IHost host) => _host = host;

    public DurableTaskClient Client => _host.Services.GetRequiredService<DurableTaskClient>();

    public EmbeddedTaskHub Hub => _host.Services.GetRequiredService<EmbeddedTaskHub>();

    public static async Task<CrashHost> StartAsync(string folder, Ledger ledger, ICrashPoints? points = null, Action<TaskHubOptions>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
        var place = new CrashPlace(folder);
        if (place.Address is { } address)
        {
            builder.Services.AddPostgreSqlTaskHub(address, options =>
            {
                // What a killed process held is there for one that has never seen it when its lease is over.
                options.Lease = TimeSpan.FromSeconds(3);
                Configure(options);
            });
        }
        else
        {
            builder.Services.AddSqliteTaskHub(place.Path, Configure);
        }

        builder.Services.AddDurableTaskClient(client => client.UseTaskHub());
        builder.Services.AddDurableTaskWorker(worker => worker.AddTasks(tasks => CrashTasks.Register(tasks, ledger)).UseTaskHub());
        builder.Services.AddDurableTaskWorker().Configure(static options => options.EnableEntitySupport = true);
        var host = builder.Build();
        await host.StartAsync();
        return new CrashHost(host);

        void Configure(TaskHubOptions options)
        {
            options.CrashPoints = points;
            // So that what is stored apart is at every crash, too.
            options.LargePayloadThreshold = 0;
            configure?.Invoke(options);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
    }
}

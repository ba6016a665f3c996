using System.Net;
using Drydock.DurableTask.Remote;
using Drydock.DurableTask.TaskHub.Endpoint;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>Hubs behind a gRPC endpoint on a free port of this machine, and clients of it.</summary>
internal sealed class ServedHub : IAsyncDisposable
{
    private readonly HubFolder _folder = new HubFolder().Create();
    private readonly TaskHubDirectory _hubs;
    private readonly List<RemoteTaskHub> _clients = [];

    private ServedHub(TimeProvider clock, Action<TaskHubServerOptions>? configure)
    {
        _hubs = new TaskHubDirectory(_folder.Path, null, clock, NullLoggerFactory.Instance);
        var options = new TaskHubServerOptions { Listen = new IPEndPoint(IPAddress.Loopback, 0) };
        configure?.Invoke(options);

        // The connection lives in real time, whatever the hub's clock does.
        Server = new TaskHubServer(_hubs, options, TimeProvider.System, NullLoggerFactory.Instance);
    }

    public TaskHubServer Server { get; }

    public TaskHubDirectory Hubs => _hubs;

    public string Folder => _folder.Folder;

    public static async Task<ServedHub> StartAsync(TimeProvider? clock = null, Action<TaskHubServerOptions>? configure = null)
    {
        var served = new ServedHub(clock ?? TimeProvider.System, configure);
        await served.Server.StartAsync(CancellationToken.None);
        return served;
    }

    /// <summary>A client of one of the hubs.</summary>
    public RemoteTaskHub Connect(string? taskHub = null, string? token = null, Action<RemoteTaskHubOptions>? configure = null)
    {
        var options = new RemoteTaskHubOptions { Address = new TaskHubAddress(Server.Address) { TaskHub = taskHub, Token = token } };
        configure?.Invoke(options);
        var client = new RemoteTaskHub(options, TimeProvider.System, NullLogger<RemoteTaskHub>.Instance);
        _clients.Add(client);
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        await Server.DisposeAsync();
        await _hubs.DisposeAsync();
        _folder.Dispose();
    }
}

using System.Diagnostics;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.Remote;

/// <summary>
/// A task hub in another process, over gRPC: ours, the Durable Task Scheduler, or any other that serves <c>TaskHubSidecarService</c>.
/// Nothing is connected before the first call; a lost connection is made anew by the next call, for ever.
/// </summary>
public sealed partial class RemoteTaskHub : ITaskHub, ITaskHubExtensions, IDisposable
{
    // Calls that are under way on a connection that was given up may still come home.
    private static readonly TimeSpan Farewell = TimeSpan.FromMinutes(1);

    private readonly RemoteTaskHubOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private HubConnection _connection;
    private int _fruitless;

    /// <summary>Makes a hub that is not connected yet.</summary>
    /// <exception cref="FormatException">The address contradicts itself.</exception>
    public RemoteTaskHub(RemoteTaskHubOptions options, TimeProvider clock, ILogger<RemoteTaskHub> logger)
    {
        _options = options;
        _clock = clock;
        _logger = logger;
        _connection = new HubConnection(options);
    }

    private HubConnection Connection => Volatile.Read(ref _connection);

    /// <summary>Ends the connection and with it every call.</summary>
    public void Dispose() => _connection.Dispose();

    private static TaskHubException Refusal(RpcException exception) => new(exception.StatusCode, exception.Status.Detail, exception);

    private static async Task<T> CallAsync<T>(AsyncUnaryCall<T> call, CancellationToken cancellationToken)
    {
        using (call)
        {
            try
            {
                return await call;
            }
            catch (RpcException) when (cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancellationToken);
            }
            catch (RpcException exception)
            {
                throw Refusal(exception);
            }
        }
    }

    /// <summary>A stream brought something, or not: after several that did not, the connection itself is suspect.</summary>
    private void StreamEnded(bool broughtAnything)
    {
        if (broughtAnything)
        {
            Volatile.Write(ref _fruitless, 0);
            return;
        }

        if (Interlocked.Increment(ref _fruitless) < _options.FailuresBeforeReconnect)
        {
            return;
        }

        lock (_gate)
        {
            if (_fruitless < _options.FailuresBeforeReconnect)
            {
                return;
            }

            _fruitless = 0;
            var suspect = _connection;
            Volatile.Write(ref _connection, new HubConnection(_options));
            Log.ConnectionReplaced(_logger, _options.Address.Endpoint, _options.FailuresBeforeReconnect);
            _ = DisposeLaterAsync(suspect);
        }
    }

    private async Task DisposeLaterAsync(HubConnection suspect)
    {
        await Task.Delay(Farewell, _clock, CancellationToken.None);
        suspect.Dispose();
    }

    /// <summary>Reads a stream of the hub; gRPC's own exceptions become the hub's.</summary>
    private static async Task<bool> MoveAsync<T>(IAsyncStreamReader<T> reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.MoveNext(cancellationToken);
        }
        catch (RpcException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (RpcException exception)
        {
            throw Refusal(exception);
        }
        catch (ObjectDisposedException exception)
        {
            throw new UnreachableException("A stream was read after its call was disposed of.", exception);
        }
    }
}

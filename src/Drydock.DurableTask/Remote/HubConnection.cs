using System.Globalization;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Protobuf.Extensions;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Drydock.DurableTask.Remote;

/// <summary>One channel to a remote hub, with the headers that every call carries.</summary>
internal sealed class HubConnection : IDisposable
{
    /// <summary>Names the hub. Part of the protocol of the Durable Task Scheduler.</summary>
    public const string TaskHubHeader = "taskhub";

    /// <summary>The largest message the caller takes, so that our own endpoint need not keep to the default of 4 MB.</summary>
    public const string LargestMessageHeader = "drydock-largest-message";

    /// <summary>The worker keeps live orchestrators; see <see cref="ITaskHub.GetWorkItemsAsync"/>.</summary>
    public const string KeepsOrchestratorsHeader = "drydock-keeps-orchestrators";

    private const string UserAgentHeader = "x-user-agent";
    private const string WorkerIdHeader = "workerid";
    private readonly GrpcChannel _channel;

    public HubConnection(RemoteTaskHubOptions options)
    {
        var address = options.Address;
        _channel = GrpcChannel.ForAddress(address.Endpoint, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = true,
                PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,

                // Finds a half-open connection long before a stream's silence does.
                KeepAlivePingDelay = TimeSpan.FromSeconds(30),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(20),
                ConnectTimeout = TimeSpan.FromSeconds(20),
            },
            DisposeHttpClient = true,
            MaxReceiveMessageSize = options.MaximumReceivedBytes,
            MaxSendMessageSize = null,
        });
        var credentials = HubCredentials.For(address);
        var headers = HeadersOf(options);
        var invoker = _channel.Intercept(new HeaderInterceptor(headers, credentials));
        Hub = new TaskHubSidecarService.TaskHubSidecarServiceClient(invoker);
        Extensions = new TaskHubExtensions.TaskHubExtensionsClient(invoker);
    }

    public TaskHubSidecarService.TaskHubSidecarServiceClient Hub { get; }

    public TaskHubExtensions.TaskHubExtensionsClient Extensions { get; }

    public void Dispose() => _channel.Dispose();

    private static Metadata HeadersOf(RemoteTaskHubOptions options)
    {
        var headers = new Metadata
        {
            { UserAgentHeader, "drydock-durabletask" },
            { WorkerIdHeader, $"{Environment.MachineName},{Environment.ProcessId}" },
            { LargestMessageHeader, options.MaximumReceivedBytes.ToString(CultureInfo.InvariantCulture) },
        };
        if (options.Address.TaskHub is { } name)
        {
            headers.Add(TaskHubHeader, name);
        }

        return headers;
    }

    /// <summary>Adds the headers to every call. A token is fetched per call: it is cached where it comes from, and runs out.</summary>
    private sealed class HeaderInterceptor(Metadata headers, HubCredentials credentials) : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
            continuation(request, With(context));

        public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
            TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation) =>
            continuation(request, With(context));

        private ClientInterceptorContext<TRequest, TResponse> With<TRequest, TResponse>(ClientInterceptorContext<TRequest, TResponse> context)
            where TRequest : class
            where TResponse : class
        {
            var all = new Metadata();
            foreach (var entry in headers.Concat(context.Options.Headers ?? []))
            {
                all.Add(entry);
            }

            var options = context.Options.WithHeaders(all);
            if (credentials.OfCall is { } call)
            {
                options = options.WithCredentials(call);
            }
            else if (credentials.FixedToken is { } token)
            {
                all.Add("authorization", "Bearer " + token);
            }

            return new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, options);
        }
    }
}

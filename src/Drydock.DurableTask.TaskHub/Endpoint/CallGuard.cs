using System.Security.Cryptography;
using System.Text;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>Lets in who has the token, and gives every failure the status the protocol has for it.</summary>
internal sealed class CallGuard(TaskHubServerOptions options, ILogger<CallGuard> logger) : Interceptor
{
    private const string Scheme = "Bearer ";

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Authenticate(context);
        try
        {
            return await continuation(request, context);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw Refusal(exception, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Authenticate(context);
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw Refusal(exception, context);
        }
    }

    private void Authenticate(ServerCallContext context)
    {
        if (options.Token is not { } token || context.Method.StartsWith("/grpc.health.v1.Health/", StringComparison.Ordinal))
        {
            return;
        }

        var sent = context.RequestHeaders.GetValue("authorization");
        var isRight = sent?.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) == true
            && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(sent[Scheme.Length..]), Encoding.UTF8.GetBytes(token));
        if (!isRight)
        {
            throw new RpcException(new Status(
                StatusCode.Unauthenticated,
                sent is null
                    ? "This task hub wants a bearer token; send it as the metadata entry 'authorization: Bearer TOKEN'."
                    : "This is not the bearer token of this task hub."));
        }
    }

    private RpcException Refusal(Exception exception, ServerCallContext context)
    {
        switch (exception)
        {
            case TaskHubException refusal:
                return Rpc(refusal.Status, refusal.Message);
            case TaskHubOpenException unusable:
                return Rpc(StatusCode.FailedPrecondition, unusable.Message);
            case NotSupportedException missing:
                return Rpc(StatusCode.Unimplemented, missing.Message);
            case OperationCanceledException:
                return Rpc(StatusCode.Cancelled, "The call was cancelled.");
            case IOException or InvalidOperationException when context.CancellationToken.IsCancellationRequested:
                return Rpc(StatusCode.Cancelled, "The caller has gone.");
            default:
                Log.CallFailed(logger, exception, context.Method);
                return Rpc(StatusCode.Internal, $"The task hub failed: {exception.Message}");
        }
    }

    private static RpcException Rpc(StatusCode status, string message) => new(new Status(status, message));
}

using System.Globalization;
using Drydock.Api;
using Drydock.Kubernetes;
using Microsoft.AspNetCore.Diagnostics;

namespace Drydock.Server.Rest;

/// <summary>Says every failure as a problem; what is not expected is logged and not told.</summary>
internal sealed class Faults(ILogger<Faults> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is OperationCanceledException && httpContext.RequestAborted.IsCancellationRequested)
        {
            return true;
        }

        if (exception is ClusterException { RetryAfter: { } wait })
        {
            httpContext.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }

        await new ProblemResult(Describe(exception)).ExecuteAsync(httpContext);
        return true;
    }

    /// <summary>A plain answer without a body (unknown path, wrong method) said as a problem.</summary>
    public static Task DescribeStatusAsync(StatusCodeContext context)
    {
        var (request, status) = (context.HttpContext.Request, context.HttpContext.Response.StatusCode);
        var sentence = status switch
        {
            404 => $"There is nothing at {request.Path}.",
            405 => $"{request.Path} does not take {request.Method}.",
            _ => $"The request was answered with {status}.",
        };
        var type = status == 404 ? ProblemTypes.NotFound : ProblemTypes.InvalidRequest;
        return new ProblemResult(new Problem(type, "Not possible", status, sentence)).ExecuteAsync(context.HttpContext);
    }

    /// <summary>The status with which a failure is answered.</summary>
    public static int StatusOf(Exception exception) => ProblemOf(exception).Status;

    private Problem Describe(Exception exception)
    {
        if (exception is not (BadHttpRequestException or ClusterException))
        {
            logger.LogError(exception, "A request failed.");
        }

        return ProblemOf(exception);
    }

    private static Problem ProblemOf(Exception exception) => exception switch
    {
        BadHttpRequestException bad => new Problem(ProblemTypes.InvalidRequest, "The request is not valid", bad.StatusCode, bad.Message),
        ClusterException { Kind: ClusterErrorKind.Unreachable or ClusterErrorKind.Throttled or ClusterErrorKind.Server } cluster =>
            new Problem(ProblemTypes.Unavailable, "The cluster does not answer", 503, cluster.Message),
        ClusterException cluster => new Problem(ProblemTypes.Cluster, "The cluster refused", 502, cluster.Message),
        TaskHubException hub => new Problem(ProblemTypes.Unavailable, "The task hub does not work", 503, hub.Message),
        _ => new Problem(ProblemTypes.Internal, "A fault of the server", 500, "The server failed; its log says how."),
    };
}

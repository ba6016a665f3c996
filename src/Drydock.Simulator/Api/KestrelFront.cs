using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Drydock.Simulator.Api;

/// <summary>The server on a port of the loopback address.</summary>
internal static class KestrelFront
{
    // What is put together of a long body before it is sent.
    private const int MostUnsent = 64 * 1024;

    public static async Task<(WebApplication App, Uri Address)> StartAsync(
        Func<ApiRequest, CancellationToken, Task<ApiAnswer>> handle, int port, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);

        // A watcher that reads no more would hold the end up for half a minute.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 64 * 1024 * 1024;

            // An API server does not break the connection of a client that reads or sends slowly, as one on a busy machine does.
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;

            // Nor does it close an idle connection under the hands of a client that is about to POST: Go's transport does not send that again,
            // and kubectl says EOF. Go gives idle connections up after 90 s; a client that was stopped for a while must still be the first.
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(30);
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromMinutes(30);
        });

        var app = builder.Build();
        app.Run(context => AnswerAsync(context, handle));
        await app.StartAsync(cancellationToken);

        return (app, new Uri(app.Urls.Single()));
    }

    private static async Task AnswerAsync(HttpContext context, Func<ApiRequest, CancellationToken, Task<ApiAnswer>> handle)
    {
        var aborted = context.RequestAborted;
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, aborted);
        var headers = context.Request.Headers;
        var request = new ApiRequest(
            context.Request.Method,
            context.Request.Path.Value ?? "/",
            Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(context.Request.QueryString.Value),
            body.ToArray())
        {
            Accept = headers.Accept.ToString(),
            ContentType = context.Request.ContentType ?? "",
            Authorization = headers.Authorization,
            UserAgent = headers.UserAgent,
            IfNoneMatch = headers.IfNoneMatch,
            ImpersonatedUser = headers["Impersonate-User"],
            ImpersonatedGroups = [.. headers["Impersonate-Group"].OfType<string>()],
        };

        var answer = await handle(request, aborted);
        if (answer.Reset)
        {
            context.Abort();

            return;
        }

        await WriteAsync(context, answer, aborted);
    }

    private static async Task WritePartsAsync(PipeWriter body, IReadOnlyList<ReadOnlyMemory<byte>> parts, CancellationToken aborted)
    {
        foreach (var part in parts)
        {
            body.Write(part.Span);
            if (body.UnflushedBytes >= MostUnsent)
            {
                await body.FlushAsync(aborted);
            }
        }

        await body.FlushAsync(aborted);
    }

    private static async Task WriteAsync(HttpContext context, ApiAnswer answer, CancellationToken aborted)
    {
        var response = context.Response;
        response.StatusCode = answer.Code;
        response.ContentType = answer.ContentType;
        foreach (var (name, value) in answer.Headers)
        {
            response.Headers.Append(name, value);
        }

        if (answer.Stream is null)
        {
            response.ContentLength = answer.Length;
            if (context.Request.Method != "HEAD")
            {
                await WritePartsAsync(response.BodyWriter, answer.Parts ?? [answer.Body], aborted);
            }

            return;
        }

        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        await response.StartAsync(aborted);

        // The headers of a watch go out before its first event: clients wait for them.
        await response.BodyWriter.FlushAsync(aborted);
        try
        {
            await answer.Stream(async (piece, cancelled) => await response.BodyWriter.WriteAsync(piece, cancelled), aborted);
        }
        catch (OperationCanceledException) when (aborted.IsCancellationRequested)
        {
            // The client has left its watch.
        }
    }
}

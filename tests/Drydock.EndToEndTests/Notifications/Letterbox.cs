using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Drydock.EndToEndTests.Notifications;

/// <summary>A receiver of webhooks on loopback that keeps what it accepted and may be out of order.</summary>
internal sealed class Letterbox : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Lock _gate = new();
    private readonly List<Letter> _accepted = [];
    private int _refused;

    private Letterbox(WebApplication app) => _app = app;

    /// <summary>What it answers to everything; 200 accepts.</summary>
    public int Answer { get; set; } = 200;

    /// <summary>How often it answered something else than 200.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>What it accepted, in order.</summary>
    public IReadOnlyList<Letter> Accepted
    {
        get
        {
            lock (_gate)
            {
                return [.. _accepted];
            }
        }
    }

    /// <summary>Its address.</summary>
    public string Url => _app.Urls.Single();

    public static async Task<Letterbox> OpenAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var box = new Letterbox(builder.Build());
        box._app.Run(box.TakeAsync);
        await box._app.StartAsync(cancellationToken);
        return box;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync(context.RequestAborted);
        context.Response.StatusCode = Answer;
        if (Answer != 200)
        {
            Interlocked.Increment(ref _refused);
            return;
        }

        lock (_gate)
        {
            _accepted.Add(new Letter(context.Request.Path, body, context.Request.Headers.ToDictionary(static each => each.Key, static each => each.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
        }
    }
}

/// <summary>What was accepted.</summary>
internal sealed record Letter(string Path, string Body, IReadOnlyDictionary<string, string> Headers);

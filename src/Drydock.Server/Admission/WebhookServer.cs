using System.Text.Json;
using Drydock.Kubernetes;
using Drydock.Operator.Admission;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Drydock.Server.Admission;

/// <summary>
/// Serves the validating webhook over TLS, on an address of its own: the API server brings no token, and nothing else is served there.
/// </summary>
internal sealed class WebhookServer(
    WebhookOptions options, IWebhookCertificate certificate, AdmissionReviews reviews, TimeProvider clock, ILogger<WebhookServer> logger)
    : BackgroundService
{
    /// <summary>The path of the Node Maintenance Operator's webhook; ours is served under it too.</summary>
    public const string Path = "/validate-nodemaintenance-medik8s-io-v1beta1-nodemaintenance";

    private const long LargestReview = 3 * 1024 * 1024;
    private static readonly TimeSpan RefreshEvery = TimeSpan.FromSeconds(30);

    private WebApplication? _app;

    /// <summary>Where it listens, once it has started.</summary>
    public Uri Address => new(_app!.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await certificate.RefreshAsync(cancellationToken);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestReview;
            kestrel.Listen(options.Listen, listen => listen.UseHttps(https => https.ServerCertificateSelector = (_, _) => certificate.Current));
        });
        _app = builder.Build();
        _app.Run(AnswerAsync);
        await _app.StartAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (_app is not null)
        {
            await _app.StopAsync(cancellationToken);
        }
    }

    public override void Dispose()
    {
        (_app as IDisposable)?.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(RefreshEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await certificate.RefreshAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end that was asked for.
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (context.Request is not { Method: "POST" } || context.Request.Path != Path)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        try
        {
            var answer = await reviews.AnswerAsync(context.Request.Body, context.RequestAborted);
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(answer.ToJsonString(), context.RequestAborted);
        }
        catch (JsonException mistake)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            await context.Response.WriteAsync(mistake.Message, context.RequestAborted);
        }
        catch (ClusterException problem)
        {
            // Neither yes nor no: the failure policy of the configuration decides.
            logger.LogWarning("A NodeMaintenance could not be checked: {Why}", problem.Message);
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
            await context.Response.WriteAsync(problem.Message, context.RequestAborted);
        }
    }
}

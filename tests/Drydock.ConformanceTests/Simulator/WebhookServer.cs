using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>An admission webhook on a loopback port, with a certificate of an authority of its own.</summary>
internal sealed class WebhookServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private WebhookServer(WebApplication app, string bundle, Uri address) => (_app, Bundle, Address) = (app, bundle, address);

    /// <summary>The caBundle that trusts it.</summary>
    public string Bundle { get; }

    public Uri Address { get; }

    /// <summary>The reviews it was sent.</summary>
    public List<JsonObject> Reviews { get; } = [];

    /// <summary>What it answers: the <c>response</c> without its uid.</summary>
    public Func<JsonObject, Task<JsonObject>> Decide { get; set; } = _ => Task.FromResult(new JsonObject { ["allowed"] = true });

    public static async Task<WebhookServer> StartAsync(CancellationToken cancellationToken)
    {
        var (certificate, bundle) = Certificate();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.UseHttps(certificate);
        }));
        var app = builder.Build();
        WebhookServer? server = null;
        app.Run(context => server!.AnswerAsync(context));
        await app.StartAsync(cancellationToken);

        return server = new WebhookServer(app, bundle, new Uri(app.Urls.Single()));
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var review = (await JsonNode.ParseAsync(context.Request.Body))!.AsObject();
        lock (Reviews)
        {
            Reviews.Add(review);
        }

        var response = await Decide(review["request"]!.AsObject());
        response["uid"] = review["request"]!["uid"]!.DeepClone();
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(
            new JsonObject { ["apiVersion"] = "admission.k8s.io/v1", ["kind"] = "AdmissionReview", ["response"] = response }.ToJsonString());
    }

    private static (X509Certificate2 Certificate, string Bundle) Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=webhook", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("hook.hooks.svc");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using var made = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow().AddHours(1));

        return (X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null),
            Convert.ToBase64String(Encoding.ASCII.GetBytes(made.ExportCertificatePem())));
    }
}

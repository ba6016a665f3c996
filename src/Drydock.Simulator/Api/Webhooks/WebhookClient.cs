using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api.Webhooks;

/// <summary>A webhook could not be asked, or its answer is none; the message is the reason as the API server words it.</summary>
internal sealed class WebhookFailedException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>
/// Posts AdmissionReviews over TLS. A service is found by its Endpoints object, its certificate must be for <c>NAME.NAMESPACE.svc</c>; a
/// certificate must chain to the caBundle, or to this machine's roots if there is none.
/// </summary>
internal sealed class WebhookClient(IObjectStore store) : IDisposable
{
    private static readonly ResourceType _services = ResourceTypes.Of("services");
    private static readonly ResourceType _endpoints = ResourceTypes.Of("endpoints");

    // One connection pool for each server and the authority it is checked against.
    private readonly ConcurrentDictionary<(string Host, string Bundle), HttpClient> _clients = new();

    /// <summary>Posts a review.</summary>
    /// <param name="config">The clientConfig of the webhook.</param>
    /// <param name="seconds">What the webhook is told of its time.</param>
    /// <param name="review">The review.</param>
    /// <param name="cancellationToken">Its deadline, and the client's patience.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="WebhookFailedException">There was none.</exception>
    public async Task<JsonObject> PostAsync(JsonObject config, long seconds, JsonObject review, CancellationToken cancellationToken)
    {
        var (target, shown) = TargetOf(config, seconds);
        try
        {
            var client = _clients.GetOrAdd((target.Authority, config.Text("caBundle") ?? ""), _ => Connect(config));
            using var content = new ByteArrayContent(Wire.Bytes(review));
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await client.PostAsync(target, content, cancellationToken);
            var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);

            return response.IsSuccessStatusCode ? Parse(body) : throw Failed(Complaint(response.StatusCode, body), null);
        }
        catch (OperationCanceledException late)
        {
            throw Late(shown, late);
        }
        catch (HttpRequestException broken)
        {
            throw Failed($"Post \"{shown}\": {Reason(broken, target)}", broken);
        }
    }

    /// <summary>That a webhook did not answer in its time.</summary>
    public static WebhookFailedException Late(JsonObject config, long seconds) => Late(TargetOf(config, seconds).Shown, null);

    public void Dispose()
    {
        foreach (var client in _clients.Values)
        {
            client.Dispose();
        }
    }

    private static WebhookFailedException Late(string shown, Exception? cause) => Failed($"Post \"{shown}\": context deadline exceeded", cause);

    private static (Uri Target, string Shown) TargetOf(JsonObject config, long seconds)
    {
        var target = new UriBuilder(AddressOf(config)) { Query = $"timeout={seconds}s" }.Uri;

        // As Go prints it: a port that was named stays, even the usual one.
        return (target, $"{target.Scheme}://{target.Host}{(config["service"] is null && target.IsDefaultPort ? "" : $":{target.Port}")}{target.PathAndQuery}");
    }

    private static Uri AddressOf(JsonObject config)
    {
        if (config.Text("url") is { } url)
        {
            return new Uri(url);
        }

        var service = config["service"] as JsonObject ?? [];
        var host = $"{service.Text("name")}.{service.Text("namespace")}.svc";

        return new Uri($"https://{host}:{service.Number("port") ?? 443}{service.Text("path") ?? "/"}");
    }

    private static JsonObject Parse(byte[] body)
    {
        try
        {
            return JsonNode.Parse(body) as JsonObject ?? throw new JsonException("not an object");
        }
        catch (JsonException malformed)
        {
            throw new WebhookFailedException($"received invalid webhook response: {malformed.Message}", malformed);
        }
    }

    private static WebhookFailedException Failed(string why, Exception? cause) => new($"failed to call webhook: {why}", cause);

    private static string Complaint(HttpStatusCode code, byte[] body) => code switch
    {
        HttpStatusCode.NotFound => "the server could not find the requested resource",
        >= HttpStatusCode.InternalServerError =>
            $"an error on the server (\"{System.Text.Encoding.UTF8.GetString(body).ReplaceLineEndings("\\n")}\") has prevented the request from succeeding",
        _ => $"the server responded with the status code {(int)code} but did not return more information",
    };

    private static string Reason(HttpRequestException failure, Uri target) => failure.GetBaseException() switch
    {
        WebhookFailedException own => own.Message,
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } => $"dial tcp {target.Authority}: connect: connection refused",
        SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData } => $"dial tcp: lookup {target.Host}: no such host",
        AuthenticationException authentication => $"tls: failed to verify certificate: {authentication.Message}",
        { } other => other.Message,
    };

    private HttpClient Connect(JsonObject config)
    {
        var handler = new SocketsHttpHandler
        {
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
            AllowAutoRedirect = false,
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, certificate, sent, problems) => IsTrusted(config.Text("caBundle"), certificate, sent, problems),
            },
        };
        if (config["service"] is JsonObject service)
        {
            handler.ConnectCallback = (_, cancelled) => DialAsync(service, cancelled);
        }

        return new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    private static bool IsTrusted(string? bundle, X509Certificate? certificate, X509Chain? sent, SslPolicyErrors problems)
    {
        if (problems.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            throw new AuthenticationException("x509: certificate is not valid for the name of the webhook's server");
        }

        if (bundle is null ? problems is SslPolicyErrors.None : certificate is not null && ChainsTo(bundle, certificate, sent))
        {
            return true;
        }

        throw new AuthenticationException("x509: certificate signed by unknown authority");
    }

    private static bool ChainsTo(string bundle, X509Certificate certificate, X509Chain? sent)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.ImportFromPem(CertificateBundle.Text(bundle));
        foreach (var element in sent?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
        {
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        }

        using var own = X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());

        return chain.Build(own);
    }

    /// <summary>Connects to an address of the service's Endpoints object.</summary>
    private async ValueTask<Stream> DialAsync(JsonObject service, CancellationToken cancellationToken)
    {
        var (ns, name, port) = (service.Text("namespace"), service.Text("name") ?? "", service.Number("port") ?? 443);
        var found = store.Get(_services, ns, name) ?? throw new WebhookFailedException($"service \"{name}\" not found");
        var asked = found.Objects("spec", "ports").FirstOrDefault(each => each.Number("port") == port)
            ?? throw new WebhookFailedException($"no service port {port} found for service \"{name}\"");
        var subset = store.Get(_endpoints, ns, name).Objects("subsets")
            .FirstOrDefault(each => each.Objects("addresses").Any()
                && each.Objects("ports").Any(p => (p.Text("name") ?? "") == (asked.Text("name") ?? "")))
            ?? throw new WebhookFailedException($"no endpoints available for service \"{name}\"");
        var address = IPAddress.Parse(subset.Objects("addresses").First().Text("ip") ?? "");
        var target = subset.Objects("ports").First(p => (p.Text("name") ?? "") == (asked.Text("name") ?? "")).Number("port") ?? port;
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address, (int)target), cancellationToken);
        }
        catch (Exception)
        {
            socket.Dispose();
            throw;
        }

        return new NetworkStream(socket, ownsSocket: true);
    }
}

/// <summary>A caBundle: base64 of certificates in PEM.</summary>
internal static class CertificateBundle
{
    /// <summary>The PEM text.</summary>
    /// <exception cref="FormatException">It is not base64.</exception>
    public static string Text(string bundle) => System.Text.Encoding.ASCII.GetString(Convert.FromBase64String(bundle));

    /// <summary>Whether certificates can be read from it.</summary>
    public static bool IsValid(string bundle)
    {
        try
        {
            var certificates = new X509Certificate2Collection();
            certificates.ImportFromPem(Text(bundle));

            return certificates.Count > 0;
        }
        catch (Exception unreadable) when (unreadable is FormatException or CryptographicException)
        {
            return false;
        }
    }
}

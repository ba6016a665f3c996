using System.Text;
using Drydock.Maintenance;

namespace Drydock.Server.Policies;

/// <summary>
/// Calls the addresses that policies name, and only those under one of the allowed prefixes. Redirections are not followed: they would leave
/// the list.
/// </summary>
internal sealed class HttpTargets(IReadOnlyList<Uri> allowed, TimeProvider clock, HttpMessageHandler? handler = null) : IHttpTargets, IDisposable
{
    private const int LargestAnswer = 64 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly HttpClient _http = new(handler ?? new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = Patience })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    public string? Problem(string url) => Problem(url, allowed);

    /// <summary>It can begin addresses that may be called.</summary>
    internal static bool IsPrefix(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http" && uri.Query.Length == 0;

    /// <summary>Why an address must not be called under a list of prefixes, or null if it may.</summary>
    internal static string? Problem(string url, IReadOnlyList<string> prefixes) =>
        Problem(url, [.. prefixes.Where(IsPrefix).Select(static prefix => new Uri(prefix))]);

    private static string? Problem(string url, IReadOnlyList<Uri> allowed)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.UserInfo.Length > 0)
        {
            return $"'{url}' is not an address.";
        }

        if (uri.Scheme != Uri.UriSchemeHttps && !(uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback))
        {
            return $"'{url}' is not https.";
        }

        return allowed.Any(prefix => IsUnder(uri, prefix))
            ? null
            : $"'{url}' is not in the list of allowed addresses ({(allowed.Count == 0 ? "which is empty" : string.Join(", ", allowed))}).";
    }

    public async Task<HttpTargetAnswer> SendAsync(HttpTargetCall call, CancellationToken cancellationToken)
    {
        if (Problem(call.Url) is { } problem)
        {
            return new HttpTargetAnswer(403, problem);
        }

        using var patience = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(new HttpMethod(call.Method), call.Url);
            foreach (var (name, value) in call.Headers)
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }

            if (call.Body is { } body)
            {
                request.Content = new StringContent(body, Encoding.UTF8, "application/json");
            }

            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            return new HttpTargetAnswer((int)response.StatusCode, await ReadAsync(response, either.Token));
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return new HttpTargetAnswer(null, $"no answer within {Patience.TotalSeconds} s");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return new HttpTargetAnswer(null, exception.GetBaseException().Message);
        }
    }

    public void Dispose() => _http.Dispose();

    // A prefix ends at a path segment: https://a/hooks allows https://a/hooks/x and not https://a/hooks-of-others.
    private static bool IsUnder(Uri uri, Uri prefix) =>
        uri.Scheme == prefix.Scheme && string.Equals(uri.IdnHost, prefix.IdnHost, StringComparison.OrdinalIgnoreCase) && uri.Port == prefix.Port
        && (uri.AbsolutePath == prefix.AbsolutePath || uri.AbsolutePath.StartsWith(prefix.AbsolutePath.TrimEnd('/') + "/", StringComparison.Ordinal));

    private static async Task<string> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[LargestAnswer];
        var length = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        return Encoding.UTF8.GetString(buffer, 0, length);
    }
}

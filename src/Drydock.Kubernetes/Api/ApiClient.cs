using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Text;
using System.Text.Json;
using Drydock.Kubernetes.Reading;
using Drydock.Kubernetes.Watching;
using k8s.Authentication;

namespace Drydock.Kubernetes.Api;

/// <summary>
/// Sends requests to one API server, once each, and counts those that wait for an answer. KubernetesClient makes the connection and
/// signs the requests; its typed calls are not used because they drop nulls from patches and hide the Status of a refusal.
/// </summary>
internal sealed class ApiClient(
    HttpClient http, Uri address, ServiceClientCredentials? credentials, TimeSpan requestTimeout, TimeProvider clock, IDisposable? owner)
    : IDisposable
{
    private const int PageSize = 500;
    private const long NotKnown = long.MinValue;

    // An answer that took longer says nothing precise.
    private static readonly TimeSpan TooSlowForTime = TimeSpan.FromSeconds(5);

    private readonly string _base = address.AbsoluteUri.TrimEnd('/');
    private int _inFlight;
    private long _ahead = NotKnown;

    public TimeProvider Clock { get; } = clock;

    /// <summary>The watches that go through this client.</summary>
    public WatchHealth Watches { get; } = new(clock);

    public string Server { get; } = address.GetLeftPart(UriPartial.Authority);

    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>How far the server's clock is ahead of ours by its last answer (header Date), to about a second; null: no answer told.</summary>
    public TimeSpan? ServerAhead => Volatile.Read(ref _ahead) is var ticks && ticks == NotKnown ? null : TimeSpan.FromTicks(ticks);

    /// <summary>The answer, whatever its code.</summary>
    /// <exception cref="ClusterException">No answer came.</exception>
    public async Task<ApiAnswer> SendAsync(ApiCall call, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _inFlight);
        try
        {
            using var timeout = new CancellationTokenSource(requestTimeout, Clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
            return await TranslateAsync(call, timeout, cancellationToken, async () =>
            {
                using var response = await StartAsync(call, either.Token);
                return await ReadAsync(call, response, either.Token);
            });
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    /// <summary>The body of a successful answer.</summary>
    /// <exception cref="ClusterException">Any other answer, or none.</exception>
    public async Task<JsonElement> DoAsync(ApiCall call, CancellationToken cancellationToken)
    {
        var answer = await SendAsync(call, cancellationToken);
        return answer.IsSuccess ? answer.Body : throw ApiErrors.From(answer);
    }

    /// <summary>
    /// One object, or null if there is none. "There is none" is believed only of an answer that speaks of this object: an API server that
    /// is starting, or a type whose definition is being replaced, answers 404 to everything for a while.
    /// </summary>
    public async Task<JsonElement?> GetAsync(Resource resource, string? @namespace, string name, CancellationToken cancellationToken)
    {
        var call = new ApiCall("get", resource) { Namespace = @namespace, Name = name };
        var answer = await SendAsync(call, cancellationToken);
        if (answer.IsSuccess)
        {
            return answer.Body;
        }

        if (answer.Code != 404)
        {
            throw ApiErrors.From(answer);
        }

        return answer.IsStatus && answer.Body.Text("details", "name") == name
            ? null
            : throw new ClusterException(ClusterErrorKind.Server, call.Verb, resource.Describe(null),
                $"The API server {Server} does not serve {resource.Describe(null)} now ({call.Description}): {answer.Message}") { Code = 404 };
    }

    /// <summary>
    /// All objects that match, read in pages of one consistent state, or null if the type is not served. That is believed only of types that
    /// a cluster may be without: every API server has pods, and one that answers 404 for them is not there yet. Of each page only what
    /// <paramref name="read"/> makes of its objects is kept: a large cluster has gigabytes of JSON.
    /// </summary>
    public async Task<ApiList<T>?> ListAsync<T>(
        Resource resource, string? @namespace, string? selector, Func<JsonElement, T> read, CancellationToken cancellationToken)
    {
        var items = new List<T>();
        var limit = PageSize;
        string? next = null;
        while (true)
        {
            var query = string.Join('&', new[] { selector, limit > 0 ? $"limit={limit}" : null, next }.Where(part => part is not null));
            var call = new ApiCall("list", resource) { Namespace = @namespace, Query = query.Length == 0 ? null : query };
            var answer = await SendAsync(call, cancellationToken);
            if (answer.Code == 410 && next is not null)
            {
                // The state the pages came from was compacted away: once more, in one piece.
                items.Clear();
                (next, limit) = (null, 0);
                continue;
            }

            if (answer.Code == 404)
            {
                return resource.IsBuiltIn
                    ? throw new ClusterException(ClusterErrorKind.Server, call.Verb, resource.Describe(null),
                        $"The API server {Server} does not serve {resource.Describe(null)} now ({call.Description}): {answer.Message}") { Code = 404 }
                    : null;
            }

            var page = answer.IsSuccess ? answer.Body : throw ApiErrors.From(answer);
            items.AddRange(page.At("items").Items().Select(read));
            if (page.Text("metadata", "continue") is not { Length: > 0 } token)
            {
                return new ApiList<T>(items, page.ResourceVersion());
            }

            next = "continue=" + Uri.EscapeDataString(token);
        }
    }

    /// <summary>All objects of the cluster that match; none if the type is not served.</summary>
    public async Task<IReadOnlyList<T>> ListAllAsync<T>(
        Resource resource, string? selector, Func<JsonElement, T> read, CancellationToken cancellationToken) =>
        (await ListAsync(resource, @namespace: null, selector, read, cancellationToken))?.Items ?? [];

    /// <summary>Opens a watch; the caller reads it line by line. Counted as a request only until it is open.</summary>
    /// <exception cref="ClusterException">It was not opened.</exception>
    public async Task<WatchStream> OpenWatchAsync(ApiCall call, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _inFlight);
        try
        {
            using var timeout = new CancellationTokenSource(requestTimeout, Clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
            return await TranslateAsync(call, timeout, cancellationToken, async () =>
            {
                var response = await StartAsync(call, either.Token);
                if (!response.IsSuccessStatusCode)
                {
                    using (response)
                    {
                        throw ApiErrors.From(await ReadAsync(call, response, either.Token));
                    }
                }

                return new WatchStream(response, await response.Content.ReadAsStreamAsync(cancellationToken));
            });
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    public void Dispose()
    {
        http.Dispose();
        owner?.Dispose();
    }

    private async Task<HttpResponseMessage> StartAsync(ApiCall call, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(call.Method, new Uri(_base + call.Path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };

        // KubeVirt's subresources answer 406 to application/json alone.
        request.Headers.TryAddWithoutValidation("Accept", "application/json, */*");
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("drydock", "1"));
        if (call.Body is { } body)
        {
            var type = call.Verb == "patch" ? "application/merge-patch+json" : "application/json";
            request.Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue(type));
        }

        if (credentials is not null)
        {
            await credentials.ProcessHttpRequestAsync(request, cancellationToken);
        }

        var asked = Clock.GetUtcNow();
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var took = Clock.GetUtcNow() - asked;
        if (response.Headers.Date is { } date && took >= TimeSpan.Zero && took < TooSlowForTime)
        {
            // It is written in whole seconds.
            Volatile.Write(ref _ahead, (date + TimeSpan.FromMilliseconds(500) - (asked + took / 2)).Ticks);
        }

        return response;
    }

    private static async Task<ApiAnswer> ReadAsync(ApiCall call, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        var isJson = response.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.Ordinal) == true && bytes.Length > 0;
        var body = isJson ? JsonReading.Parse(bytes) : default;
        var retryAfter = response.Headers.RetryAfter?.Delta ?? Seconds(body.Number("details", "retryAfterSeconds"));
        return new ApiAnswer(call, (int)response.StatusCode, body, isJson ? null : Encoding.UTF8.GetString(bytes), retryAfter);
    }

    private static TimeSpan? Seconds(int? seconds) => seconds is > 0 ? TimeSpan.FromSeconds(seconds.Value) : null;

    private async Task<T> TranslateAsync<T>(
        ApiCall call, CancellationTokenSource timeout, CancellationToken cancellationToken, Func<Task<T>> send)
    {
        try
        {
            return await send();
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested && timeout.IsCancellationRequested)
        {
            var seconds = requestTimeout.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);
            throw ApiErrors.Unreachable(call, Server, $"no answer within {seconds} s.", exception);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            var inner = exception.GetBaseException();
            var why = inner is AuthenticationException ? "its certificate is not trusted: " + inner.Message : inner.Message;
            throw ApiErrors.Unreachable(call, Server, why, exception);
        }
        catch (JsonException exception)
        {
            throw new ClusterException(ClusterErrorKind.Server, call.Verb, call.Resource.Describe(call.Subresource),
                $"The API server {Server} answered {call.Description} with something that is not JSON: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is k8s.Exceptions.KubeConfigException or k8s.Exceptions.KubernetesClientException)
        {
            // The kubeconfig's login program failed or its token cannot be refreshed.
            throw new ClusterException(ClusterErrorKind.Unauthorized, call.Verb, call.Resource.Describe(call.Subresource),
                $"No credentials for the API server {Server}: {exception.Message}", exception);
        }
    }
}

/// <summary>A list and the state it shows.</summary>
/// <typeparam name="T">What was made of each object.</typeparam>
internal sealed record ApiList<T>(IReadOnlyList<T> Items, string ResourceVersion);

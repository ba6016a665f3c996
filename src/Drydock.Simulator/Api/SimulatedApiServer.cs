using System.Text.Json.Nodes;
using Drydock.Simulator.Api.Webhooks;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Drydock.Simulator.Validation;

namespace Drydock.Simulator.Api;

/// <summary>
/// A Kubernetes API server over an object store: for real clients on a port of the loopback address, for tests as an HttpMessageHandler.
/// </summary>
public sealed class SimulatedApiServer : IAsyncDisposable
{
    private readonly IObjectStore _store;
    private readonly IReadOnlyList<IAggregatedApi> _aggregated;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly Faults _faults;
    private readonly Rendering _rendering;
    private readonly Reads _reads;
    private readonly Writes _writes;
    private readonly Watches _watches;
    private readonly Evictions _evictions;
    private readonly Subresources _subresources;
    private readonly Discovery _discovery;
    private readonly OpenApi _openApi;
    private readonly Reviews _reviews;
    private readonly Housekeeping _housekeeping;
    private readonly WebhookClient _webhooks;
    private readonly ValidatingWebhooks _validating;
    private readonly List<WebApplication> _listening = [];
    private int _requestsInFlight;
    private int _outages;

    /// <summary>Composes a server. The system namespaces exist afterwards.</summary>
    public SimulatedApiServer(
        IObjectStore store,
        IEnumerable<IObjectAdmission> objectAdmissions,
        IEnumerable<IEvictionAdmission> evictionAdmissions,
        IEnumerable<IAggregatedApi> aggregatedApis,
        TimeProvider time,
        ILoggerFactory loggers,
        int faultSeed = 0)
    {
        _faults = new Faults(faultSeed);
        (_store, _time, _loggers) = (store, time, loggers);
        _logger = loggers.CreateLogger<SimulatedApiServer>();
        _aggregated = [.. aggregatedApis];
        Access = new Access(store);
        _rendering = new Rendering(new Tables(store, time));
        _reads = new Reads(store, _rendering);
        _webhooks = new WebhookClient(store);
        _validating = new ValidatingWebhooks(store, _webhooks, time, _logger) { HoldBack = HoldBackAsync };
        _writes = new Writes(store, [.. objectAdmissions], _validating, _rendering, new Rules(store), time);
        _watches = new Watches(store, _rendering, time);
        _evictions = new Evictions(store, [.. evictionAdmissions], _writes, time);
        _subresources = new Subresources(store, _writes);
        _discovery = new Discovery(store, _aggregated);
        _openApi = new OpenApi(store);
        _reviews = new Reviews(store, Access, time);
        _housekeeping = new Housekeeping(store, _logger);
    }

    /// <summary>The requests answered so far.</summary>
    public RequestLog RequestLog { get; } = new();

    /// <summary>Who may do what.</summary>
    public Access Access { get; }

    /// <summary>
    /// Called before a request for a resource is carried out, and again when it is and the answer is still to be sent: a test stops here
    /// whom it wants to stop at an exact moment.
    /// </summary>
    public Func<InterceptedRequest, Task>? Intercept { get; set; }

    /// <summary>The time that answers to clients of this process carry, or null: none. Over the network it is that of this host.</summary>
    public Func<DateTimeOffset>? Date { get; set; }

    /// <summary>Requests begun and not answered; an open watch is an answered request.</summary>
    public int RequestsInFlight => Volatile.Read(ref _requestsInFlight);

    /// <summary>Watch events that clients have not taken yet, and changes the server itself has still to act on.</summary>
    public long UndeliveredWatchEvents => _watches.Undelivered + _housekeeping.Pending;

    /// <summary>Serves on 127.0.0.1 until the server is disposed.</summary>
    /// <param name="port">The port; 0 for any that is free.</param>
    /// <param name="cancellationToken">Gives up starting.</param>
    /// <returns>The address.</returns>
    public async Task<Uri> ListenAsync(int port = 0, CancellationToken cancellationToken = default)
    {
        var (app, address) = await KestrelFront.StartAsync(HandleAsync, port, _loggers, cancellationToken);
        _listening.Add(app);

        return address;
    }

    /// <summary>The server behind an HttpClient of this process.</summary>
    public HttpMessageHandler CreateHandler() => new InMemoryFront(HandleAsync, () => Date?.Invoke());

    /// <summary>A kubeconfig for an address of this server.</summary>
    /// <param name="address">The address.</param>
    /// <param name="users">Who has a context beside the administrator, whose is the current one.</param>
    public static string Kubeconfig(Uri address, params IEnumerable<UserSpec> users) => Api.Kubeconfig.Of(address, users);

    /// <summary>Makes requests go wrong until disposed.</summary>
    public IDisposable Fail(Fault fault) => _faults.Add(fault);

    /// <summary>
    /// Breaks the connection of every request until disposed, except those to the pages of the simulator itself; open watches end now.
    /// </summary>
    public IDisposable GoDown()
    {
        Interlocked.Increment(ref _outages);
        DropWatches();
        return new Outage(this);
    }

    /// <summary>Which ValidatingWebhookConfigurations have webhooks that answer nobody.</summary>
    internal Func<string, bool> WebhookHangs
    {
        set => _validating.Hangs = value;
    }

    /// <summary>Pages beside the Kubernetes API; asked first.</summary>
    internal Func<ApiRequest, ApiAnswer?>? Pages { get; set; }

    /// <summary>Ends all open watches, as a restart of the API server does.</summary>
    public void DropWatches() => _watches.DropAll();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _watches.Dispose();
        foreach (var app in _listening)
        {
            await app.StopAsync(CancellationToken.None);
            await app.DisposeAsync();
        }

        await _housekeeping.DisposeAsync();
        _webhooks.Dispose();
    }

    private async Task<ApiAnswer> HandleAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _requestsInFlight);
        var path = ResourceRequest.Parse(request);
        var user = "";
        var answer = new ApiAnswer(500, null, default);
        try
        {
            var caller = Access.Impersonated(Access.Authenticate(request.Authorization), request);
            user = caller.Name;
            await InterceptAsync(path, isDone: false);
            answer = await FaultyAsync(request with { Caller = caller }, path, cancellationToken);
            await InterceptAsync(path, isDone: true);
        }
        catch (ApiException refusal)
        {
            await HoldBackAsync(refusal.HeldBack, cancellationToken);
            answer = Refused(refusal);
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            _logger.LogError(failure, "{Method} {Path} failed in the simulator.", request.Method, request.Path);
            answer = Refused(new ApiException(500, "InternalError", $"Internal error occurred: {failure.Message}"));
        }
        finally
        {
            var query = string.Join('&', request.Query.Select(q => $"{q.Key}={q.Value}"));
            RequestLog.Add(new RequestRecord(
                path?.Verb ?? request.Method.ToLowerInvariant(), query.Length == 0 ? request.Path : $"{request.Path}?{query}",
                path?.GroupResource, path?.Subresource, path?.Namespace, path?.Name, user, answer.Reset ? 0 : answer.Code, _time.GetUtcNow()));
            Interlocked.Decrement(ref _requestsInFlight);
        }

        return answer;
    }

    private Task InterceptAsync(ResourceRequest? path, bool isDone) => path is null || Intercept is not { } intercept
        ? Task.CompletedTask
        : intercept(new InterceptedRequest(path.Verb, path.GroupResource, path.Subresource, path.Namespace, path.Name, isDone));

    private async Task<ApiAnswer> FaultyAsync(ApiRequest request, ResourceRequest? path, CancellationToken cancellationToken)
    {
        if (path is null && Pages?.Invoke(request) is { } page)
        {
            return page;
        }

        if (Volatile.Read(ref _outages) > 0)
        {
            return new ApiAnswer(0, null, default) { Reset = true };
        }

        if (path is null || _faults.Take(path) is not { } fault)
        {
            return await AnswerAsync(request, path, cancellationToken);
        }

        await HoldBackAsync(fault.Latency, cancellationToken);

        if (fault.ConnectionReset && !fault.AfterTheWrite)
        {
            return new ApiAnswer(0, null, default) { Reset = true };
        }

        if (fault.Code is { } code)
        {
            return Refused(FaultAnswers.Of(code, fault.RetryAfterSeconds));
        }

        var answer = await AnswerAsync(request, path, cancellationToken);

        return fault.ConnectionReset ? answer with { Reset = true } : answer;
    }

    // A request that is held back waits for time to pass: it is not work that time has to wait for.
    private async Task HoldBackAsync(TimeSpan span, CancellationToken cancellationToken)
    {
        if (span <= TimeSpan.Zero)
        {
            return;
        }

        var waiting = Task.Delay(span, _time, cancellationToken);
        Interlocked.Decrement(ref _requestsInFlight);
        try
        {
            await waiting;
        }
        finally
        {
            Interlocked.Increment(ref _requestsInFlight);
        }
    }

    private async Task<ApiAnswer> AnswerAsync(ApiRequest request, ResourceRequest? path, CancellationToken cancellationToken)
    {
        var caller = request.Caller;
        if (path is null)
        {
            Access.AuthorizePath(caller, request.Method.ToLowerInvariant(), request.Path);

            return ServerPages.Answer(request) ?? _openApi.Answer(request) ?? _discovery.Answer(request) ?? ApiAnswer.NoSuchPage();
        }

        if (!_discovery.Knows(path.Group.Length == 0 ? path.Version : $"{path.Group}/{path.Version}") && path.Version != "")
        {
            return ApiAnswer.NoSuchPage();
        }

        if (request.Method is "OPTIONS")
        {
            throw MethodNotAllowed();
        }

        Access.Authorize(caller, path);

        return Aggregated(request, path, caller) ?? _reviews.Answer(request, path, caller)
            ?? await StoredAsync(request, path, Served(path), cancellationToken);
    }

    private async Task<ApiAnswer> StoredAsync(
        ApiRequest request, ResourceRequest path, ServedType served, CancellationToken cancellationToken) => (path.Verb, path.Subresource) switch
    {
        ("create", "eviction") when served.Type.Equals(ResourceTypes.Pods) => await _evictions.EvictAsync(request, path, cancellationToken),
        ("create", "binding") when served.Type.Equals(ResourceTypes.Pods) => await _subresources.BindAsync(request, path, cancellationToken),
        ("get", "log") when served.Type.Equals(ResourceTypes.Pods) => Log(path),
        ("update", "finalize") when served.Type.Equals(ResourceTypes.Namespaces) =>
            _subresources.Finalize(request, path, _rendering, served),
        ("get" or "update" or "patch", "scale") when served.Type.HasScale =>
            await _subresources.ScaleAsync(request, path, served, cancellationToken),
        (_, not (null or "status")) => throw NoSuchResource(),
        (_, "status") when !served.Type.HasStatus => throw NoSuchResource(),
        ("get", _) => _reads.Get(request, path, served),
        ("list", null) => _reads.List(request, path, served),
        ("watch", null) => _watches.Open(request, path, served),
        ("create", null) when path.Name is null => await _writes.CreateAsync(request, path, served, cancellationToken),
        ("update", _) when path.Name is not null => await _writes.UpdateAsync(request, path, served, cancellationToken),
        ("patch", _) when path.Name is not null => await _writes.PatchAsync(request, path, served, cancellationToken),
        ("delete", null) => await _writes.DeleteAsync(request, path, served, cancellationToken),
        ("deletecollection", null) when !served.Type.Equals(ResourceTypes.Namespaces) =>
            await _writes.DeleteCollectionAsync(request, path, served, cancellationToken),
        _ => throw MethodNotAllowed(),
    };

    private ApiAnswer Log(ResourceRequest path) => _store.Get(ResourceTypes.Pods, path.Namespace, path.Name!) is null
        ? throw Refusals.NotFound(ResourceTypes.Pods, path.Name!)
        : ApiAnswer.Text(200, "");

    private ApiAnswer? Aggregated(ApiRequest request, ResourceRequest path, Caller caller)
    {
        if (_aggregated.FirstOrDefault(a => a.Group == path.Group) is not { } api)
        {
            return null;
        }

        Access.AuthorizeWhole(caller, path);
        var body = request.Body.Length == 0 ? null : Bodies.Required(request, path.Resource);
        var answer = api.Call(new SubresourceCall(
            request.Method, path.Group, path.Version, path.Namespace, path.Resource, path.Name ?? "", path.Subresource ?? "", body,
            request.DryRun || body.At("dryRun") is JsonArray { Count: > 0 }) { Accept = request.Accept });

        return answer.Body switch
        {
            null => new ApiAnswer(answer.Code, null, default),
            JsonValue text => ApiAnswer.Text(answer.Code, text.ToString()),
            _ => new ApiAnswer(answer.Code, "application/json", Wire.Bytes(answer.Body)),
        };
    }

    private ServedType Served(ResourceRequest path)
    {
        if (path is { Group: "events.k8s.io", Resource: "events" })
        {
            return new ServedType(ResourceTypes.Events, "events.k8s.io/v1");
        }

        var type = _store.Types.FirstOrDefault(t => t.Group == path.Group && t.Plural == path.Resource) ?? throw NoSuchResource();
        if (type.Version != path.Version && !Discovery.ServedVersions(_store, type).Contains(path.Version))
        {
            throw NoSuchResource();
        }

        return new ServedType(type, path.Group.Length == 0 ? path.Version : $"{path.Group}/{path.Version}");
    }

    private static ApiAnswer Refused(ApiException refusal)
    {
        var answer = refusal.IsPlainText
            ? ApiAnswer.Text(refusal.Code, refusal.Message + "\n")
            : new ApiAnswer(refusal.Code, "application/json", Wire.Bytes(Wire.Status(refusal)));

        answer = Writes.Warn(answer, refusal.Warnings);

        return refusal.RetryAfterSeconds is { } seconds ? answer.With("Retry-After", seconds.ToString()) : answer;
    }

    private static ApiException NoSuchResource() =>
        new(404, "NotFound", "the server could not find the requested resource") { Details = [] };

    private static ApiException MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource") { Details = [] };

    private sealed class Outage(SimulatedApiServer server) : IDisposable
    {
        private int _over;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _over, 1) == 0)
            {
                Interlocked.Decrement(ref server._outages);
            }
        }
    }
}

using System.Net.Http.Headers;
using Drydock.Simulator.Api;

namespace Drydock.Tests;

/// <summary>
/// The calls that Drydock makes to the API server in tests, from the request log of the simulated cluster. A run of the whole suite
/// (<c>tests/run.sh</c>) names a folder in <c>DRYDOCK_CALLS</c>, gathers them there, and at its end holds the deployed roles against them.
/// </summary>
internal static class RecordedCalls
{
    /// <summary>As whom Drydock speaks in tests; it may do everything, so that a test is about one thing.</summary>
    public const string User = "system:serviceaccount:drydock:drydock";

    private const string Token = "drydock-under-test";

    private static readonly Lock _gate = new();

    /// <summary>The folder of this run, or null.</summary>
    public static string? Folder => Environment.GetEnvironmentVariable("DRYDOCK_CALLS") is { Length: > 0 } folder ? folder : null;

    /// <summary>Reaches the cluster as Drydock.</summary>
    public static HttpMessageHandler HandlerOf(SimulatedApiServer api)
    {
        api.Access.AddToken(Token, User, "system:masters");
        return new Signed { InnerHandler = api.CreateHandler() };
    }

    /// <summary>Writes down what Drydock called.</summary>
    /// <param name="api">The cluster.</param>
    /// <param name="user">As whom it was called; null: whoever it was.</param>
    public static void Keep(SimulatedApiServer api, string? user = User)
    {
        if (Folder is not { } folder)
        {
            return;
        }

        lock (_gate)
        {
            File.AppendAllLines(Path.Combine(folder, $"{Environment.ProcessId}.txt"), Of(api, user));
        }
    }

    /// <summary>Such as <c>patch nodes</c> or <c>create pods/eviction</c>, each once.</summary>
    public static IReadOnlyList<string> Of(SimulatedApiServer api, string? user = User) =>
    [
        .. api.RequestLog.All
            .Where(request => request.Resource is not null && request.Code != 401 && (user is null || request.User == user))
            .SelectMany(static request => Subresources(request.Subresource).Select(subresource => Name(request.Verb, request.Resource!, subresource))).Distinct(),
    ];

    // The API server asks for the first part of "evacuate/cancel", virt-api for both.
    private static IEnumerable<string?> Subresources(string? subresource) =>
        subresource is not null && subresource.Contains('/', StringComparison.Ordinal) ? [subresource.Split('/')[0], subresource] : [subresource];

    /// <summary>How a call is written: verb, resource with its group, subresource.</summary>
    public static string Name(string verb, string groupResource, string? subresource) => $"{verb} {groupResource}{(subresource is null ? "" : "/" + subresource)}";

    private sealed class Signed : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
            return base.SendAsync(request, cancellationToken);
        }
    }
}

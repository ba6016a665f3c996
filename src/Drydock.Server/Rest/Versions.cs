using System.Security.Cryptography;
using System.Text.Json;
using Drydock.Api;

namespace Drydock.Server.Rest;

/// <summary>
/// The version of what is shown, as an entity tag: sent with each single resource, answered with 304 if the caller has it, and asked for
/// before a change if the caller says which version he saw.
/// </summary>
internal static class Versions
{
    /// <summary>The version of a view: equal exactly if every byte of it is.</summary>
    public static string Of(object view) =>
        Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(view, view.GetType(), ApiJson.Options)))[..20];

    /// <summary>Adds the tags to the endpoints of a resource.</summary>
    /// <param name="group">Its endpoints; the key of the resource is the route value <paramref name="key"/>.</param>
    /// <param name="key">Such as <c>id</c>.</param>
    /// <param name="find">The resource as it is now, or null.</param>
    public static RouteGroupBuilder WithVersions(
        this RouteGroupBuilder group, string key, Func<HttpContext, string, CancellationToken, Task<object?>> find) =>
        group.WithVersions([key], (context, names, cancellationToken) => find(context, names[0], cancellationToken));

    /// <summary>The same for a resource whose key has several parts.</summary>
    public static RouteGroupBuilder WithVersions(
        this RouteGroupBuilder group, IReadOnlyList<string> keys, Func<HttpContext, IReadOnlyList<string>, CancellationToken, Task<object?>> find) =>
        group.WithMetadata(new Versioned(keys)).AddEndpointFilter(async (invocation, next) =>
        {
            var context = invocation.HttpContext;
            List<string> names = [.. keys.Select(key => context.GetRouteValue(key) as string).OfType<string>()];
            var isRead = HttpMethods.IsGet(context.Request.Method);
            if (!isRead && names.Count == keys.Count && context.Request.Headers.IfMatch is { Count: > 0 } wanted
                && await find(context, names, context.RequestAborted) is { } current && !Matches(wanted, Of(current)))
            {
                context.Response.Headers.ETag = Quoted(Of(current));
                return Changed(string.Join('/', names), wanted.ToString());
            }

            return Tag(context, isRead, await next(invocation));
        });

    private static object? Tag(HttpContext context, bool isRead, object? result)
    {
        if ((result is INestedHttpResult nested ? nested.Result : result) is not IValueHttpResult { Value: MaintenanceView or RolloutView or WindowView or VirtualMachineView } shown)
        {
            return result;
        }

        var version = Of(shown.Value!);
        context.Response.Headers.ETag = Quoted(version);
        return isRead && context.Request.Headers.IfNoneMatch is { Count: > 0 } known && Matches(known, version)
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : result;
    }

    private static bool Matches(Microsoft.Extensions.Primitives.StringValues tags, string version) => tags
        .SelectMany(static line => (line ?? "").Split(',', StringSplitOptions.TrimEntries))
        .Any(tag => tag is "*" || tag == Quoted(version) || tag == "W/" + Quoted(version));

    private static string Quoted(string version) => $"\"{version}\"";

    private static ProblemResult Changed(string name, string wanted) => new(new Problem(
        ProblemTypes.Changed, "Changed meanwhile", 412, $"{name} is not what it was when you read it; nothing was changed. Read it again and decide again.")
    {
        SubjectId = name,
        Errors = [new FieldError("If-Match", wanted, "the ETag of the latest answer, or *")],
    });
}

/// <summary>Says of an endpoint that its resource has versions.</summary>
/// <param name="Keys">The route values that name the resource; an endpoint without them is about no single one.</param>
internal sealed record Versioned(IReadOnlyList<string> Keys);

using Drydock.Api;

namespace Drydock.Server.Rest;

/// <summary>
/// Without authentication (and only then is this here), being on loopback is the credential; a web page in a browser on the same machine must not borrow it, neither
/// by a request from another origin nor by a name that was rebound to 127.0.0.1.
/// </summary>
internal static class LoopbackGuard
{
    private static readonly string[] OwnNames = ["127.0.0.1", "localhost", "[::1]"];

    public static Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        var origin = request.Headers.Origin.ToString();
        if (!OwnNames.Contains(request.Host.Host, StringComparer.OrdinalIgnoreCase))
        {
            return Refuse(context, "Host", request.Host.Value, string.Join(", ", OwnNames));
        }

        var own = $"{request.Scheme}://{request.Host.Value}";
        return origin.Length > 0 && !string.Equals(origin, own, StringComparison.OrdinalIgnoreCase)
            ? Refuse(context, "Origin", origin, own)
            : next(context);
    }

    private static Task Refuse(HttpContext context, string header, string? value, string allowed) =>
        new ProblemResult(new Problem(ProblemTypes.InvalidRequest, "Not from here", 403, $"The header {header} is not one of this server.")
        {
            Errors = [new FieldError(header, value, allowed)],
        }).ExecuteAsync(context);
}

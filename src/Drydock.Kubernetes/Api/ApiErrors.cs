using System.Text.RegularExpressions;

namespace Drydock.Kubernetes.Api;

/// <summary>Turns answers and transport failures nobody expects into one exception with one sentence.</summary>
internal static partial class ApiErrors
{
    public static ClusterException From(ApiAnswer answer) =>
        new(KindOf(answer.Code), answer.Call.Verb, answer.Call.Resource.Describe(answer.Call.Subresource), Sentence(answer))
        {
            Code = answer.Code,
            RetryAfter = answer.RetryAfter,
        };

    public static ClusterException Unreachable(ApiCall call, string server, string why, Exception? inner) =>
        new(ClusterErrorKind.Unreachable, call.Verb, call.Resource.Describe(call.Subresource),
            $"The API server {server} cannot be reached ({call.Description}): {why}", inner);

    public static ClusterErrorKind KindOf(int code) => code switch
    {
        401 => ClusterErrorKind.Unauthorized,
        403 => ClusterErrorKind.Forbidden,
        404 => ClusterErrorKind.NotFound,
        409 => ClusterErrorKind.Conflict,
        429 => ClusterErrorKind.Throttled,

        // 408 is the server's own time-out, 410 a list or watch that expired: both pass by themselves.
        408 or 410 or >= 500 => ClusterErrorKind.Server,
        _ => ClusterErrorKind.Invalid,
    };

    private static string Sentence(ApiAnswer answer) => answer.Code switch
    {
        401 => $"The API server does not accept the credentials (401 on {answer.Call.Description}).",
        403 => Forbidden(answer),
        _ => $"The API server answered {answer.Code} to {answer.Call.Description}: {answer.Message}",
    };

    /// <summary>RBAC's own words are long and name no subresource plainly; anything else than RBAC says why in its message.</summary>
    private static string Forbidden(ApiAnswer answer)
    {
        var rbac = RbacDenial().Match(answer.Message);
        if (!rbac.Success)
        {
            return $"The API server forbids to {answer.Call.Description}: {answer.Message}";
        }

        var where = answer.Call.Namespace is { } name ? $" in namespace {name}" : "";

        // Of "evacuate/cancel" it asks for "evacuate" alone: that is what has to be granted.
        var named = rbac.Groups["resource"].Value.Split('/', 2);
        var subresource = answer.Call.Subresource is { } asked && named.Length == 2 && asked.StartsWith(named[1] + "/", StringComparison.Ordinal) ? named[1] : answer.Call.Subresource;
        return $"User \"{rbac.Groups["user"].Value}\" is not allowed to {answer.Call.Verb} "
            + $"{answer.Call.Resource.Describe(subresource)}{where} (403).";
    }

    [GeneratedRegex("""User "(?<user>[^"]*)" cannot (?<verb>\S+) resource "(?<resource>[^"]*)" """, RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RbacDenial();
}

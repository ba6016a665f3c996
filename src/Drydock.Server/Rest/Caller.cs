using Drydock.Api;

namespace Drydock.Server.Rest;

/// <summary>Who calls. Without authentication (loopback only) it is what the caller says about itself.</summary>
internal static class Caller
{
    private const int Longest = 200;

    /// <summary>The name to write into the history.</summary>
    public static string Of(HttpContext context) =>
        context.Request.Headers[DrydockApiClient.UserHeader].ToString() is { Length: > 0 and <= Longest } user && !user.Any(char.IsControl)
            ? user
            : $"rest:{context.Connection.RemoteIpAddress}";
}

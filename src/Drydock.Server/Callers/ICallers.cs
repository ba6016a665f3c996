using Drydock.Kubernetes;

namespace Drydock.Server.Callers;

/// <summary>Knows callers by their tokens and what they may do: one implementation per <see cref="AccessMode"/>.</summary>
internal interface ICallers
{
    /// <summary>Who sends this request, or null if he shows nothing that is accepted.</summary>
    Task<UserIdentity?> IdentifyAsync(HttpContext context, CancellationToken cancellationToken);

    /// <summary>Whether he has this permission.</summary>
    Task<bool> MayAsync(UserIdentity user, Permission permission, CancellationToken cancellationToken);
}

/// <summary>The token of a request.</summary>
internal static class BearerToken
{
    private const int Longest = 16 * 1024;

    /// <summary>The token in <c>Authorization: Bearer …</c>, or null.</summary>
    public static string? Of(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && header[7..].Trim() is var token && IsToken(token) ? token : null;
    }

    /// <summary>It is one word that may be a token.</summary>
    public static bool IsToken(string text) =>
        text.Length is > 0 and <= Longest && !text.Any(static c => char.IsWhiteSpace(c) || char.IsControl(c));
}

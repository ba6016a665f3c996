using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Drydock.Kubernetes;

namespace Drydock.Server.Callers;

/// <summary>
/// Callers with a bearer token of the cluster. What the API server said of a token is believed for a minute, or until the token
/// expires if that is sooner; a permission that was granted for ten seconds; a refusal not at all.
/// </summary>
internal sealed class KubernetesCallers(IAccessReviews reviews, LiveOptions options, TimeProvider clock) : ICallers
{
    private const int MostRemembered = 5000;
    private static readonly TimeSpan LongestTrust = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan PermissionTrust = TimeSpan.FromSeconds(10);

    // Keyed by a digest: a dump of this process shows no token that was used a while ago.
    private readonly ConcurrentDictionary<string, Known> _tokens = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string User, Permission Permission), DateTimeOffset> _granted = new();

    public async Task<UserIdentity?> IdentifyAsync(HttpContext context, CancellationToken cancellationToken)
    {
        if (BearerToken.Of(context.Request) is not { } token)
        {
            return null;
        }

        var now = clock.GetUtcNow();
        var expires = Expiry(token);
        if (expires <= now)
        {
            return null;
        }

        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        if (_tokens.TryGetValue(key, out var known) && known.Until > now)
        {
            return known.User;
        }

        _tokens.TryRemove(key, out _);
        if (await reviews.ReviewTokenAsync(token, options.Access.Audiences, cancellationToken) is not { } user)
        {
            return null;
        }

        Bound(_tokens);
        var trusted = now + LongestTrust;
        _tokens[key] = new Known(user, expires < trusted ? expires.Value : trusted);
        return user;
    }

    public async Task<bool> MayAsync(UserIdentity user, Permission permission, CancellationToken cancellationToken)
    {
        var key = (Fingerprint(user), permission);
        if (_granted.TryGetValue(key, out var until) && until > clock.GetUtcNow())
        {
            return true;
        }

        var allowed = permission.IsPath
            ? await reviews.IsAllowedPathAsync(user, permission.Verb, permission.Rule.Resource, cancellationToken)
            : await reviews.IsAllowedAsync(user, permission.Rule, cancellationToken);
        if (allowed)
        {
            Bound(_granted);
            _granted[key] = clock.GetUtcNow() + PermissionTrust;
        }
        else
        {
            _granted.TryRemove(key, out _);
        }

        return allowed;
    }

    /// <summary>What a JWT says of its own end, or null. It is not verified here: it can only shorten what the API server said.</summary>
    internal static DateTimeOffset? Expiry(string token)
    {
        if (token.Split('.') is not [_, var payload, _])
        {
            return null;
        }

        try
        {
            using var claims = JsonDocument.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(payload));
            return claims.RootElement.ValueKind == JsonValueKind.Object && claims.RootElement.TryGetProperty("exp", out var end)
                && end.ValueKind == JsonValueKind.Number && end.TryGetInt64(out var seconds) && seconds is > 0 and < 253402300800
                    ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
        }
        catch (Exception error) when (error is JsonException or FormatException)
        {
            // Not a JWT: tokens may look like anything.
            return null;
        }
    }

    private static string Fingerprint(UserIdentity user) => string.Join('\n', [user.Name, user.Uid ?? "", .. user.Groups.Order(StringComparer.Ordinal)]);

    /// <summary>Forgetting costs one more question; growing without end costs the process.</summary>
    private static void Bound<TKey, TValue>(ConcurrentDictionary<TKey, TValue> cache)
        where TKey : notnull
    {
        if (cache.Count >= MostRemembered)
        {
            cache.Clear();
        }
    }

    private sealed record Known(UserIdentity User, DateTimeOffset Until);
}

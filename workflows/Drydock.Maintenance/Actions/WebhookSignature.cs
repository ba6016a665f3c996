using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Drydock.Maintenance;

/// <summary>Where call-backs come in.</summary>
/// <param name="PublicUrl">The address under which others reach the server, or null: nobody can call back.</param>
public sealed record CallbackAddress(string? PublicUrl)
{
    /// <summary>The address for the call-back of an action, or null.</summary>
    public string? Of(string maintenance, string key) => PublicUrl is null
        ? null
        : $"{PublicUrl.TrimEnd('/')}/api/v1/maintenances/{Uri.EscapeDataString(maintenance)}/callbacks/{Uri.EscapeDataString(key)}";
}

/// <summary>
/// Signs what goes out, HMAC-SHA256 over <c>TIMESTAMP.BODY</c>, and checks what comes back: over <c>TIMESTAMP.KEY.BODY</c>, with the
/// idempotency key of the call that it answers, so that it answers no other.
/// </summary>
public static class WebhookSignature
{
    /// <summary>The header that names a call.</summary>
    public const string KeyHeader = "Idempotency-Key";

    /// <summary>The header with the signature, <c>sha256=HEX</c>.</summary>
    public const string Header = "Drydock-Signature";

    /// <summary>The header with the seconds since 1970 that are signed too.</summary>
    public const string TimestampHeader = "Drydock-Timestamp";

    /// <summary>How far the two clocks may differ; what is older may be a recording.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(5);

    /// <summary>Names the call of an action: the same at every try.</summary>
    public static string KeyOf(string maintenance, string action) => $"{maintenance}/{action}";

    /// <summary>The signature of a call-back.</summary>
    public static string OfCallback(string secret, string timestamp, string key, string body) => Of(secret, timestamp, $"{key}.{body}");

    /// <summary>The signature of a body.</summary>
    public static string Of(string secret, string timestamp, string body) =>
        "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{timestamp}.{body}")));

    /// <summary>Why the signature of a call-back is not good, or null if it is.</summary>
    public static string? CallbackProblem(string secret, string? timestamp, string? signature, string key, string body, DateTimeOffset now) =>
        Problem(secret, timestamp, signature, $"{key}.{body}", now);

    /// <summary>Why a signature is not good, or null if it is.</summary>
    public static string? Problem(string secret, string? timestamp, string? signature, string body, DateTimeOffset now)
    {
        if (!long.TryParse(timestamp, CultureInfo.InvariantCulture, out var seconds)
            || (now - DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(seconds, 0, 253402300799))).Duration() > Tolerance)
        {
            return $"{TimestampHeader} must be the seconds since 1970, at most {Spoken.Of(Tolerance)} off";
        }

        var expected = Encoding.ASCII.GetBytes(Of(secret, timestamp, body));
        return CryptographicOperations.FixedTimeEquals(expected, Encoding.UTF8.GetBytes(signature ?? ""))
            ? null
            : $"{Header} does not fit the body: sha256= and HMAC-SHA256 over TIMESTAMP.BODY with the key of the webhook";
    }
}

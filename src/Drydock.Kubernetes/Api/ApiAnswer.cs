using System.Text.Json;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Api;

/// <summary>What the API server answered, whatever the code.</summary>
/// <param name="Call">What was asked.</param>
/// <param name="Code">The HTTP code.</param>
/// <param name="Body">The body if it is JSON.</param>
/// <param name="Text">The body if it is not.</param>
/// <param name="RetryAfter">The Retry-After header, or <c>details.retryAfterSeconds</c> of the Status.</param>
internal sealed record ApiAnswer(ApiCall Call, int Code, JsonElement Body, string? Text, TimeSpan? RetryAfter)
{
    public bool IsSuccess => Code is >= 200 and < 300;

    /// <summary>The body is a Status: the API server knew the resource, and the object is what it speaks of.</summary>
    public bool IsStatus => Body.Text("kind") == "Status";

    public string? Reason => Body.Text("reason");

    public string Message => Body.Text("message") ?? (string.IsNullOrWhiteSpace(Text) ? $"HTTP {Code}" : Text.Trim());

    /// <summary>The causes of the Status: <c>reason</c> and <c>message</c> of each.</summary>
    public IEnumerable<(string? Reason, string? Message)> Causes =>
        Body.At("details", "causes").Items().Select(cause => (cause.Text("reason"), cause.Text("message")));
}

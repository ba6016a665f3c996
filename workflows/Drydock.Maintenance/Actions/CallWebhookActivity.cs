using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.Actions;

/// <summary>A webhook to call.</summary>
internal sealed record CallWebhookInput(
    string Node, string Holder, string Maintenance, string Key, WebhookTemplate Webhook, ActionPointName Point, string? Reason, string? RequestedBy);

/// <summary>For the body: which action it is.</summary>
internal sealed record ActionPointName(string Step, DateTimeOffset Deadline);

/// <summary>What came of the call.</summary>
/// <param name="Act">Done: the other side accepted it; Refused: it never will.</param>
/// <param name="TryAgain">Another try may help, with the same idempotency key.</param>
internal sealed record WebhookCalled(ActResult Act, bool TryAgain = false);

/// <summary>
/// Calls the webhook once, signed. Safe to run twice: the same body with the same idempotency key, by which the other side knows a repetition.
/// </summary>
internal sealed class CallWebhookActivity(
    ICluster cluster, IHttpTargets targets, ISecretFiles secrets, CallbackAddress callbacks, TimeProvider clock)
    : ClusterActivity<CallWebhookInput, WebhookCalled>
{
    protected override async Task<WebhookCalled> RunAsync(CallWebhookInput input, CancellationToken cancellationToken)
    {
        if (await secrets.ReadAsync(input.Webhook.SecretFile, cancellationToken) is not { } secret)
        {
            return new(new(Verdict.Refused, $"The secret file {input.Webhook.SecretFile} is not mounted."));
        }

        string? token = null;
        if (input.Webhook.TokenFile is { } file && (token = await secrets.ReadAsync(file, cancellationToken)) is null)
        {
            return new(new(Verdict.Refused, $"The secret file {file} is not mounted."));
        }

        if (await new Guard(cluster, clock, input.Node, input.Holder).CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no)
        {
            return new(no);
        }

        var body = Body(input);
        var url = HttpText.Fill(input.Webhook.Url, input.Node, input.Maintenance);
        var answer = await targets.SendAsync(
            new HttpTargetCall("POST", url) { Body = body, Headers = Headers(input, body, secret, token) }, cancellationToken);
        return answer.IsSuccess
            ? new(ActResult.Done)
            : new(new(Verdict.Refused, $"{url} answered {answer.Short}"), answer.IsTransient);
    }

    private Dictionary<string, string> Headers(CallWebhookInput input, string body, string secret, string? token)
    {
        var timestamp = clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var headers = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [WebhookSignature.KeyHeader] = WebhookSignature.KeyOf(input.Maintenance, input.Key),
            [WebhookSignature.TimestampHeader] = timestamp,
            [WebhookSignature.Header] = WebhookSignature.Of(secret, timestamp, body),
        };
        if (token is not null)
        {
            headers["Authorization"] = $"Bearer {token}";
        }

        return headers;
    }

    // Nothing in it may differ between two tries.
    private string Body(CallWebhookInput input) => new JsonObject
    {
        ["maintenance"] = input.Maintenance,
        ["action"] = input.Key,
        ["step"] = input.Point.Step,
        ["node"] = input.Node,
        ["reason"] = input.Reason,
        ["requestedBy"] = input.RequestedBy,
        ["deadline"] = input.Point.Deadline.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        ["callback"] = input.Webhook.WaitsForCallback ? callbacks.Of(input.Maintenance, input.Key) : null,
    }.ToJsonString(new JsonSerializerOptions(JsonSerializerDefaults.Web));
}

/// <summary>Fills the placeholders of addresses and queries.</summary>
internal static class HttpText
{
    /// <summary>An address: what is put in is escaped, so that it can add no path or query.</summary>
    public static string Fill(string url, string node, string maintenance) =>
        url.Replace("{node}", Uri.EscapeDataString(node)).Replace("{maintenance}", Uri.EscapeDataString(maintenance));
}

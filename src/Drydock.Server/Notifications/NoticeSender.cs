using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Server.Policies;
using Drydock.Server.Telemetry;

namespace Drydock.Server.Notifications;

/// <summary>Sends one message to one target, once. What the answers and exceptions say never holds an address that is a secret.</summary>
internal sealed class NoticeSender(
    NotificationOptions options, ISecretFiles secrets, HttpTargets http, MailSender mail, TimeProvider clock, ServerMeter? meter, ILogger<NoticeSender> logger)
    : IDisposable
{
    /// <summary>Sends it.</summary>
    /// <returns>Whether it was accepted; not, if another try would not help.</returns>
    /// <exception cref="NoticeUndeliveredException">Another try may help.</exception>
    public async Task<NoticeDelivered> SendAsync(NoticeDelivery delivery)
    {
        if (options.Targets.FirstOrDefault(target => target.Name == delivery.Target) is not { } target)
        {
            return new NoticeDelivered(delivery.Target, IsDelivered: false, "No target of that name stands in the configuration any more.");
        }

        try
        {
            var refusal = target.Form == NotificationForm.Email
                ? await mail.SendAsync(delivery.Notice, target)
                : await PostAsync(delivery.Notice, target);
            Count(target, refusal is null ? "delivered" : "refused");
            return new NoticeDelivered(target.Name, refusal is null, refusal);
        }
        catch (NoticeUndeliveredException error)
        {
            Count(target, "failed");
            logger.LogWarning("Notification {Notice} about {Node} did not reach {Target} yet: {Why}", delivery.Notice.Id, delivery.Notice.Node ?? "-", target.Name, error.Message);
            throw;
        }
    }

    public void Dispose() => http.Dispose();

    /// <summary>The mounted secret of that name.</summary>
    internal static async Task<string> ReadAsync(ISecretFiles secrets, string name) =>
        await secrets.ReadAsync(name, CancellationToken.None) is { Length: > 0 } text
            ? text
            : throw new NoticeUndeliveredException($"The secret file {name} is not mounted, or is empty.");

    private async Task<string?> PostAsync(Notice notice, NotificationTarget target)
    {
        var url = target.Url ?? await ReadAsync(secrets, target.UrlFile!);
        if (http.Problem(url) is not null)
        {
            return $"The address of {target.Name} is not an https address under notifications.allowedUrls.";
        }

        var body = target.Form == NotificationForm.Slack ? SlackBody(notice) : WebhookBody(notice);
        var answer = await http.SendAsync(
            new HttpTargetCall("POST", url) { Body = body, Headers = await HeadersAsync(notice, target, body) }, CancellationToken.None);
        return answer switch
        {
            { IsSuccess: true } => null,
            { IsTransient: true } => throw new NoticeUndeliveredException($"{target.Name} answered {answer.Short}"),
            _ => $"{target.Name} answered {answer.Short}",
        };
    }

    private async Task<Dictionary<string, string>> HeadersAsync(Notice notice, NotificationTarget target, string body)
    {
        var headers = new Dictionary<string, string>(StringComparer.Ordinal) { ["Idempotency-Key"] = notice.Id };
        if (target.SecretFile is { } file)
        {
            var timestamp = clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            headers[WebhookSignature.TimestampHeader] = timestamp;
            headers[WebhookSignature.Header] = WebhookSignature.Of(await ReadAsync(secrets, file), timestamp, body);
        }

        if (target.TokenFile is { } token)
        {
            headers["Authorization"] = $"Bearer {await ReadAsync(secrets, token)}";
        }

        return headers;
    }

    // Nothing in either may differ between two tries.
    private static string WebhookBody(Notice notice) => new JsonObject
    {
        ["id"] = notice.Id,
        ["kind"] = notice.Kind.ToString(),
        ["instance"] = notice.Instance,
        ["node"] = notice.Node,
        ["at"] = notice.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        ["title"] = notice.Title,
        ["text"] = notice.Text,
        ["url"] = notice.Url,
    }.ToJsonString(JsonSerializerOptions.Web);

    // https://api.slack.com/reference/surfaces/formatting: these three are written as entities, nothing else.
    private static string SlackBody(Notice notice)
    {
        var text = $"*{Escape(notice.Title)}*\n{Escape(notice.Text)}{(notice.Url is null ? "" : $"\n<{notice.Url}>")}";
        return new JsonObject { ["text"] = text }.ToJsonString(JsonSerializerOptions.Web);
    }

    private static string Escape(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;");

    private void Count(NotificationTarget target, string outcome) =>
        meter?.Notifications.Add(1, new("target", target.Name), new KeyValuePair<string, object?>("outcome", outcome));
}

using System.Text.Json.Nodes;
using Drydock.Api;
using Drydock.EndToEndTests.Server;
using Drydock.Maintenance;
using Drydock.Server.Notifications;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Notifications;

/// <summary>Notifications of the real server to real listeners on loopback.</summary>
public sealed class NotificationTests : IDisposable
{
    private const string Key = "0123456789abcdef";

    private readonly DirectoryInfo _secrets = Directory.CreateTempSubdirectory("drydock-secrets-");

    private CancellationToken Token { get; } = Harbour.Deadline();

    private static MaintenanceCreate Request => new() { Node = "node-1", Reason = "fan <2> & co", Health = new HealthSettings { StableFor = "1s" } };

    public void Dispose() => _secrets.Delete(recursive: true);

    [Fact]
    public async Task Every_target_is_told_in_its_form_what_it_asked_for_and_a_maintenance_does_not_wait_for_one_that_is_out_of_order()
    {
        await using var box = await Letterbox.OpenAsync(Token);
        await using var broken = await Letterbox.OpenAsync(Token);
        await using var mail = new MailSink(turnAway: 1);
        broken.Answer = 503;
        Secret("slack-url", $"{box.Url}/slack/T0/secret-part");
        Secret("key", Key);
        await using var harbour = await Harbour.OpenAsync(Token, configure: options => options with
        {
            SecretsFolder = _secrets.FullName,
            PublicUrl = "https://drydock.example.com",
            Notifications = new NotificationOptions
            {
                AllowedUrls = [box.Url, broken.Url],
                Smtp = new SmtpOptions { Host = "127.0.0.1", Port = mail.Port, Security = SmtpSecurity.None, From = "drydock@example.com" },
                Targets =
                [
                    new("hook", NotificationForm.Webhook) { Url = $"{box.Url}/hook", SecretFile = "key" },
                    new("chat", NotificationForm.Slack) { UrlFile = "slack-url", Events = [NoticeKind.Begun] },
                    new("post", NotificationForm.Email) { To = ["oncall@example.com"], Events = [NoticeKind.Completed] },
                    new("broken", NotificationForm.Webhook) { Url = broken.Url },
                ],
            },
        });

        var started = await harbour.Api.CreateMaintenanceAsync(Request, null, Token);
        var ended = await harbour.WatchAsync(started.Id, static _ => false, Token);
        ended.State.ShouldBe(MaintenanceState.Completed, ended.Message);
        await UntilAsync(() => Told(box).Count == 3 && mail.Messages.Count >= 1 && broken.Refused >= 2);

        var hooks = Told(box).Where(static letter => letter.Path == "/hook").ToList();
        hooks.Select(static letter => (string?)JsonNode.Parse(letter.Body)!["kind"]).ShouldBe(["Begun", "Completed"], ignoreOrder: true);
        foreach (var letter in hooks)
        {
            WebhookSignature.Problem(Key, letter.Headers[WebhookSignature.TimestampHeader], letter.Headers[WebhookSignature.Header], letter.Body, TimeProvider.System.GetUtcNow()).ShouldBeNull();
            var body = JsonNode.Parse(letter.Body)!;
            ((string?)body["id"], (string?)body["node"], (string?)body["instance"]).ShouldBe((letter.Headers["Idempotency-Key"], "node-1", started.Id));
            ((string?)body["url"]).ShouldBe($"https://drydock.example.com/api/v1/maintenances/{started.Id}");
        }

        var chat = Told(box).Single(static letter => letter.Path.StartsWith("/slack/T0", StringComparison.Ordinal));
        ((string?)JsonNode.Parse(chat.Body)!["text"])!.ShouldContain("*Node node-1: maintenance has begun*\nfan &lt;2&gt; &amp; co");
        mail.Messages[0].ShouldSatisfyAllConditions(
            static text => text.ShouldContain("Subject: Node node-1: maintenance is completed"),
            static text => text.ShouldContain("To: oncall@example.com"),
            static text => text.ShouldContain("@drydock.invalid>"));
    }

    [Fact]
    public async Task What_could_not_be_delivered_before_a_restart_is_delivered_after_it_once()
    {
        await using var box = await Letterbox.OpenAsync(Token);
        box.Answer = 503;
        await using var harbour = await Harbour.OpenAsync(Token, configure: options => options with { Notifications = To(box) });
        var started = await harbour.Api.CreateMaintenanceAsync(Request, null, Token);
        await harbour.WatchAsync(started.Id, static _ => false, Token);
        await UntilAsync(() => box.Refused >= 2);

        await harbour.StopServerAsync();
        box.Answer = 200;
        await harbour.StartServerAsync(Token);
        await UntilAsync(() => box.Accepted.Count >= 2);

        // Another restart finds both on record.
        await harbour.StopServerAsync();
        await harbour.StartServerAsync(Token);
        var later = await harbour.Api.CreateMaintenanceAsync(Request with { Node = "node-2" }, null, Token);
        await harbour.WatchAsync(later.Id, static _ => false, Token);
        await UntilAsync(() => box.Accepted.Count >= 4);
        box.Accepted.Select(static letter => letter.Headers["Idempotency-Key"]).ShouldBe(
            [$"notice-{started.Id}~begun", $"notice-{started.Id}~ended", $"notice-{later.Id}~begun", $"notice-{later.Id}~ended"], ignoreOrder: true);
    }

    [Fact]
    public async Task An_end_that_nobody_saw_is_told_at_the_next_start_and_what_ended_before_the_first_start_is_not()
    {
        await using var box = await Letterbox.OpenAsync(Token);
        NotificationOptions? now = null;
        await using var harbour = await Harbour.OpenAsync(Token, configure: options => options with { Notifications = now ?? new NotificationOptions() });
        var old = await harbour.Api.CreateMaintenanceAsync(Request, null, Token);
        await harbour.WatchAsync(old.Id, static _ => false, Token);

        // Notifications are set up, then the server runs without its watcher: as if it died between the end and the telling.
        now = To(box);
        await RestartAsync(harbour);
        await UntilAsync(async () => await IsStartedAsync(harbour, "notice-since"));

        // What ended long ago may go; since when there are notifications may not.
        (await harbour.Service<Drydock.DurableTask.Client.DurableTaskClient>().PurgeInstanceAsync("notice-since", Token)).PurgedInstanceCount.ShouldBe(0);
        now = null;
        await RestartAsync(harbour);
        var missed = await harbour.Api.CreateMaintenanceAsync(Request with { Node = "node-2" }, null, Token);
        await harbour.WatchAsync(missed.Id, static _ => false, Token);
        box.Accepted.ShouldBeEmpty();

        now = To(box);
        await RestartAsync(harbour);
        await UntilAsync(() => box.Accepted.Count >= 2);
        box.Accepted.ShouldAllBe(letter => letter.Headers["Idempotency-Key"].StartsWith($"notice-{missed.Id}~", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Who_is_waited_for_is_told_and_what_is_blocked_is_told_after_its_time()
    {
        await using var box = await Letterbox.OpenAsync(Token);
        await using var harbour = await Harbour.OpenAsync(Token, configure: options => options with { Notifications = To(box) with { BlockedAfter = TimeSpan.FromSeconds(1) } });

        var holding = await harbour.Api.CreateMaintenanceAsync(Request with { Action = "Hold" }, null, Token);
        await UntilAsync(() => Kinds(box).Contains("NeedsPerson"));
        await harbour.Api.CancelMaintenanceAsync(holding.Id, null, Token);
        await UntilAsync(() => Kinds(box).Contains("Cancelled"));

        box.Accepted.Select(static letter => (string?)JsonNode.Parse(letter.Body)!["text"]).ShouldContain(text => text!.Contains($"drydock complete {holding.Id}"));
        Kinds(box).Count(static kind => kind == "NeedsPerson").ShouldBe(1);
    }

    private static NotificationOptions To(Letterbox box) => new()
    {
        AllowedUrls = [box.Url],
        Targets = [new("box", NotificationForm.Webhook) { Url = box.Url }],
    };

    /// <summary>What it was told, once: an answer that came late is asked for again.</summary>
    private static List<Letter> Told(Letterbox box) => [.. box.Accepted.DistinctBy(static letter => (letter.Path, letter.Headers["Idempotency-Key"]))];

    private static List<string?> Kinds(Letterbox box) => [.. box.Accepted.Select(static letter => (string?)JsonNode.Parse(letter.Body)!["kind"])];

    private static async Task<bool> IsStartedAsync(Harbour harbour, string instance) =>
        await harbour.Service<Drydock.DurableTask.Client.DurableTaskClient>().GetInstanceAsync(instance, CancellationToken.None) is not null;

    private async Task RestartAsync(Harbour harbour)
    {
        await harbour.StopServerAsync();
        await harbour.StartServerAsync(Token);
    }

    private void Secret(string name, string text) => File.WriteAllText(Path.Combine(_secrets.FullName, name), text);

    private Task UntilAsync(Func<bool> holds) => UntilAsync(() => Task.FromResult(holds()));

    private async Task UntilAsync(Func<Task<bool>> holds)
    {
        while (!await holds())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }
    }
}

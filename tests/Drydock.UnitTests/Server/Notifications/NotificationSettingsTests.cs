using Drydock.Server;
using Drydock.Server.Notifications;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server.Notifications;

public sealed class NotificationSettingsTests : IDisposable
{
    private static readonly Dictionary<string, string> Nothing = [];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-settings-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Targets_are_read_with_their_form_events_and_secrets()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "chat-url"), "https://chat.example.com/hooks/x");

        var read = Read("""
            notifications:
              blockedAfter: 5m
              allowedUrls: ["https://chat.example.com/hooks"]
              targets:
              - {name: chat, form: slack, urlFile: chat-url, events: [Failed, needsPerson]}
              - {name: all, form: Webhook, url: "https://chat.example.com/hooks/y"}
            """).Notifications;

        read.BlockedAfter.ShouldBe(TimeSpan.FromMinutes(5));
        (read.Targets[0].Form, read.Targets[0].UrlFile).ShouldBe((NotificationForm.Slack, "chat-url"));
        read.Targets[0].Events.ShouldBe([NoticeKind.Failed, NoticeKind.NeedsPerson]);
        read.Targets[1].Wants(NoticeKind.Begun).ShouldBeTrue();
    }

    [Theory]
    [InlineData("targets: [{name: a, form: Fax}]", "notifications.targets[0].form: 'Fax' is not allowed; allowed: Webhook, Slack, Email.")]
    [InlineData("targets: [{name: a, url: \"https://x\"}]", "notifications.targets[0].form")]
    [InlineData("targets: [{name: a, form: Slack, url: \"https://elsewhere.example.com/x\"}]", "not in the list of allowed addresses")]
    [InlineData("{allowedUrls: [\"http://plain.example.com\"], targets: [{name: a, form: Slack, url: \"http://plain.example.com/x\"}]}", "is not https")]
    [InlineData("targets: [{name: a, form: Slack}]", "notifications.targets[0].url: give url, or urlFile")]
    [InlineData("targets: [{name: a, form: Slack, urlFile: ../etc/passwd}]", "is not the name of a file")]
    [InlineData("targets: [{name: a, form: Slack, urlFile: none}]", "there is no file 'none' in the folder of secrets")]
    [InlineData("targets: [{name: a, form: Email, to: [nobody]}]", "'nobody' is not a mail address")]
    [InlineData("{smtp: {host: mail.example.com, from: a@b.example, security: None}, targets: [{name: a, form: Email, to: [c@d.example]}]}", "None is only for a server on this machine")]
    [InlineData("targets: [{name: a, form: Email, to: [c@d.example]}]", "notifications.smtp.host: is missing")]
    [InlineData("{allowedUrls: [\"https://x\"], targets: [{name: a, form: Slack, url: \"https://x/1\"}, {name: a, form: Slack, url: \"https://x/2\"}]}", "'a' stands there twice")]
    [InlineData("blockedAfter: soon", "notifications.blockedAfter: 'soon'")]
    public void What_is_wrong_is_told_with_its_field(string yaml, string sentence) =>
        Should.Throw<DrydockOptionsException>(() => Read($"notifications: {(yaml[0] == (char)123 ? yaml : "{" + yaml + "}")}")).Message.ShouldContain(sentence);

    private DrydockOptions Read(string yaml)
    {
        var file = Path.Combine(_folder.FullName, "drydock.yaml");
        File.WriteAllText(file, yaml);
        return SettingsFile.Read(file, Nothing, new DrydockOptions { SecretsFolder = _folder.FullName });
    }
}

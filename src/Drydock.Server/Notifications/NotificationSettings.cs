namespace Drydock.Server.Notifications;

/// <summary>Section <c>notifications</c> of the configuration file.</summary>
internal sealed record NotificationSettings
{
    public string? BlockedAfter { get; init; }

    public IReadOnlyList<string>? AllowedUrls { get; init; }

    public SmtpSettings? Smtp { get; init; }

    public IReadOnlyList<TargetSettings>? Targets { get; init; }

    /// <summary>The options; what is wrong is left with the reader.</summary>
    public NotificationOptions Read(FieldReader reader)
    {
        var defaults = new NotificationOptions();
        return new NotificationOptions
        {
            BlockedAfter = reader.Duration("notifications.blockedAfter", BlockedAfter, defaults.BlockedAfter, TimeSpan.FromSeconds(1), TimeSpan.FromDays(7)),
            AllowedUrls = AllowedUrls ?? [],
            Smtp = Smtp is null ? defaults.Smtp : defaults.Smtp with
            {
                Host = Smtp.Host ?? "",
                Port = Smtp.Port ?? defaults.Smtp.Port,
                Security = reader.Choice("notifications.smtp.security", Smtp.Security, defaults.Smtp.Security, Enum.GetValues<SmtpSecurity>()),
                From = Smtp.From ?? "",
                User = Smtp.User,
                PasswordFile = Smtp.PasswordFile,
            },
            Targets = [.. (Targets ?? []).Select((target, index) => target.Read($"notifications.targets[{index}]", reader))],
        };
    }
}

/// <summary>Section <c>notifications.smtp</c>.</summary>
internal sealed record SmtpSettings
{
    public string? Host { get; init; }

    public int? Port { get; init; }

    public string? Security { get; init; }

    public string? From { get; init; }

    public string? User { get; init; }

    public string? PasswordFile { get; init; }
}

/// <summary>One item of <c>notifications.targets</c>.</summary>
internal sealed record TargetSettings
{
    public string? Name { get; init; }

    public string? Form { get; init; }

    public IReadOnlyList<string>? Events { get; init; }

    public string? Url { get; init; }

    public string? UrlFile { get; init; }

    public string? SecretFile { get; init; }

    public string? TokenFile { get; init; }

    public IReadOnlyList<string>? To { get; init; }

    /// <summary>The target; what is wrong is left with the reader.</summary>
    public NotificationTarget Read(string field, FieldReader reader)
    {
        if (Form is null)
        {
            reader.Fail($"{field}.form", null, string.Join(", ", Enum.GetNames<NotificationForm>()));
        }

        return new NotificationTarget(Name ?? "", reader.Choice($"{field}.form", Form, NotificationForm.Webhook, Enum.GetValues<NotificationForm>()))
        {
            Events = [.. (Events ?? []).Select((kind, index) => reader.Choice($"{field}.events[{index}]", kind, NoticeKind.Begun, Enum.GetValues<NoticeKind>()))],
            Url = Url,
            UrlFile = UrlFile,
            SecretFile = SecretFile,
            TokenFile = TokenFile,
            To = To ?? [],
        };
    }
}

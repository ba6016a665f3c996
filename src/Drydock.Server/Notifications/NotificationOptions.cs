using Drydock.Server.Policies;

namespace Drydock.Server.Notifications;

/// <summary>What form a notification has.</summary>
public enum NotificationForm
{
    /// <summary>A POST of JSON with all fields of the message.</summary>
    Webhook,

    /// <summary>A POST of <c>{"text": …}</c>, as the incoming webhooks of Slack, Mattermost and Rocket.Chat take it.</summary>
    Slack,

    /// <summary>An e-mail by SMTP.</summary>
    Email,
}

/// <summary>Who is told what. Section <c>notifications</c> of the configuration; without a target nobody is told anything.</summary>
public sealed record NotificationOptions
{
    /// <summary>How long something must be in the way before it is told. The default is 15 minutes.</summary>
    public TimeSpan BlockedAfter { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>Prefixes of the addresses that may be called.</summary>
    public IReadOnlyList<string> AllowedUrls { get; init; } = [];

    /// <summary>The mail server; needed by targets of form <see cref="NotificationForm.Email"/>.</summary>
    public SmtpOptions Smtp { get; init; } = new();

    /// <summary>Who is told.</summary>
    public IReadOnlyList<NotificationTarget> Targets { get; init; } = [];

    /// <summary>What is wrong with these options, one sentence each.</summary>
    internal IEnumerable<string> Validate(string? secretsFolder)
    {
        foreach (var prefix in AllowedUrls)
        {
            if (!HttpTargets.IsPrefix(prefix))
            {
                yield return $"notifications.allowedUrls: '{prefix}' is not the beginning of an https address.";
            }
        }

        if (Targets.GroupBy(static target => target.Name, StringComparer.Ordinal).FirstOrDefault(static same => same.Count() > 1) is { } twice)
        {
            yield return $"notifications.targets: the name '{twice.Key}' stands there twice.";
        }

        var files = new List<(string Field, string? Name)>();
        for (var index = 0; index < Targets.Count; index++)
        {
            var field = $"notifications.targets[{index}]";
            foreach (var error in Targets[index].Validate(field, AllowedUrls))
            {
                yield return error;
            }

            files.AddRange(Targets[index].Files(field));
        }

        if (Targets.Any(static target => target.Form == NotificationForm.Email))
        {
            foreach (var error in Smtp.Validate())
            {
                yield return error;
            }

            files.Add(("notifications.smtp.passwordFile", Smtp.PasswordFile));
        }

        foreach (var error in files.Select(file => SecretFiles.Problem(file.Field, file.Name, secretsFolder)).OfType<string>())
        {
            yield return error;
        }
    }
}

/// <summary>Somebody who is told.</summary>
/// <param name="Name">Its name, for logs and metrics.</param>
/// <param name="Form">What form its messages have.</param>
public sealed record NotificationTarget(string Name, NotificationForm Form)
{
    /// <summary>What it is told; empty: everything.</summary>
    public IReadOnlyList<NoticeKind> Events { get; init; } = [];

    /// <summary>The address to call; or <see cref="UrlFile"/>.</summary>
    public string? Url { get; init; }

    /// <summary>The mounted secret with the address, if the address is one.</summary>
    public string? UrlFile { get; init; }

    /// <summary>The mounted secret with the key that the body is signed with, or null.</summary>
    public string? SecretFile { get; init; }

    /// <summary>The mounted secret with a bearer token, or null.</summary>
    public string? TokenFile { get; init; }

    /// <summary>E-mail: who gets it.</summary>
    public IReadOnlyList<string> To { get; init; } = [];

    /// <summary>It wants to be told of this.</summary>
    internal bool Wants(NoticeKind kind) => Events.Count == 0 || Events.Contains(kind);

    /// <summary>The mounted secrets it names.</summary>
    internal IEnumerable<(string Field, string? Name)> Files(string field) =>
        [($"{field}.urlFile", UrlFile), ($"{field}.secretFile", SecretFile), ($"{field}.tokenFile", TokenFile)];

    /// <summary>What is wrong with it, one sentence each.</summary>
    internal IEnumerable<string> Validate(string field, IReadOnlyList<string> allowed)
    {
        if (Name.Length is 0 or > 63)
        {
            yield return $"{field}.name: '{Name}' is not allowed; 1 to 63 characters.";
        }

        if (Form == NotificationForm.Email)
        {
            if (To.Count == 0)
            {
                yield return $"{field}.to: is missing; give at least one mail address.";
            }

            foreach (var address in To.Where(static address => !SmtpOptions.IsAddress(address)))
            {
                yield return $"{field}.to: '{address}' is not a mail address.";
            }

            if (Url is not null || UrlFile is not null)
            {
                yield return $"{field}.url: an e-mail has none; give 'to'.";
            }

            yield break;
        }

        if (Url is null == UrlFile is null)
        {
            yield return $"{field}.url: give url, or urlFile with the name of a mounted secret that holds it.";
        }

        if (Url is not null && HttpTargets.Problem(Url, allowed) is { } problem)
        {
            yield return $"{field}.url: {problem}";
        }
    }
}

/// <summary>How the connection to a mail server is protected.</summary>
public enum SmtpSecurity
{
    /// <summary>TLS after STARTTLS; a server without it is refused.</summary>
    StartTls,

    /// <summary>TLS from the first byte, usually port 465.</summary>
    Tls,

    /// <summary>None: only for a server on this machine.</summary>
    None,
}

/// <summary>A mail server.</summary>
public sealed record SmtpOptions
{
    /// <summary>Its name.</summary>
    public string Host { get; init; } = "";

    /// <summary>Its port, 1 to 65535. The default is 587.</summary>
    public int Port { get; init; } = 587;

    /// <summary>How the connection is protected. The default is STARTTLS.</summary>
    public SmtpSecurity Security { get; init; }

    /// <summary>The sender.</summary>
    public string From { get; init; } = "";

    /// <summary>Whom to log in as, or null: nobody.</summary>
    public string? User { get; init; }

    /// <summary>The mounted secret with the password.</summary>
    public string? PasswordFile { get; init; }

    internal static bool IsAddress(string text) =>
        MimeKit.MailboxAddress.TryParse(text, out var mailbox) && mailbox.Address.IndexOf('@', StringComparison.Ordinal) is > 0 and var at && at < mailbox.Address.Length - 1;

    internal IEnumerable<string> Validate()
    {
        if (Host.Length == 0)
        {
            yield return "notifications.smtp.host: is missing; targets of form Email need a mail server.";
        }

        if (Port is < 1 or > 65535)
        {
            yield return $"notifications.smtp.port: '{Port}' is not allowed; 1 to 65535.";
        }

        if (!IsAddress(From))
        {
            yield return $"notifications.smtp.from: '{From}' is not a mail address.";
        }

        if (User is null != PasswordFile is null)
        {
            yield return "notifications.smtp: give both user and passwordFile, or neither.";
        }

        if (Security == SmtpSecurity.None && Host is not ("localhost" or "127.0.0.1" or "::1"))
        {
            yield return $"notifications.smtp.security: None is only for a server on this machine, and '{Host}' is not; allowed: StartTls, Tls.";
        }
    }
}

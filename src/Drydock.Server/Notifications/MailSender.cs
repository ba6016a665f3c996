using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Drydock.Maintenance;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace Drydock.Server.Notifications;

/// <summary>Sends messages by SMTP.</summary>
internal sealed class MailSender(SmtpOptions options, ISecretFiles secrets, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Sends it.</summary>
    /// <returns>Why the server will never take it, or null: it took it.</returns>
    /// <exception cref="NoticeUndeliveredException">Another try may help.</exception>
    public async Task<string?> SendAsync(Notice notice, NotificationTarget target)
    {
        using var patience = new CancellationTokenSource(Patience, clock);

        // As for every other call of ours: a mail server within a closed network must not need the outside.
        using var client = new SmtpClient { CheckCertificateRevocation = false };
        try
        {
            await client.ConnectAsync(options.Host, options.Port, Security(options.Security), patience.Token);
            if (options.User is { } user)
            {
                await client.AuthenticateAsync(user, await NoticeSender.ReadAsync(secrets, options.PasswordFile!), patience.Token);
            }

            using var message = Message(notice, target);
            await client.SendAsync(message, patience.Token);
        }
        catch (SmtpCommandException error) when ((int)error.StatusCode is >= 500 and < 600 && error.ErrorCode != SmtpErrorCode.UnexpectedStatusCode)
        {
            return $"{options.Host} refused it: {(int)error.StatusCode} {error.Message}";
        }
        catch (OperationCanceledException)
        {
            throw new NoticeUndeliveredException($"{options.Host} did not answer within {Patience.TotalSeconds} s.");
        }
        catch (Exception error) when (error is IOException or SocketException or CommandException or ProtocolException or AuthenticationException or SslHandshakeException or NotSupportedException)
        {
            throw new NoticeUndeliveredException($"{options.Host}: {error.Message}");
        }

        // The message is the server's from here on: no trouble with the goodbye may have it sent again.
        return null;
    }

    private static SecureSocketOptions Security(SmtpSecurity security) => security switch
    {
        SmtpSecurity.Tls => SecureSocketOptions.SslOnConnect,
        SmtpSecurity.None => SecureSocketOptions.None,
        _ => SecureSocketOptions.StartTls,
    };

    private MimeMessage Message(Notice notice, NotificationTarget target)
    {
        var message = new MimeMessage { Subject = notice.Title, Date = notice.At };

        // A mail server or reader that sees the same Message-ID twice shows one (RFC 5322 section 3.6.4).
        message.MessageId = $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{notice.Id}~{target.Name}")))}@drydock.invalid";
        message.From.Add(MailboxAddress.Parse(options.From));
        message.To.AddRange(target.To.Select(MailboxAddress.Parse));
        message.Headers.Add("X-Drydock-Event", notice.Kind.ToString());
        message.Headers.Add("Auto-Submitted", "auto-generated");
        message.Body = new TextPart("plain") { Text = $"{notice.Text}\n\n{notice.Instance}{(notice.Url is null ? "" : $"\n{notice.Url}")}\n" };
        return message;
    }
}

using System.Security.Cryptography;
using System.Text.Json;
using Drydock.Server.Callers;

namespace Drydock.Server;

/// <summary>
/// What of the options can change while the process runs: the audiences and groups of <c>access</c>. The file is looked at every few
/// seconds; one that cannot be used is logged and the last good one goes on; what only a start can change is named in the log.
/// </summary>
internal sealed class LiveOptions(DrydockOptions options, TimeProvider clock, ILogger<LiveOptions> logger) : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    private readonly OptionsSource? _source = options.Reload;
    private volatile DrydockOptions _current = options;
    private byte[]? _digest;

    /// <summary>Who may call, now.</summary>
    public AccessOptions Access => _current.Access;

    /// <summary>Looks at the file once.</summary>
    internal void Look()
    {
        if (_source is not { } reload)
        {
            return;
        }

        try
        {
            var digest = SHA256.HashData(File.ReadAllBytes(reload.File));
            if (_digest is null || digest.AsSpan().SequenceEqual(_digest))
            {
                _digest = digest;
                return;
            }

            _digest = digest;
            Take(reload.Read());
        }
        catch (Exception error) when (error is DrydockOptionsException or IOException or UnauthorizedAccessException)
        {
            logger.LogError("The changed configuration {File} is not used; the one before holds. {Why}", reload.File, error.Message);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (_source is not null && !stoppingToken.IsCancellationRequested)
        {
            Look();
            await Task.Delay(LookEvery, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Take(DrydockOptions read)
    {
        var before = _current;
        if (read.Access.Mode != before.Access.Mode || read.Hub != before.Hub || !read.Urls.SequenceEqual(before.Urls) || read.Operator != before.Operator
            || read.Tls != before.Tls || read.LogFormat != before.LogFormat || read.LogLevel != before.LogLevel || read.Telemetry != before.Telemetry
            || read.HubLimits != before.HubLimits || read.Access.RequestsPerSecond != before.Access.RequestsPerSecond
            || read.Access.Oidc.Authority != before.Access.Oidc.Authority || read.Access.Oidc.Audience != before.Access.Oidc.Audience
            || JsonSerializer.Serialize(read.Notifications) != JsonSerializer.Serialize(before.Notifications))
        {
            logger.LogWarning(
                "The configuration changed in what only a start reads (hub, hubLimits, urls, operator, access.mode, access.requestsPerSecond, access.oidc.authority and .audience, tls, log, telemetry, notifications); start the process again for that.");
        }

        _current = before with { Access = read.Access with { Mode = before.Access.Mode, RequestsPerSecond = before.Access.RequestsPerSecond } };
        logger.LogInformation("The changed configuration is used from now on.");
    }
}

/// <summary>Where the options came from, so that they can be read again.</summary>
/// <param name="File">The file to look at.</param>
/// <param name="Read">Reads them again; throws <see cref="DrydockOptionsException"/> if they are wrong.</param>
public sealed record OptionsSource(string File, Func<DrydockOptions> Read);

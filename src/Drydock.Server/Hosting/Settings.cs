using Drydock.Server.Notifications;

namespace Drydock.Server;

/// <summary>The configuration file; <c>infra/drydock.yaml</c> shows and explains every field. What is left out keeps its default.</summary>
internal sealed record Settings
{
    public string? Hub { get; init; }

    public IReadOnlyList<string>? Urls { get; init; }

    public bool? Operator { get; init; }

    public AccessSettings? Access { get; init; }

    public TlsSettings? Tls { get; init; }

    public LogSettings? Log { get; init; }

    public TelemetrySettings? Telemetry { get; init; }

    public NotificationSettings? Notifications { get; init; }

    public HubLimitSettings? HubLimits { get; init; }
}

/// <summary>Section <c>hubLimits</c>.</summary>
internal sealed record HubLimitSettings
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    public int? MaxDeliveries { get; init; }

    public RetainSettings? Retain { get; init; }

    public int? LargePayloadThreshold { get; init; }

    /// <summary>The limits, with what is wrong told to the reader.</summary>
    public HubLimits Read(FieldReader reader) => new()
    {
        MaxDeliveries = reader.Number("hubLimits.maxDeliveries", MaxDeliveries, new HubLimits().MaxDeliveries, 0, 1000),
        RetainCompleted = Age(reader, "completed", Retain?.Completed),
        RetainFailed = Age(reader, "failed", Retain?.Failed),
        RetainTerminated = Age(reader, "terminated", Retain?.Terminated),
        LargePayloadThreshold = reader.Number(
            "hubLimits.largePayloadThreshold", LargePayloadThreshold, new HubLimits().LargePayloadThreshold, 0, 1_000_000),
    };

    private static TimeSpan? Age(FieldReader reader, string name, string? text) =>
        reader.OptionalDuration($"hubLimits.retain.{name}", text, TimeSpan.Zero, Longest);
}

/// <summary>Section <c>hubLimits.retain</c>.</summary>
internal sealed record RetainSettings
{
    public string? Completed { get; init; }

    public string? Failed { get; init; }

    public string? Terminated { get; init; }
}

/// <summary>Section <c>access</c>.</summary>
internal sealed record AccessSettings
{
    public string? Mode { get; init; }

    public IReadOnlyList<string>? Audiences { get; init; }

    public int? RequestsPerSecond { get; init; }

    public OidcSettings? Oidc { get; init; }
}

/// <summary>Section <c>access.oidc</c>.</summary>
internal sealed record OidcSettings
{
    public string? Authority { get; init; }

    public string? Audience { get; init; }

    public string? UserClaim { get; init; }

    public string? GroupsClaim { get; init; }

    public IReadOnlyList<string>? Viewers { get; init; }

    public IReadOnlyList<string>? Operators { get; init; }

    public IReadOnlyList<string>? Admins { get; init; }
}

/// <summary>Section <c>tls</c>.</summary>
internal sealed record TlsSettings
{
    public string? CertificateFile { get; init; }

    public string? KeyFile { get; init; }
}

/// <summary>Section <c>log</c>.</summary>
internal sealed record LogSettings
{
    public string? Level { get; init; }

    public string? Format { get; init; }
}

/// <summary>Section <c>telemetry</c>.</summary>
internal sealed record TelemetrySettings
{
    public string? OtlpEndpoint { get; init; }
}

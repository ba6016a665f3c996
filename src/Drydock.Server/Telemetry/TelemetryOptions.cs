namespace Drydock.Server.Telemetry;

/// <summary>How lines of the log look.</summary>
public enum LogFormat
{
    /// <summary>For people.</summary>
    Text,

    /// <summary>One JSON object a line, with instance, node and trace.</summary>
    Json,
}

/// <summary>Where traces go. Section <c>telemetry</c> of the configuration. Metrics are always served at <c>/metrics</c>.</summary>
public sealed record TelemetryOptions
{
    /// <summary>The address of an OpenTelemetry collector (OTLP over gRPC), such as <c>http://collector:4317</c>; null sends no traces.</summary>
    public string? OtlpEndpoint { get; init; }

    /// <summary>What is wrong with these options, one sentence each.</summary>
    internal IEnumerable<string> Validate()
    {
        if (OtlpEndpoint is not null && !(Uri.TryCreate(OtlpEndpoint, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https"))
        {
            yield return $"telemetry.otlpEndpoint: '{OtlpEndpoint}' is not an address such as http://collector:4317.";
        }
    }
}

using System.Data.Common;

namespace Drydock.DurableTask.Remote;

/// <summary>How a caller proves who it is to a remote hub.</summary>
public enum TaskHubAuthentication
{
    /// <summary>Not at all, or with a fixed bearer token.</summary>
    None,

    /// <summary>Whatever Azure identity this machine has: environment, managed identity, developer tools, in the order of Azure.Identity.</summary>
    DefaultAzure,

    /// <summary>The managed identity of this machine; <see cref="TaskHubAddress.ClientId"/> chooses a user-assigned one.</summary>
    ManagedIdentity,

    /// <summary>A federated Kubernetes service account.</summary>
    WorkloadIdentity,

    /// <summary>What the environment variables <c>AZURE_…</c> say.</summary>
    Environment,

    /// <summary>The login of the Azure CLI.</summary>
    AzureCli,

    /// <summary>The login of Azure PowerShell.</summary>
    AzurePowerShell,

    /// <summary>The login of Visual Studio.</summary>
    VisualStudio,
}

/// <summary>
/// Where a remote task hub is: an address such as <c>http://127.0.0.1:4001</c>, or a connection string of the Durable Task Scheduler
/// such as <c>Endpoint=https://x.durabletask.io;TaskHub=orders;Authentication=DefaultAzure</c>.
/// </summary>
/// <param name="Endpoint">Its address; http is cleartext HTTP/2.</param>
public sealed record TaskHubAddress(Uri Endpoint)
{
    private const string Example = "Endpoint=https://NAME.durabletask.io;TaskHub=HUB;Authentication=DefaultAzure";
    private static readonly string[] _known =
        ["Endpoint", "TaskHub", "Authentication", "ClientID", "TenantId", "TokenFilePath", "AdditionallyAllowedTenants", "Token"];

    /// <summary>Which of its hubs, sent as the header <c>taskhub</c>; null for the default one.</summary>
    public string? TaskHub { get; init; }

    /// <summary>How the caller proves who it is. The default is not at all.</summary>
    public TaskHubAuthentication Authentication { get; init; }

    /// <summary>The client id of an Azure identity, if it is not the default one.</summary>
    public string? ClientId { get; init; }

    /// <summary>The tenant of an Azure identity, if it is not the default one.</summary>
    public string? TenantId { get; init; }

    /// <summary>Further tenants that an Azure identity may take tokens of; "*" for all.</summary>
    public IReadOnlyList<string> AdditionallyAllowedTenants { get; init; } = [];

    /// <summary>The file of the federated token of a workload identity, if it is not the default one.</summary>
    public string? TokenFilePath { get; init; }

    /// <summary>A fixed bearer token; not for Azure.</summary>
    public string? Token { get; init; }

    /// <summary>Reads an address or a connection string.</summary>
    /// <exception cref="FormatException">It is neither; the message names the part, what it says and what is allowed.</exception>
    public static TaskHubAddress Parse(string text)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        if (!text.Contains('='))
        {
            return new TaskHubAddress(ReadEndpoint(text));
        }

        var parts = new DbConnectionStringBuilder();
        try
        {
            parts.ConnectionString = text;
        }
        catch (ArgumentException exception)
        {
            throw new FormatException($"The task hub's connection string cannot be read; write it as {Example}.", exception);
        }

        if (parts.Keys.Cast<string>().FirstOrDefault(static key => !_known.Contains(key, StringComparer.OrdinalIgnoreCase)) is { } unknown)
        {
            throw new FormatException($"The task hub's connection string has '{unknown}', which is not known; it may have {string.Join(", ", _known)}.");
        }

        return new TaskHubAddress(ReadEndpoint(Value(parts, "Endpoint") ?? throw new FormatException(
            $"The task hub's connection string has no Endpoint; write it as {Example}.")))
        {
            TaskHub = Value(parts, "TaskHub"),
            Authentication = ReadAuthentication(Value(parts, "Authentication")),
            ClientId = Value(parts, "ClientID"),
            TenantId = Value(parts, "TenantId"),
            TokenFilePath = Value(parts, "TokenFilePath"),
            AdditionallyAllowedTenants =
                [.. (Value(parts, "AdditionallyAllowedTenants") ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)],
            Token = Value(parts, "Token"),
        };
    }

    private static string? Value(DbConnectionStringBuilder parts, string key) =>
        parts.TryGetValue(key, out var value) && value is string { Length: > 0 } text ? text : null;

    private static Uri ReadEndpoint(string text)
    {
        // The scheme may be missing; only this machine and its likes are reached without encryption then.
        var whole = text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text;
        return Uri.TryCreate(whole, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https"
            ? endpoint
            : throw new FormatException($"'{text}' is not the address of a task hub; give one such as http://127.0.0.1:4001, or {Example}.");
    }

    private static TaskHubAuthentication ReadAuthentication(string? text) => text switch
    {
        null => TaskHubAuthentication.None,
        _ when char.IsAsciiLetter(text[0]) && Enum.TryParse<TaskHubAuthentication>(text, ignoreCase: true, out var found) && Enum.IsDefined(found) => found,
        _ => throw new FormatException(
            $"The task hub's connection string says Authentication={text}; allowed are {string.Join(", ", Enum.GetNames<TaskHubAuthentication>())}."),
    };
}

using System.Net;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.TaskHub.Endpoint;
using Drydock.Kubernetes;
using Drydock.Server.Admission;
using Drydock.Maintenance.Drain;
using Drydock.Server.Callers;
using Drydock.Server.Notifications;
using Drydock.Server.Telemetry;
using Drydock.Server.Tls;

namespace Drydock.Server;

/// <summary>Everything a Drydock process is told at its start.</summary>
public sealed record DrydockOptions
{
    /// <summary>The address that is listened on unless said otherwise.</summary>
    public const string DefaultUrl = "http://127.0.0.1:5480";

    /// <summary>How many evictions may be under way at once unless said otherwise.</summary>
    public const int DefaultMaxParallelEvictions = EvictionSlots.DefaultAtOnce;

    /// <summary>The task hub: <c>Data Source=FILE</c>, or <c>Host=…;Database=…;Username=…</c> for several servers on one PostgreSQL, or <c>Endpoint=…;TaskHub=…;Authentication=…</c> for the Durable Task Scheduler. The default is <c>Data Source=drydock.db</c>.</summary>
    public string Hub { get; init; } = "Data Source=drydock.db";

    /// <summary>The cluster. The default is what kubectl would take.</summary>
    public ClusterConnection Cluster { get; init; } = ClusterConnection.Default;

    /// <summary>Where REST is served; port 0 takes a free one. Only <see cref="DrydockHost"/> reads it.</summary>
    public IReadOnlyList<string> Urls { get; init; } = [DefaultUrl];

    /// <summary>Whether NodeMaintenance resources are acted upon. The default is true.</summary>
    public bool Operator { get; init; } = true;

    /// <summary>
    /// How many evictions may be under way at once, over all nodes, 1 to 1000. The default is 50. Servers on one PostgreSQL share it evenly,
    /// each has at least one; with <c>Endpoint=…</c> it is for each server.
    /// </summary>
    public int MaxParallelEvictions { get; init; } = DefaultMaxParallelEvictions;

    /// <summary>The least level that is logged. The default is Information.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Whether the start asks the API server for every permission that is needed. The default is true.</summary>
    public bool CheckAccess { get; init; } = true;

    /// <summary>
    /// Where task hubs are served to other Durable Task SDKs, over gRPC; null for nowhere, which is the default. Only
    /// <see cref="DrydockHost"/> reads it.
    /// </summary>
    public IPEndPoint? HubListen { get; init; }

    /// <summary>The bearer token that callers of <see cref="HubListen"/> must send; null for none, on a loopback address only.</summary>
    public string? HubToken { get; init; }

    /// <summary>Who may call. The default asks nobody, and so serves loopback only. Only <see cref="DrydockHost"/> reads it.</summary>
    public AccessOptions Access { get; init; } = new();

    /// <summary>How lines of the log look. The default is text.</summary>
    public LogFormat LogFormat { get; init; }

    /// <summary>Where traces go.</summary>
    public TelemetryOptions Telemetry { get; init; } = new();

    /// <summary>The file these options came from, to be read again when it changes; null if there is none.</summary>
    public OptionsSource? Reload { get; init; }

    /// <summary>The certificate of https addresses.</summary>
    public TlsOptions Tls { get; init; } = new();

    /// <summary>Where the validating webhook is served, over TLS; null for nowhere, which is the default. Needs <see cref="Operator"/>.</summary>
    public WebhookOptions? Webhook { get; init; }

    /// <summary>The YAML or JSON file with the policies of the admin, or null: none.</summary>
    public string? PoliciesFile { get; init; }

    /// <summary>The folder with the mounted secrets that policies name, or null: none.</summary>
    public string? SecretsFolder { get; init; }

    /// <summary>The address under which others reach this server, for webhooks to call back; null: they cannot.</summary>
    public string? PublicUrl { get; init; }

    /// <summary>Who is told what.</summary>
    public NotificationOptions Notifications { get; init; } = new();

    /// <summary>What the hub does not do for ever.</summary>
    public HubLimits HubLimits { get; init; } = new();

    /// <summary>More settings of the hub, over <see cref="HubLimits"/>, and of those that it serves to others: what is not kept or given out for ever.</summary>
    public Action<TaskHubOptions>? ConfigureHub { get; init; }

    /// <summary>All that is said of the hub, the more particular last.</summary>
    internal Action<TaskHubOptions> HubSettings => hub =>
    {
        HubLimits.ApplyTo(hub);
        ConfigureHub?.Invoke(hub);
    };

    /// <summary>Where the hub is.</summary>
    /// <exception cref="DrydockOptionsException">The connection string does not say.</exception>
    internal HubStore HubStore => HubStore.Read(Hub, out var store) is { } error ? throw new DrydockOptionsException([error]) : store!;

    /// <summary>What is wrong with these options, one sentence each; empty if nothing.</summary>
    public IReadOnlyList<string> Validate()
    {
        var errors = new List<string>();
        if (HubStore.Read(Hub, out var store) is { } hubError)
        {
            errors.Add(hubError);
        }

        if (store is HubStore.Remote && HubListen is not null)
        {
            errors.Add("hub-listen: the task hub is in another process (Endpoint=…), which serves it itself; leave this out.");
        }

        if (store is HubStore.Remote && (ConfigureHub is not null || HubLimits != new HubLimits()))
        {
            errors.Add("hub limits: the task hub is in another process (Endpoint=…), which says itself what it keeps and how often it gives out what fails; leave hubLimits, --retain, --max-deliveries and --large-payload-threshold out.");
        }

        if (Urls.Count == 0)
        {
            errors.Add("urls: at least one address to listen on is needed, such as " + DefaultUrl + ".");
        }

        errors.AddRange(Urls.Select(url => ReadUrl(url, Access.Mode != AccessMode.None, out _, out _)).OfType<string>());
        errors.AddRange(Access.Validate());
        if (PublicUrl is not null && !(Uri.TryCreate(PublicUrl, UriKind.Absolute, out var publicUrl) && publicUrl.Scheme is "http" or "https"))
        {
            errors.Add($"public-url: '{PublicUrl}' is not an address such as https://drydock.example.com.");
        }

        errors.AddRange(Tls.Validate());
        errors.AddRange(Telemetry.Validate());
        errors.AddRange(Notifications.Validate(SecretsFolder));
        if (Cluster is { InCluster: true, KubeconfigPath: not null })
        {
            errors.Add("cluster: give a kubeconfig or in-cluster, not both.");
        }

        if (HubListen is { } hub)
        {
            errors.AddRange(new TaskHubServerOptions { Listen = hub, Token = HubToken }.Validate().Select(static error => "hub-listen: " + error));
        }

        errors.AddRange(Webhook?.Validate() ?? []);

        if (MaxParallelEvictions is < 1 or > 1000)
        {
            errors.Add($"max parallel evictions: {MaxParallelEvictions} is not allowed; give 1 to 1000.");
        }

        if (!Enum.IsDefined(LogLevel))
        {
            errors.Add($"log level: '{LogLevel}' is not one of {string.Join(", ", Enum.GetNames<LogLevel>())}.");
        }

        return errors;
    }

    /// <summary>Reads an address to listen on.</summary>
    /// <returns>What is wrong with it, or null.</returns>
    internal static string? ReadUrl(string url, bool withAccess, out IPEndPoint endpoint, out bool isHttps)
    {
        (endpoint, isHttps) = (new IPEndPoint(IPAddress.Loopback, 0), false);
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps))
        {
            return $"urls: '{url}' is not an address such as {DefaultUrl} or https://0.0.0.0:8443.";
        }

        if (uri.PathAndQuery != "/")
        {
            return $"urls: '{url}' has a path; the API is always at /api/v1.";
        }

        var address = uri.Host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(uri.Host.Trim('[', ']'), out var parsed) ? parsed : null;
        if (address is null)
        {
            return $"urls: '{url}' does not begin with the address of a network interface; write 0.0.0.0 for all of them.";
        }

        if (!withAccess && !IPAddress.IsLoopback(address))
        {
            return $"urls: '{url}' is not a loopback address; callers are not asked who they are (access.mode None), so only 127.0.0.1, [::1] and localhost are served.";
        }

        if (uri.Scheme == Uri.UriSchemeHttp && !IPAddress.IsLoopback(address))
        {
            return $"urls: '{url}' is plain http, so the tokens of callers could be read on the way; write https, which makes a certificate by itself if none is given.";
        }

        (endpoint, isHttps) = (new IPEndPoint(address, uri.Port), uri.Scheme == Uri.UriSchemeHttps);
        return null;
    }
}

/// <summary>The options contradict themselves or say something impossible; nothing was started.</summary>
public sealed class DrydockOptionsException(IReadOnlyList<string> errors) : Exception(string.Join(' ', errors))
{
    /// <summary>All that is wrong, one sentence each.</summary>
    public IReadOnlyList<string> Errors { get; } = errors;
}

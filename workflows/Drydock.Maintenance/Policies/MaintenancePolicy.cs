using System.Text.Json.Serialization;

namespace Drydock.Maintenance;

/// <summary>
/// What requests may name but never bring themselves (design section 8): manifests, addresses, probes and the names of credentials.
/// Owned by admins: a file of the server, or a MaintenancePolicy object. A maintenance keeps the policy as it was when it was planned.
/// Persisted; only ever gains optional members.
/// </summary>
/// <param name="Name">What a request calls it.</param>
public sealed record MaintenancePolicy(string Name)
{
    /// <summary>Jobs that may be run on a node, by name.</summary>
    public IReadOnlyDictionary<string, JobTemplate> Jobs { get; init; } = new Dictionary<string, JobTemplate>(StringComparer.Ordinal);

    /// <summary>Webhooks that may be called, by name.</summary>
    public IReadOnlyDictionary<string, WebhookTemplate> Webhooks { get; init; } = new Dictionary<string, WebhookTemplate>(StringComparer.Ordinal);

    /// <summary>Probes of the health gate, by name.</summary>
    public IReadOnlyDictionary<string, ProbeTemplate> Probes { get; init; } = new Dictionary<string, ProbeTemplate>(StringComparer.Ordinal);

    /// <summary>The one of <see cref="Jobs"/> that reboots a node, or null: the built-in one.</summary>
    public string? RebootJob { get; init; }

    /// <summary>Approvals that every maintenance under this policy needs, asked for or not.</summary>
    public IReadOnlyList<ApprovalGate> RequiredApprovals { get; init; } = [];

    /// <summary>Probes that every maintenance under this policy must pass, asked for or not.</summary>
    public IReadOnlyList<string> RequiredProbes { get; init; } = [];

    /// <summary>Deleting a NodeMaintenance under this policy gives its node back only when that is healthy, asked for or not.</summary>
    public bool HealthOnDelete { get; init; }

    /// <summary>Annotations of virtual machines that count as their owners' wishes; all others are ignored.</summary>
    public IReadOnlyList<string> AllowedVmAnnotations { get; init; } = [];
}

/// <summary>A Job to run on the node.</summary>
/// <param name="Namespace">Where it is created.</param>
/// <param name="Manifest">
/// A <c>batch/v1</c> Job as JSON. Name, namespace, node and tolerations are set by us; <c>{node}</c>, <c>{maintenance}</c> and
/// <c>{bootId}</c> in its texts are replaced.
/// </param>
public sealed record JobTemplate(string Namespace, string Manifest)
{
    /// <summary>How long it may take unless the request says less. The default is 30 minutes.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(30);
}

/// <summary>A webhook to call.</summary>
/// <param name="Url">An HTTPS address; <c>{node}</c> and <c>{maintenance}</c> are replaced, escaped.</param>
/// <param name="SecretFile">The mounted file with the key that both directions are signed with (HMAC-SHA256).</param>
public sealed record WebhookTemplate(string Url, string SecretFile)
{
    /// <summary>Wait until the other side calls back; else its answer is all that is waited for. The default is true.</summary>
    public bool WaitsForCallback { get; init; } = true;

    /// <summary>How long until it must have called back, unless the request says less. The default is one hour.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The mounted file with a bearer token to send, or null.</summary>
    public string? TokenFile { get; init; }
}

/// <summary>What a probe asks. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ProbeKind>))]
public enum ProbeKind
{
    /// <summary>An HTTP GET that must answer.</summary>
    Http,

    /// <summary>A Prometheus query whose result must be as expected.</summary>
    Prometheus,

    /// <summary>A Job on the node that must succeed.</summary>
    Job,

    /// <summary>Pods of a selector that must be Ready again: as many as before.</summary>
    Pods,
}

/// <summary>What a Prometheus query must give. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<QueryExpectation>))]
public enum QueryExpectation
{
    /// <summary>No series, as of an alert that does not fire.</summary>
    Empty,

    /// <summary>At least one series.</summary>
    NonEmpty,

    /// <summary>Every value is at least the threshold; no series fails.</summary>
    AtLeast,

    /// <summary>Every value is at most the threshold; no series fails.</summary>
    AtMost,
}

/// <summary>A question the health gate asks beyond what Kubernetes says.</summary>
/// <param name="Kind">What kind of question.</param>
public sealed record ProbeTemplate(ProbeKind Kind)
{
    /// <summary>Http: the address. Prometheus: its base address. <c>{node}</c> is replaced, escaped.</summary>
    public string? Url { get; init; }

    /// <summary>Prometheus: the query; <c>{node}</c> is replaced.</summary>
    public string? Query { get; init; }

    /// <summary>Prometheus: what the result must be. The default is no series.</summary>
    public QueryExpectation Expect { get; init; }

    /// <summary>Prometheus: for <see cref="QueryExpectation.AtLeast"/> and <see cref="QueryExpectation.AtMost"/>.</summary>
    public double Threshold { get; init; }

    /// <summary>Http: the code that is wanted, or null: any from 200 to 299.</summary>
    public int? Status { get; init; }

    /// <summary>Http: a text that the answer must contain, or null.</summary>
    public string? Contains { get; init; }

    /// <summary>Job: the one of <see cref="MaintenancePolicy.Jobs"/>.</summary>
    public string? Job { get; init; }

    /// <summary>Pods: the namespace, or null: all.</summary>
    public string? Namespace { get; init; }

    /// <summary>Pods: a label selector as kubectl writes it.</summary>
    public string? Selector { get; init; }

    /// <summary>Http, Prometheus: the mounted file with a bearer token to send, or null.</summary>
    public string? TokenFile { get; init; }
}

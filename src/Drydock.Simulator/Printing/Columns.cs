using System.Text.Json.Nodes;
using Drydock.Simulator.Api;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Printing;

/// <summary>The columns of built-in types.</summary>
internal static class Columns
{
    public static readonly Column Name = new("Name", "string", (o, _) => o.NameOf()) { Format = "name" };
    public static readonly Column CustomAge = new("Age", "date", (o, now) => Ages.Of(o, now));
    private static readonly Column _age = new("Age", "string", (o, now) => Ages.Of(o, now));
    private static readonly Column _createdAt = new("Created At", "date", (o, _) => o.Text("metadata", "creationTimestamp"));

    private static readonly Dictionary<string, Column[]> _columns = new()
    {
        ["nodes"] =
        [
            Text("Status", NodeStatus), Text("Roles", Roles), _age, Text("Version", n => n.Text("status", "nodeInfo", "kubeletVersion")),
            Wide("Internal-IP", n => Address(n, "InternalIP")), Wide("External-IP", n => Address(n, "ExternalIP")),
            Wide("OS-Image", n => Known(n.Text("status", "nodeInfo", "osImage"))), Wide("Kernel-Version", Kernel),
            Wide("Container-Runtime", n => Known(n.Text("status", "nodeInfo", "containerRuntimeVersion"))),
        ],
        ["pods"] =
        [
            Text("Ready", PodColumns.Ready), Text("Status", PodColumns.Status), Text("Restarts", PodColumns.Restarts), _age,
            Wide("IP", p => None(p.Text("status", "podIP"))), Wide("Node", p => None(p.Text("spec", "nodeName"))),
            Wide("Nominated Node", p => None(p.Text("status", "nominatedNodeName"))), Wide("Readiness Gates", _ => "<none>"),
        ],
        ["namespaces"] = [Text("Status", n => n.Text("status", "phase")), _age],
        ["poddisruptionbudgets.policy"] =
        [
            Text("Min Available", b => b.At("spec", "minAvailable")?.ToString() ?? "N/A"),
            Text("Max Unavailable", b => b.At("spec", "maxUnavailable")?.ToString() ?? "N/A"),
            Number("Allowed Disruptions", "status", "disruptionsAllowed"), _age,
        ],
        ["deployments.apps"] =
        [
            Text("Ready", d => $"{d.Number("status", "readyReplicas") ?? 0}/{d.Number("spec", "replicas") ?? 0}"),
            Text("Up-to-date", d => (d.Number("status", "updatedReplicas") ?? 0).ToString()) with { Type = "string" },
            Text("Available", d => (d.Number("status", "availableReplicas") ?? 0).ToString()), _age,
            .. Workload,
        ],
        ["replicasets.apps"] =
        [
            Number("Desired", "spec", "replicas"), Number("Current", "status", "replicas"), Number("Ready", "status", "readyReplicas"), _age,
            .. Workload,
        ],
        ["statefulsets.apps"] =
        [
            Text("Ready", d => $"{d.Number("status", "readyReplicas") ?? 0}/{d.Number("spec", "replicas") ?? 0}"), _age,
            Wide("Containers", s => Containers(s, "name")), Wide("Images", s => Containers(s, "image")),
        ],
        ["daemonsets.apps"] =
        [
            Number("Desired", "status", "desiredNumberScheduled"), Number("Current", "status", "currentNumberScheduled"),
            Number("Ready", "status", "numberReady"), Number("Up-to-date", "status", "updatedNumberScheduled"),
            Number("Available", "status", "numberAvailable"), Text("Node Selector", NodeSelector), _age, .. Workload,
        ],
        ["jobs.batch"] =
        [
            Text("Status", JobStatus), Text("Completions", j => $"{j.Number("status", "succeeded") ?? 0}/{j.Number("spec", "completions") ?? 1}"),
            Text("Duration", _ => ""), _age, .. Workload,
        ],
        ["leases.coordination.k8s.io"] = [Text("Holder", l => l.Text("spec", "holderIdentity")), _age],
        ["events"] =
        [
            new("Last Seen", "string", (e, now) => Ages.Since(e.Text("lastTimestamp") ?? e.Text("eventTime"), now)),
            Text("Type", e => e.Text("type")), Text("Reason", e => e.Text("reason")),
            Text("Object", e => $"{e.Text("involvedObject", "kind")?.ToLowerInvariant()}/{e.Text("involvedObject", "name")}"),
            Text("Message", e => e.Text("message")?.Trim()),
        ],
        ["configmaps"] = [Text("Data", c => (c["data"] as JsonObject)?.Count.ToString() ?? "0"), _age],
        ["secrets"] = [Text("Type", s => s.Text("type")), Text("Data", c => (c["data"] as JsonObject)?.Count.ToString() ?? "0"), _age],
        ["serviceaccounts"] = [Text("Secrets", _ => "0"), _age],
        ["services"] =
        [
            Text("Type", s => s.Text("spec", "type")), Text("Cluster-IP", s => None(s.Text("spec", "clusterIP"))),
            Text("External-IP", _ => "<none>"),
            Text("Port(s)", s => None(string.Join(',', s.Objects("spec", "ports").Select(p => $"{p.Number("port")}/{p.Text("protocol")}")))), _age,
        ],
    };

    private static IEnumerable<Column> Workload =>
        [Wide("Containers", s => Containers(s, "name")), Wide("Images", s => Containers(s, "image")), Wide("Selector", Selector)];

    public static IReadOnlyList<Column> Of(ResourceType type) =>
        _columns.TryGetValue(type.GroupResource, out var columns)
            ? type.Equals(ResourceTypes.Events) ? [.. columns, Name with { Priority = 1 }] : [Name, .. columns]
            : [Name, _createdAt];

    private static Column Text(string name, Func<JsonObject, string?> cell) => new(name, "string", (o, _) => cell(o) ?? "");

    private static Column Wide(string name, Func<JsonObject, string?> cell) => Text(name, cell) with { Priority = 1 };

    private static Column Number(string name, string part, string field) => new(name, "integer", (o, _) => o.Number(part, field) ?? 0);

    private static string None(string? text) => text is null or "" ? "<none>" : text;

    private static string Known(string? text) => text is null or "" ? "<unknown>" : text;

    private static string NodeStatus(JsonObject node)
    {
        var ready = node.Objects("status", "conditions").FirstOrDefault(c => c.Text("type") == "Ready");
        var status = ready is null ? "Unknown" : ready.Text("status") == "True" ? "Ready" : "NotReady";

        return node.Flag("spec", "unschedulable") ? $"{status},SchedulingDisabled" : status;
    }

    private static string Roles(JsonObject node)
    {
        const string prefix = "node-role.kubernetes.io/";
        var roles = (node.At("metadata", "labels") as JsonObject ?? [])
            .Where(l => l.Key.StartsWith(prefix, StringComparison.Ordinal) && l.Key.Length > prefix.Length)
            .Select(l => l.Key[prefix.Length..])
            .Order(StringComparer.Ordinal);

        return None(string.Join(',', roles));
    }

    private static string Address(JsonObject node, string type) =>
        None(node.Objects("status", "addresses").FirstOrDefault(a => a.Text("type") == type).Text("address"));

    private static string Kernel(JsonObject node)
    {
        var (kernel, machine) = (node.Text("status", "nodeInfo", "kernelVersion"), node.Text("status", "nodeInfo", "architecture"));

        return string.IsNullOrEmpty(kernel) ? "<unknown>" : string.IsNullOrEmpty(machine) ? kernel : $"{kernel} ({machine})";
    }

    private static string Containers(JsonObject owner, string field) =>
        string.Join(',', owner.Objects("spec", "template", "spec", "containers").Select(c => c.Text(field)));

    private static string Selector(JsonObject owner) =>
        None(string.Join(',', (owner.At("spec", "selector", "matchLabels") as JsonObject ?? []).Select(l => $"{l.Key}={l.Value}")));

    private static string NodeSelector(JsonObject owner) => None(string.Join(',',
        (owner.At("spec", "template", "spec", "nodeSelector") as JsonObject ?? []).Select(l => $"{l.Key}={l.Value}")));

    private static string JobStatus(JsonObject job) =>
        job.Objects("status", "conditions").Where(c => c.Text("status") == "True").Select(c => c.Text("type")).LastOrDefault()
        ?? (job.At("metadata", "deletionTimestamp") is null ? "Running" : "Terminating");
}

/// <summary>What kubectl says of pods.</summary>
internal static class PodColumns
{
    public static string Ready(JsonObject pod) =>
        $"{pod.Objects("status", "containerStatuses").Count(c => c.Flag("ready"))}/{pod.Objects("spec", "containers").Count()}";

    public static string Restarts(JsonObject pod) =>
        pod.Objects("status", "containerStatuses").Sum(c => c.Number("restartCount") ?? 0).ToString();

    public static string Status(JsonObject pod)
    {
        var reason = pod.Text("status", "reason") ?? pod.Text("status", "phase") ?? "Unknown";
        foreach (var container in pod.Objects("status", "containerStatuses").Reverse())
        {
            if (container.Text("state", "waiting", "reason") is { Length: > 0 } waiting)
            {
                reason = waiting;
            }
            else if (container.At("state", "terminated") is { } terminated)
            {
                reason = terminated.Text("reason") is { Length: > 0 } ended ? ended : $"ExitCode:{terminated.Number("exitCode") ?? 0}";
            }
        }

        if (pod.At("metadata", "deletionTimestamp") is null || pod.Text("status", "phase") is "Succeeded" or "Failed")
        {
            return reason;
        }

        return pod.Text("status", "reason") == "NodeLost" ? "Unknown" : "Terminating";
    }

    /// <summary>What a row says of a pod that has ended: programs that watch tables need not know pods. Null for others.</summary>
    public static JsonArray? Conditions(JsonObject pod) => pod.Text("status", "phase") switch
    {
        "Succeeded" => Completed("Succeeded", "The pod has completed successfully."),
        "Failed" => Completed("Failed", "The pod failed."),
        _ => null,
    };

    private static JsonArray Completed(string reason, string message) =>
        [new JsonObject { ["type"] = "Completed", ["status"] = "True", ["reason"] = reason, ["message"] = message }];
}

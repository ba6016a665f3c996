using System.Text.Json.Nodes;

namespace Drydock.Simulator.Api;

/// <summary>Paths that are about the server: version and health.</summary>
internal static class ServerPages
{
    private static readonly string[] _checks =
    [
        "ping", "log", "informer-sync",
        .. ((string[])["start-apiserver-admission-initializer", "generic-apiserver-start-informers", "priority-and-fairness-config-consumer",
            "priority-and-fairness-filter", "storage-object-count-tracker-hook", "start-apiextensions-informers", "start-apiextensions-controllers",
            "crd-informer-synced", "start-system-namespaces-controller", "peer-endpoint-reconciler-controller",
            "start-cluster-authentication-info-controller", "start-kube-apiserver-identity-lease-controller",
            "start-kube-apiserver-identity-lease-garbage-collector", "storage-readiness", "start-legacy-token-tracking-controller",
            "start-service-ip-repair-controllers", "rbac/bootstrap-roles", "scheduling/bootstrap-system-priority-classes",
            "priority-and-fairness-config-producer", "bootstrap-controller", "start-kubernetes-service-cidr-controller",
            "aggregator-reload-proxy-client-cert", "start-kube-aggregator-informers", "apiservice-status-local-available-controller",
            "apiservice-status-remote-available-controller", "apiservice-registration-controller", "apiservice-wait-for-first-sync",
            "apiservice-discovery-controller", "kube-apiserver-autoregistration"]).Select(hook => $"poststarthook/{hook}"),
        "autoregister-completion", "poststarthook/apiservice-openapi-controller", "poststarthook/apiservice-openapiv3-controller", "shutdown",
    ];

    public static ApiAnswer? Answer(ApiRequest request)
    {
        var path = request.Path.TrimEnd('/');
        if (path == "/version")
        {
            return request.Method == "HEAD"
                ? new ApiAnswer(405, "application/json", default)
                : Rendering.Node(Accept.Of(request.Accept), Version(), 200);
        }

        if (path is "/healthz" or "/readyz" or "/livez")
        {
            return ApiAnswer.Text(200, request.Query.ContainsKey("verbose") ? Verbose(path[1..]) : "ok");
        }

        if (path is "/livez/etcd" or "/livez/ping" or "/readyz/ping" or "/healthz/etcd" or "/healthz/ping")
        {
            return ApiAnswer.Text(200, "ok");
        }

        return null;
    }

    private static JsonObject Version() => new()
    {
        ["major"] = "1",
        ["minor"] = "36",
        ["emulationMajor"] = "1",
        ["emulationMinor"] = "36",
        ["minCompatibilityMajor"] = "1",
        ["minCompatibilityMinor"] = "35",
        ["gitVersion"] = "v1.36.2",
        ["gitCommit"] = "98b35193b2ac7a23a673325f5e9b830ecd5ba406",
        ["gitTreeState"] = "clean",
        ["buildDate"] = "2026-06-11T00:00:00Z",
        ["goVersion"] = "go1.26.10",
        ["compiler"] = "gc",
        ["platform"] = "linux/amd64",
    };

    private static string Verbose(string check) =>
        string.Concat(_checks.Select(c => $"[+]{c} ok\n")) + $"{check} check passed\n";
}

using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>What a pod gets on creation: the defaults of its spec, and what admission adds to a pod but not to a template.</summary>
internal static class PodDefaults
{
    private const int SystemClusterCritical = 2_000_000_000;
    private const int SystemNodeCritical = 2_000_001_000;

    public static void CompletePod(JsonObject pod)
    {
        var spec = pod.Child("spec");
        CompleteSpec(spec);
        spec.Default("serviceAccountName", "default");
        spec["serviceAccount"] = spec.Text("serviceAccountName");
        spec.Default("enableServiceLinks", true);
        spec.Default("preemptionPolicy", "PreemptLowerPriority");
        spec.Default("priority", spec.Text("priorityClassName") switch
        {
            "system-node-critical" => SystemNodeCritical,
            "system-cluster-critical" => SystemClusterCritical,
            _ => 0,
        });
        Tolerate(spec, "node.kubernetes.io/not-ready");
        Tolerate(spec, "node.kubernetes.io/unreachable");

        var status = pod.Child("status");
        status.Default("phase", "Pending");
        status.Default("qosClass", QosClass(spec));
        foreach (var condition in status.Objects("conditions"))
        {
            // Go writes these two even when they are empty.
            condition.TryAdd("lastProbeTime", null);
            condition.TryAdd("lastTransitionTime", null);
        }
    }

    public static void CompleteSpec(JsonObject spec)
    {
        foreach (var container in spec.Objects("containers").Concat(spec.Objects("initContainers")))
        {
            CompleteContainer(container);
        }

        foreach (var volume in spec.Objects("volumes"))
        {
            CompleteVolume(volume);
        }

        spec.Default("restartPolicy", "Always");
        spec.Default("terminationGracePeriodSeconds", 30);
        spec.Default("dnsPolicy", "ClusterFirst");
        spec.Default("securityContext", new JsonObject());
        spec.Default("schedulerName", "default-scheduler");
    }

    /// <summary>Mounts the token of the service account, as admission does.</summary>
    public static void MountToken(JsonObject pod, string suffix)
    {
        const string path = "/var/run/secrets/kubernetes.io/serviceaccount";
        var spec = pod.Child("spec");
        var mounted = spec.Objects("containers").Any(c => c.Objects("volumeMounts").Any(m => m.Text("mountPath") == path));
        if (mounted || spec["automountServiceAccountToken"]?.GetValueKind() == System.Text.Json.JsonValueKind.False)
        {
            return;
        }

        var name = $"kube-api-access-{suffix}";
        Append(spec, "volumes", TokenVolume(name));
        foreach (var container in spec.Objects("containers").Concat(spec.Objects("initContainers")))
        {
            Append(container, "volumeMounts", new JsonObject { ["name"] = name, ["readOnly"] = true, ["mountPath"] = path });
        }
    }

    private static JsonObject TokenVolume(string name) => new()
    {
        ["name"] = name,
        ["projected"] = new JsonObject
        {
            ["sources"] = new JsonArray(
                new JsonObject { ["serviceAccountToken"] = new JsonObject { ["expirationSeconds"] = 3607, ["path"] = "token" } },
                new JsonObject
                {
                    ["configMap"] = new JsonObject
                    {
                        ["name"] = "kube-root-ca.crt",
                        ["items"] = new JsonArray(new JsonObject { ["key"] = "ca.crt", ["path"] = "ca.crt" }),
                    },
                },
                new JsonObject
                {
                    ["downwardAPI"] = new JsonObject
                    {
                        ["items"] = new JsonArray(new JsonObject
                        {
                            ["path"] = "namespace",
                            ["fieldRef"] = new JsonObject { ["apiVersion"] = "v1", ["fieldPath"] = "metadata.namespace" },
                        }),
                    },
                }),
            ["defaultMode"] = 420,
        },
    };

    private static void Append(JsonObject parent, string field, JsonObject item)
    {
        if (parent[field] is JsonArray items)
        {
            items.Add(item);
        }
        else
        {
            parent[field] = new JsonArray(item);
        }
    }

    private static void CompleteContainer(JsonObject container)
    {
        container.Default("resources", new JsonObject());
        container.Default("terminationMessagePath", "/dev/termination-log");
        container.Default("terminationMessagePolicy", "File");
        container.Default("imagePullPolicy", IsLatest(container.Text("image") ?? "") ? "Always" : "IfNotPresent");
        foreach (var port in container.Objects("ports"))
        {
            port.Default("protocol", "TCP");
        }

        if (container.At("resources", "limits") is JsonObject limits)
        {
            var requests = container.Child("resources").Child("requests");
            foreach (var (resource, amount) in limits)
            {
                requests.Default(resource, amount!.DeepClone());
            }
        }

        foreach (var variable in container.Objects("env"))
        {
            (variable.At("valueFrom", "fieldRef") as JsonObject)?.Default("apiVersion", "v1");
        }

        foreach (var probe in (string[])["livenessProbe", "readinessProbe", "startupProbe"])
        {
            if (container[probe] is JsonObject settings)
            {
                settings.Default("timeoutSeconds", 1);
                settings.Default("periodSeconds", 10);
                settings.Default("successThreshold", 1);
                settings.Default("failureThreshold", 3);
                (settings["httpGet"] as JsonObject)?.Default("scheme", "HTTP");
            }
        }
    }

    private static bool IsLatest(string image)
    {
        var tag = image.LastIndexOf(':');

        return !image.Contains('@') && (tag < image.LastIndexOf('/') || tag < 0 || image[tag..] == ":latest");
    }

    private static void CompleteVolume(JsonObject volume)
    {
        foreach (var kind in (string[])["configMap", "secret", "projected", "downwardAPI"])
        {
            (volume[kind] as JsonObject)?.Default("defaultMode", 420);
        }

        (volume["hostPath"] as JsonObject)?.Default("type", "");
        if (volume.Count == 1)
        {
            volume["emptyDir"] = new JsonObject();
        }
    }

    private static void Tolerate(JsonObject spec, string taint)
    {
        var tolerated = spec.Objects("tolerations").Any(t =>
            (t.Text("key") ?? "") is var key && (key == taint || key.Length == 0)
            && t.Text("effect") is null or "" or "NoExecute");
        if (!tolerated)
        {
            Append(spec, "tolerations", new JsonObject
            {
                ["key"] = taint,
                ["operator"] = "Exists",
                ["effect"] = "NoExecute",
                ["tolerationSeconds"] = 300,
            });
        }
    }

    private static string QosClass(JsonObject spec)
    {
        var containers = spec.Objects("containers").Concat(spec.Objects("initContainers")).ToList();
        var guaranteed = containers.All(c => (string[])["cpu", "memory"] is var needed && needed.All(r =>
            c.Text("resources", "limits", r) is { } limit && limit == c.Text("resources", "requests", r)));
        var asks = containers.Any(c =>
            c.At("resources", "requests") is JsonObject { Count: > 0 } || c.At("resources", "limits") is JsonObject { Count: > 0 });

        return !asks ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
    }
}

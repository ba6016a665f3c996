using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.Actions;

/// <summary>Makes the Job of an action from its template: pinned to the node, named after the action, cleaned up in the end.</summary>
internal static class JobManifest
{
    /// <summary>On the job and its pods: the drain leaves them where they are.</summary>
    public const string Label = "drydock.dev/job";

    /// <summary>On the job: whose it is.</summary>
    public const string MaintenanceAnnotation = "drydock.dev/instance";

    /// <summary>A finished job that nobody deleted goes after a day; until then its logs can be read.</summary>
    private const int KeptSeconds = 24 * 60 * 60;

    /// <summary>So many hooks of one point are looked at: who reboots a node by one has a few.</summary>
    private const int MostHooks = 5;

    /// <summary>
    /// Reboots from inside: enters the namespaces of the host's init and asks systemd. It looks at the boot ID first: a second pod, whoever
    /// starts it, finds another boot and does nothing.
    /// </summary>
    public static JobTemplate BuiltInReboot { get; } = new(
        "kube-system",
        """
        {"apiVersion":"batch/v1","kind":"Job","spec":{"backoffLimit":0,"template":{"spec":{"hostPID":true,"restartPolicy":"Never",
        "containers":[{"name":"reboot","image":"busybox:1.37","securityContext":{"privileged":true},
        "command":["nsenter","-t","1","-m","-u","-i","-n","--","/bin/sh","-c",
        "[ \"$(cat /proc/sys/kernel/random/boot_id)\" = \"{bootId}\" ] || exit 0; exec systemctl reboot"]}]}}}}
        """);

    /// <summary>The name of the job of an action: always the same for the same action, so that a second create finds the first.</summary>
    public static string NameOf(string maintenance, string key)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{maintenance}\n{key}"));
        var readable = key.Length <= 30 ? key : key[..30].TrimEnd('-');
        return $"drydock-{readable}-{Convert.ToHexStringLower(hash.AsSpan(0, 6))}";
    }

    /// <summary>
    /// The jobs by which a maintenance may have been about to reboot its node, those of the built-in template: one that has no pod is found by its
    /// name alone.
    /// </summary>
    public static IEnumerable<ObjectRef> ThatMayReboot(string maintenance) =>
        Enumerable.Range(1, MostHooks).Select(static number => $"after-drain-{number}").Prepend("action")
            .Select(key => new ObjectRef(BuiltInReboot.Namespace, NameOf(maintenance, key)));

    /// <summary>What is wrong with a template, or null.</summary>
    public static string? Problem(JobTemplate template)
    {
        try
        {
            return Parse(template)["spec"]?["template"]?["spec"]?["containers"] is JsonArray { Count: > 0 }
                ? null
                : "it has no spec.template.spec.containers";
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return $"it is not a Job as JSON: {exception.Message}";
        }
    }

    /// <summary>Why a job that reboots might do so twice, or null: whoever starts its pod again does it right after the boot.</summary>
    public static string? RebootsAgain(JobTemplate template)
    {
        var spec = Parse(template)["spec"];
        return template.Manifest.Contains("{bootId}", StringComparison.Ordinal) ? null
            : (Number(spec?["backoffLimit"]) ?? 0) > 0 ? "spec.backoffLimit is more than 0"
            : (string?)spec?["template"]?["spec"]?["restartPolicy"] is "OnFailure" ? "its restartPolicy is OnFailure"
            : null;
    }

    /// <summary>The manifest as JSON.</summary>
    public static string Build(JobTemplate template, ObjectRef name, string node, string maintenance, string? bootId)
    {
        var job = Parse(template);
        Fill(job, text => text.Replace("{node}", node).Replace("{maintenance}", maintenance).Replace("{bootId}", bootId ?? ""));
        job["apiVersion"] = "batch/v1";
        job["kind"] = "Job";
        var metadata = Ensure(job, "metadata");
        metadata.Remove("generateName");
        metadata["name"] = name.Name;
        metadata["namespace"] = name.Namespace;
        Ensure(metadata, "labels")[Label] = name.Name;
        Ensure(metadata, "annotations")[MaintenanceAnnotation] = maintenance;

        var spec = Ensure(job, "spec");
        spec["backoffLimit"] ??= 0;

        // A finished job is how its own rerun, and a process that was away, find out that it ran: it must outlive them.
        spec["ttlSecondsAfterFinished"] = Math.Max(Number(spec["ttlSecondsAfterFinished"]) ?? KeptSeconds, KeptSeconds);
        var podTemplate = Ensure(spec, "template");
        var labels = Ensure(Ensure(podTemplate, "metadata"), "labels");
        labels[Label] = name.Name;

        // A node that is kept empty while the job runs must not be emptied of the job.
        labels[Planning.PodRules.DrainLabel] = "skip";
        var pod = Ensure(podTemplate, "spec");
        pod["restartPolicy"] ??= "Never";

        // Past the scheduler, which obeys the cordon; and whatever taints the node gets meanwhile.
        pod["nodeName"] = node;
        pod["tolerations"] = new JsonArray(new JsonObject { ["operator"] = "Exists" });
        return job.ToJsonString();
    }

    private static long? Number(JsonNode? value) => value is JsonValue number && number.TryGetValue<long>(out var seconds) ? seconds : null;

    private static JsonObject Parse(JobTemplate template) =>
        JsonNode.Parse(template.Manifest) as JsonObject ?? throw new JsonException("An object is wanted.");

    private static JsonObject Ensure(JsonObject parent, string name)
    {
        if (parent[name] is not JsonObject child)
        {
            parent[name] = child = [];
        }

        return child;
    }

    private static void Fill(JsonNode? node, Func<string, string> fill)
    {
        switch (node)
        {
            case JsonObject map:
                foreach (var (name, value) in map.ToList())
                {
                    if (value is JsonValue text && text.TryGetValue<string>(out var was))
                    {
                        map[name] = fill(was);
                    }
                    else
                    {
                        Fill(value, fill);
                    }
                }

                break;
            case JsonArray array:
                for (var index = 0; index < array.Count; index++)
                {
                    if (array[index] is JsonValue text && text.TryGetValue<string>(out var was))
                    {
                        array[index] = fill(was);
                    }
                    else
                    {
                        Fill(array[index], fill);
                    }
                }

                break;
        }
    }
}

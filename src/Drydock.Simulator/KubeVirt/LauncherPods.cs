using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>Makes virt-launcher pods, with the labels, annotations and scheduling rules of the recorded ones.</summary>
internal static class LauncherPods
{
    private const string Image = "simulated.local/kubevirt/virt-launcher:v1.9.0";
    private const decimal OverheadBytes = 301_989_888;

    /// <summary>The pod a VMI starts in.</summary>
    public static JsonObject ForStart(JsonObject vmi)
    {
        var pod = New(vmi);
        pod.Ensure("spec")["nodeSelector"] = new JsonObject
        {
            ["kubernetes.io/arch"] = "amd64",
            ["kubevirt.io/schedulable"] = "true",
            ["machine-type.node.kubevirt.io/q35"] = "true",
        };
        return pod;
    }

    /// <summary>The pod a VMI moves to: on another node, of the same CPU model.</summary>
    public static JsonObject ForMigration(JsonObject vmi, JsonObject migration, JsonObject? sourceNode)
    {
        var pod = New(vmi);
        pod.Ensure("metadata", "labels")["kubevirt.io/migrationJobUID"] = migration.UidOf();
        pod.Ensure("metadata", "annotations")["kubevirt.io/migrationJobName"] = migration.NameOf();
        var selector = pod.Ensure("spec", "nodeSelector");
        selector["kubernetes.io/arch"] = "amd64";
        selector["kubevirt.io/schedulable"] = "true";
        selector["machine-type.node.kubevirt.io/pc-q35-rhel9.6.0"] = "true";
        foreach (var (label, _) in sourceNode.Object("metadata", "labels") ?? [])
        {
            if (label.StartsWith("host-model-cpu.node.kubevirt.io/", StringComparison.Ordinal))
            {
                selector[label.Replace("host-model-cpu", "cpu-model-migration", StringComparison.Ordinal)] = "true";
            }
        }

        foreach (var (label, value) in migration.Object("spec", "addedNodeSelector") ?? [])
        {
            selector[label] = value?.DeepClone();
        }

        pod.Ensure("spec", "affinity", "podAntiAffinity")["requiredDuringSchedulingIgnoredDuringExecution"] = new JsonArray(new JsonObject
        {
            ["labelSelector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["kubevirt.io/created-by"] = vmi.UidOf() } },
            ["topologyKey"] = "kubernetes.io/hostname",
        });
        return pod;
    }

    private static JsonObject New(JsonObject vmi)
    {
        var name = vmi.NameOf();
        var labels = vmi.Object("metadata", "labels")?.Copy() ?? [];
        labels["kubevirt.io"] = Instances.Launcher;
        labels["kubevirt.io/created-by"] = vmi.UidOf();
        labels["vm.kubevirt.io/name"] = name;
        labels["vmi.kubevirt.io/id"] = name;
        labels.Remove(Instances.NodeLabel);
        labels.Remove("kubevirt.io/migrationTargetNodeName");
        return new()
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = new JsonObject
            {
                ["generateName"] = $"virt-launcher-{name}-",
                ["namespace"] = vmi.NamespaceOf(),
                ["labels"] = labels,
                ["annotations"] = Annotations(vmi),
                ["ownerReferences"] = new JsonArray(Fields.OwnerReference(vmi, KubeVirtTypes.Instances)),
            },
            ["spec"] = Spec(vmi),
        };
    }

    private static JsonObject Annotations(JsonObject vmi) => new()
    {
        ["descheduler.alpha.kubernetes.io/request-evict-only"] = string.Empty,
        ["kubectl.kubernetes.io/default-container"] = "compute",
        ["kubevirt.io/domain"] = vmi.NameOf(),
        ["kubevirt.io/memory-overhead-bytes"] = OverheadBytes.ToString(),
        ["kubevirt.io/migrationTransportUnix"] = "true",
        ["kubevirt.io/vm-generation"] = vmi.Annotation("kubevirt.io/vm-generation") ?? "1",
        ["fake-kubelet/start-after"] = vmi.Annotation("fake-kubelet/start-after") ?? "0.2",
    };

    private static JsonObject Spec(JsonObject vmi)
    {
        var guest = Resources.Parse(vmi.Text("spec", "domain", "memory", "guest")) ?? 0;
        var memory = Math.Ceiling((guest + OverheadBytes) / 1_048_576m);
        var volumes = new JsonArray([.. ((string[])["private", "public", "sockets", "libvirt-runtime", "ephemeral-disks", "hotplug-disks"])
            .Select(name => (JsonNode)new JsonObject { ["name"] = name, ["emptyDir"] = new JsonObject() })]);
        return new()
        {
            ["automountServiceAccountToken"] = false,
            ["containers"] = new JsonArray(new JsonObject
            {
                ["name"] = "compute",
                ["image"] = Image,
                ["command"] = new JsonArray("/usr/bin/virt-launcher-monitor"),
                ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["cpu"] = "100m", ["memory"] = $"{memory}Mi" } },
            }),
            ["enableServiceLinks"] = false,
            ["hostname"] = vmi.NameOf(),
            ["readinessGates"] = new JsonArray(new JsonObject { ["conditionType"] = Instances.Unpaused }),
            ["restartPolicy"] = "Never",
            ["terminationGracePeriodSeconds"] = 60,
            ["volumes"] = volumes,
        };
    }
}

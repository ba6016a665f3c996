using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>Turns a scenario into Kubernetes objects.</summary>
internal static class ScenarioObjects
{
    private const string Image = "registry.k8s.io/pause:3.10";

    public static JsonObject Node(NodeSpec spec, int index)
    {
        var labels = new JsonObject
        {
            ["beta.kubernetes.io/arch"] = "amd64",
            ["beta.kubernetes.io/os"] = "linux",
            ["kubernetes.io/arch"] = "amd64",
            ["kubernetes.io/hostname"] = spec.Name,
            ["kubernetes.io/os"] = "linux",
            ["topology.kubernetes.io/region"] = "simulated",
            ["topology.kubernetes.io/zone"] = spec.Zone,
        };
        if (spec.ControlPlane)
        {
            labels["node-role.kubernetes.io/control-plane"] = string.Empty;
        }

        foreach (var (key, value) in spec.Labels)
        {
            labels[key] = value;
        }

        var node = Object("v1", "Node", null, spec.Name);
        node.Ensure("metadata")["labels"] = labels;
        node.Ensure("metadata")["annotations"] = new JsonObject { ["node.alpha.kubernetes.io/ttl"] = "0" };
        node["spec"] = NodeSpecOf(spec);
        node["status"] = NodeStatusOf(spec, index);
        return node;
    }

    public static string AddressOf(int index) => $"10.0.{index / 250}.{(index % 250) + 2}";

    public static JsonObject Budget(BudgetSpec spec)
    {
        var budget = Object("policy/v1", "PodDisruptionBudget", spec.Namespace, spec.Name);
        var content = new JsonObject { ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["app"] = spec.For } } };
        content.Set(NumberOrText(spec.MinAvailable), "minAvailable");
        content.Set(NumberOrText(spec.MaxUnavailable), "maxUnavailable");
        budget["spec"] = content;
        return budget;
    }

    public static (ResourceType Type, JsonObject Item) Workload(WorkloadSpec spec)
    {
        var template = Template(spec);
        if (spec.Kind == "pod")
        {
            var pod = Object("v1", "Pod", spec.Namespace, spec.Name);
            pod.Ensure("metadata")["labels"] = template.Object("metadata", "labels")!.Copy();
            pod.Ensure("metadata")["annotations"] = template.Object("metadata", "annotations")!.Copy();
            pod["spec"] = template.Object("spec")!.Copy();
            return (ResourceTypes.Pods, pod);
        }

        var type = spec.Kind switch
        {
            "deployment" => ResourceTypes.Deployments,
            "statefulSet" => ResourceTypes.StatefulSets,
            _ => ResourceTypes.DaemonSets,
        };
        var workload = Object("apps/v1", type.Kind, spec.Namespace, spec.Name);
        var content = new JsonObject
        {
            ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["app"] = spec.Name } },
            ["template"] = template,
        };
        if (spec.Kind != "daemonSet")
        {
            content["replicas"] = spec.Replicas;
        }

        if (spec.Kind == "statefulSet")
        {
            content["serviceName"] = spec.Name;
            content.Set(
                spec.Volume is { } size
                    ? new JsonArray(new JsonObject { ["metadata"] = new JsonObject { ["name"] = "data" }, ["spec"] = ClaimContent(size) })
                    : null,
                "volumeClaimTemplates");
        }

        workload["spec"] = content;
        return (type, workload);
    }

    /// <summary>The claim of a workload whose pods share one volume; null: it has none, or each of its pods has its own.</summary>
    public static JsonObject? Claim(WorkloadSpec spec)
    {
        if (spec.Volume is not { } size || spec.Kind == "statefulSet")
        {
            return null;
        }

        var claim = Object("v1", "PersistentVolumeClaim", spec.Namespace, ClaimNameOf(spec));
        claim["spec"] = ClaimContent(size);
        return claim;
    }

    public static JsonObject VirtualMachine(VirtualMachineSpec spec)
    {
        var template = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["labels"] = new JsonObject { ["app"] = spec.Name },
                ["annotations"] = VirtHandlerSteering.Annotations(spec),
            },
            ["spec"] = VirtualMachineContent(spec),
        };
        var machine = Object("kubevirt.io/v1", "VirtualMachine", spec.Namespace, spec.Name);
        machine["spec"] = new JsonObject { ["runStrategy"] = spec.RunStrategy, ["template"] = template };
        return machine;
    }

    public static JsonObject Namespace(string name) => Object("v1", "Namespace", null, name);

    public static JsonObject Object(string apiVersion, string kind, string? space, string name)
    {
        var metadata = new JsonObject { ["name"] = name };
        metadata.Set(space, "namespace");
        return new() { ["apiVersion"] = apiVersion, ["kind"] = kind, ["metadata"] = metadata };
    }

    private static JsonObject NodeSpecOf(NodeSpec spec)
    {
        var content = new JsonObject { ["providerID"] = $"simulated://{spec.Name}" };
        if (spec.Cordoned)
        {
            content["unschedulable"] = true;
        }

        if (spec.ControlPlane)
        {
            content["taints"] = new JsonArray(new JsonObject { ["key"] = "node-role.kubernetes.io/control-plane", ["effect"] = "NoSchedule" });
        }

        return content;
    }

    private static JsonObject NodeStatusOf(NodeSpec spec, int index)
    {
        var room = new JsonObject { ["cpu"] = spec.Cpu, ["ephemeral-storage"] = "1Ti", ["memory"] = spec.Memory, ["pods"] = spec.Pods.ToString() };
        return new()
        {
            ["capacity"] = room.Copy(),
            ["allocatable"] = room,
            ["addresses"] = new JsonArray(
                new JsonObject { ["type"] = "InternalIP", ["address"] = AddressOf(index) },
                new JsonObject { ["type"] = "Hostname", ["address"] = spec.Name }),
            ["daemonEndpoints"] = new JsonObject { ["kubeletEndpoint"] = new JsonObject { ["Port"] = 10250 } },
            ["nodeInfo"] = new JsonObject
            {
                ["machineID"] = $"{index + 1:x32}",
                ["systemUUID"] = $"{index + 1:x32}",
                ["bootID"] = string.Empty,
                ["kernelVersion"] = "6.12.0",
                ["osImage"] = "Simulated Linux 1",
                ["containerRuntimeVersion"] = "containerd://2.1.0",
                ["kubeletVersion"] = spec.KubeletVersion,
                ["kubeProxyVersion"] = string.Empty,
                ["operatingSystem"] = "linux",
                ["architecture"] = "amd64",
            },
        };
    }

    private static JsonObject Template(WorkloadSpec spec)
    {
        var labels = new JsonObject { ["app"] = spec.Name };
        foreach (var (key, value) in spec.Labels)
        {
            labels[key] = value;
        }

        var annotations = new JsonObject();
        annotations.Set(spec.StartAfter?.TotalSeconds.ToString(), "fake-kubelet/start-after");
        annotations.Set(spec.TerminateAfter?.TotalSeconds.ToString(), "fake-kubelet/terminate-after");
        annotations.Set(spec.NeverTerminates ? "true" : null, "fake-kubelet/never-terminate");
        annotations.Set(spec.NeverReady ? "true" : null, "fake-kubelet/never-ready");
        return new()
        {
            ["metadata"] = new JsonObject { ["labels"] = labels, ["annotations"] = annotations },
            ["spec"] = PodSpecOf(spec),
        };
    }

    private static JsonObject PodSpecOf(WorkloadSpec spec)
    {
        var requests = new JsonObject();
        requests.Set(spec.Cpu, "cpu");
        requests.Set(spec.Memory, "memory");
        var resources = new JsonObject();
        resources.Set(requests.Count > 0 ? requests : null, "requests");
        var container = new JsonObject { ["name"] = "main", ["image"] = Image, ["resources"] = resources };
        var content = new JsonObject { ["containers"] = new JsonArray(container) };
        if (spec.EmptyDir)
        {
            AddVolume(content, new JsonObject { ["name"] = "scratch", ["emptyDir"] = new JsonObject() });
            container["volumeMounts"] = new JsonArray(new JsonObject { ["name"] = "scratch", ["mountPath"] = "/scratch" });
        }

        if (spec.Spread is { } topology)
        {
            content.Ensure("affinity", "podAntiAffinity")["requiredDuringSchedulingIgnoredDuringExecution"] = new JsonArray(new JsonObject
            {
                ["labelSelector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["app"] = spec.Name } },
                ["topologyKey"] = topology,
            });
        }

        foreach (var (key, value) in spec.NodeSelector)
        {
            content.Ensure("nodeSelector")[key] = value;
        }

        if (spec.Volume is not null && spec.Kind != "statefulSet")
        {
            AddVolume(content, new JsonObject
            {
                ["name"] = "data",
                ["persistentVolumeClaim"] = new JsonObject { ["claimName"] = ClaimNameOf(spec) },
            });
        }

        content.Set(spec.PriorityClass, "priorityClassName");
        return content;
    }

    private static void AddVolume(JsonObject content, JsonObject volume)
    {
        if (content["volumes"] is not JsonArray volumes)
        {
            content["volumes"] = volumes = [];
        }

        volumes.Add(volume);
    }

    private static string ClaimNameOf(WorkloadSpec spec) => $"{spec.Name}-data";

    private static JsonObject ClaimContent(string size) => new()
    {
        ["accessModes"] = new JsonArray("ReadWriteOnce"),
        ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["storage"] = size } },
    };

    private static JsonObject VirtualMachineContent(VirtualMachineSpec spec)
    {
        var content = new JsonObject
        {
            ["architecture"] = "amd64",
            ["domain"] = new JsonObject
            {
                ["cpu"] = new JsonObject { ["cores"] = 1 },
                ["devices"] = new JsonObject
                {
                    ["disks"] = new JsonArray(new JsonObject { ["name"] = "root", ["disk"] = new JsonObject { ["bus"] = "virtio" } }),
                    ["interfaces"] = new JsonArray(new JsonObject { ["name"] = "default", ["masquerade"] = new JsonObject() }),
                },
                ["machine"] = new JsonObject { ["type"] = "q35" },
                ["memory"] = new JsonObject { ["guest"] = spec.Memory },
                ["resources"] = new JsonObject(),
            },
            ["networks"] = new JsonArray(new JsonObject { ["name"] = "default", ["pod"] = new JsonObject() }),
            ["terminationGracePeriodSeconds"] = 30,
            ["volumes"] = new JsonArray(new JsonObject { ["name"] = "root", ["containerDisk"] = new JsonObject { ["image"] = "simulated.local/disk" } }),
        };
        content.Set(spec.EvictionStrategy, "evictionStrategy");
        if (spec.Hotplug)
        {
            AddVolume(content, new JsonObject
            {
                ["name"] = "plugged",
                ["persistentVolumeClaim"] = new JsonObject { ["claimName"] = $"{spec.Name}-plugged", ["hotpluggable"] = true },
            });
        }

        return content;
    }

    private static JsonNode? NumberOrText(string? value) => value is null ? null : int.TryParse(value, out var number) ? number : value;
}

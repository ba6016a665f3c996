using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Hardware;

/// <summary>The hosts, machines and health checks a scenario starts with, and the definitions of their types.</summary>
internal static class HardwareObjects
{
    /// <summary>Where the medik8s operators live.</summary>
    public const string RemediationNamespace = "openshift-workload-availability";

    /// <summary>The types the scenario needs; a cluster without hardware does not know them, as a real one.</summary>
    public static IEnumerable<ResourceType> TypesOf(Scenario scenario)
    {
        var machines = scenario.Nodes.Any(node => node.Machine is not null) || scenario.MachineHealthChecks.Count > 0;
        return
        [
            .. scenario.Nodes.Any(node => node.BareMetalHost is not null) ? (ResourceType[])[HardwareTypes.Hosts] : [],
            .. machines ? (ResourceType[])[MachinesOf(scenario), HealthChecksOf(scenario)] : [],
            .. scenario.NodeHealthChecks.Count > 0
                ? (ResourceType[])[HardwareTypes.NodeHealthChecks, HardwareTypes.SelfNodeRemediations, HardwareTypes.SelfNodeRemediationTemplates]
                : [],
        ];
    }

    public static ResourceType MachinesOf(Scenario scenario) =>
        scenario.MachineApi == MachineApis.Cluster ? HardwareTypes.ClusterMachines : HardwareTypes.OpenShiftMachines;

    public static ResourceType HealthChecksOf(Scenario scenario) =>
        scenario.MachineApi == MachineApis.Cluster ? HardwareTypes.ClusterHealthChecks : HardwareTypes.OpenShiftHealthChecks;

    /// <summary>The columns kubectl prints, from the types' own definitions.</summary>
    public static JsonArray Columns(ResourceType type) => type.Plural switch
    {
        "baremetalhosts" =>
        [
            Column("Status", ".status.operationalStatus", priority: 1),
            Column("State", ".status.provisioning.state"),
            Column("Consumer", ".spec.consumerRef.name"),
            Column("BMC", ".spec.bmc.address", priority: 1),
            Column("Online", ".spec.online", type: "boolean"),
            Column("Error", ".status.errorType"),
            Column("Age", ".metadata.creationTimestamp", type: "date"),
        ],
        "machines" =>
        [
            Column("Phase", ".status.phase"),
            Column("Node", ".status.nodeRef.name", priority: 1),
            Column("Age", ".metadata.creationTimestamp", type: "date"),
        ],
        "machinehealthchecks" =>
        [
            Column("MaxUnhealthy", ".spec.maxUnhealthy"),
            Column("ExpectedMachines", ".status.expectedMachines", type: "integer"),
            Column("CurrentHealthy", ".status.currentHealthy", type: "integer"),
        ],
        _ => [Column("Age", ".metadata.creationTimestamp", type: "date")],
    };

    public static JsonObject Host(NodeSpec node, Scenario scenario, int index)
    {
        var (space, name, _) = Split(node.BareMetalHost!);
        var host = ScenarioObjects.Object("metal3.io/v1alpha1", "BareMetalHost", space, name);
        host.Ensure("metadata")["finalizers"] = new JsonArray("baremetalhost.metal3.io");
        host["spec"] = new JsonObject
        {
            ["online"] = true,
            ["bootMACAddress"] = $"52:54:00:00:{index / 256:x2}:{index % 256:x2}",
            ["bmc"] = new JsonObject { ["address"] = $"redfish-virtualmedia://192.0.2.{(index % 250) + 1}/redfish/v1/Systems/1", ["credentialsName"] = $"{name}-bmc" },
        };
        if (node.Machine is { } machine)
        {
            var type = MachinesOf(scenario);
            host["spec"]!["consumerRef"] = new JsonObject
            {
                ["apiVersion"] = type.ApiVersion,
                ["kind"] = type.Kind,
                ["namespace"] = Split(machine).Namespace,
                ["name"] = Split(machine).Name,
            };
        }

        host["status"] = new JsonObject
        {
            ["poweredOn"] = true,
            ["operationalStatus"] = "OK",
            ["errorType"] = string.Empty,
            ["errorMessage"] = string.Empty,
            ["errorCount"] = 0,
            ["hardware"] = new JsonObject { ["hostname"] = node.Name },
            ["provisioning"] = new JsonObject { ["ID"] = $"{index + 1:x32}", ["state"] = "provisioned" },
        };
        return host;
    }

    /// <summary>The Machine of a node. Its finalizer goes when the node and the power of the host are gone.</summary>
    public static JsonObject Machine(NodeSpec node, Scenario scenario, string nodeUid)
    {
        var type = MachinesOf(scenario);
        var (space, name, _) = Split(node.Machine!);
        var machine = ScenarioObjects.Object(type.ApiVersion, type.Kind, space, name);
        var metadata = machine.Ensure("metadata");
        metadata["finalizers"] = new JsonArray(FinalizerOf(type));
        metadata["labels"] = new JsonObject { [$"{type.Group}/role"] = node.ControlPlane ? "master" : "worker" };
        metadata["annotations"] = new JsonObject();
        machine.Set(node.BareMetalHost, "metadata", "annotations", "metal3.io/BareMetalHost");
        machine["spec"] = new JsonObject { ["providerID"] = $"simulated://{node.Name}" };
        machine["status"] = new JsonObject
        {
            ["phase"] = "Running",
            ["nodeRef"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = node.Name, ["uid"] = nodeUid },
        };
        return machine;
    }

    public static string FinalizerOf(ResourceType machines) =>
        machines.Equals(HardwareTypes.ClusterMachines) ? "machine.cluster.x-k8s.io" : "machine.machine.openshift.io";

    /// <summary>What a node says about its machine, by the API of the machine.</summary>
    public static IEnumerable<KeyValuePair<string, string>> NodeAnnotations(NodeSpec node, Scenario scenario)
    {
        if (node.Machine is not { } machine)
        {
            return [];
        }

        return scenario.MachineApi == MachineApis.Cluster
            ? [new("cluster.x-k8s.io/machine", Split(machine).Name), new("cluster.x-k8s.io/cluster-namespace", Split(machine).Namespace!)]
            : [new("machine.openshift.io/machine", machine)];
    }

    public static JsonObject MachineHealthCheck(MachineHealthCheckSpec spec, Scenario scenario)
    {
        var type = HealthChecksOf(scenario);
        var check = ScenarioObjects.Object(type.ApiVersion, type.Kind, spec.Namespace, spec.Name);
        var seconds = $"{spec.UnhealthyAfter.TotalSeconds}s";
        check["spec"] = new JsonObject
        {
            ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { [$"{type.Group}/role"] = "worker" } },
            ["maxUnhealthy"] = spec.MaxUnhealthy,
            ["unhealthyConditions"] = new JsonArray(Unhealthy("False", "timeout", seconds), Unhealthy("Unknown", "timeout", seconds)),
        };
        return check;
    }

    public static IEnumerable<(ResourceType Type, JsonObject Item)> NodeHealthCheck(NodeHealthCheckSpec spec)
    {
        var template = ScenarioObjects.Object(
            HardwareTypes.SelfNodeRemediationTemplates.ApiVersion, "SelfNodeRemediationTemplate", RemediationNamespace, "self-node-remediation-automatic-strategy-template");
        template["spec"] = new JsonObject
        {
            ["template"] = new JsonObject { ["spec"] = new JsonObject { ["remediationStrategy"] = "Automatic" } },
        };
        var check = ScenarioObjects.Object(HardwareTypes.NodeHealthChecks.ApiVersion, "NodeHealthCheck", null, spec.Name);
        var seconds = $"{spec.UnhealthyAfter.TotalSeconds}s";
        check["spec"] = new JsonObject
        {
            ["selector"] = new JsonObject
            {
                ["matchExpressions"] = new JsonArray(
                    new JsonObject { ["key"] = "node-role.kubernetes.io/control-plane", ["operator"] = "DoesNotExist" }),
            },
            ["minHealthy"] = spec.MinHealthy,
            ["unhealthyConditions"] = new JsonArray(Unhealthy("False", "duration", seconds), Unhealthy("Unknown", "duration", seconds)),
            ["remediationTemplate"] = new JsonObject
            {
                ["apiVersion"] = HardwareTypes.SelfNodeRemediationTemplates.ApiVersion,
                ["kind"] = "SelfNodeRemediationTemplate",
                ["namespace"] = RemediationNamespace,
                ["name"] = template.NameOf(),
            },
        };
        return [(HardwareTypes.SelfNodeRemediationTemplates, template), (HardwareTypes.NodeHealthChecks, check)];
    }

    public static ObjectKey Split(string reference) => new(reference.Split('/')[0], reference.Split('/')[1]);

    private static JsonObject Unhealthy(string status, string limit, string time) =>
        new() { ["type"] = "Ready", ["status"] = status, [limit] = time };

    private static JsonObject Column(string name, string path, int priority = 0, string type = "string")
    {
        var column = new JsonObject { ["name"] = name, ["type"] = type, ["jsonPath"] = path };
        column.Set(priority > 0 ? priority : null, "priority");
        return column;
    }
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>What is in every simulated cluster: namespaces, priority classes, the definitions of NodeMaintenance and KubeVirt.</summary>
internal static class ClusterBasics
{
    private static readonly string[] Namespaces = ["default", "kube-system", "kube-public", "kube-node-lease", "medik8s-leases", "kubevirt"];

    public static void Create(IObjectStore store, Scenario scenario)
    {
        foreach (var name in Namespaces)
        {
            CreateNamespace(store, name);
        }

        store.Create(ResourceTypes.PriorityClasses, PriorityClass("system-cluster-critical", 2_000_000_000));
        store.Create(ResourceTypes.PriorityClasses, PriorityClass("system-node-critical", 2_000_001_000));
        store.Create(ResourceTypes.CustomResourceDefinitions, NodeMaintenance());
        foreach (var type in KubeVirtTypes.All)
        {
            store.Create(ResourceTypes.CustomResourceDefinitions, Definition(type, KubeVirtColumns(type), KubeVirtSchemas.Of(type)));
        }

        foreach (var type in HardwareObjects.TypesOf(scenario))
        {
            store.Create(ResourceTypes.CustomResourceDefinitions, Definition(type, HardwareObjects.Columns(type), AnySchema()));
        }

        Install(store, scenario);
    }

    /// <summary>A namespace with what the API server would give it a moment later.</summary>
    public static void CreateNamespace(IObjectStore store, string name)
    {
        if (store.Get(ResourceTypes.Namespaces, null, name) is not null)
        {
            return;
        }

        store.Create(ResourceTypes.Namespaces, ScenarioObjects.Namespace(name));
        store.Create(ResourceTypes.ServiceAccounts, ScenarioObjects.Object("v1", "ServiceAccount", name, "default"));
        var authority = ScenarioObjects.Object("v1", "ConfigMap", name, "kube-root-ca.crt");
        authority["data"] = new JsonObject { ["ca.crt"] = string.Empty };
        store.Create(ResourceTypes.ConfigMaps, authority);
    }

    private static JsonObject PriorityClass(string name, int value)
    {
        var item = ScenarioObjects.Object("scheduling.k8s.io/v1", "PriorityClass", null, name);
        item["value"] = value;
        item["description"] = name == "system-node-critical"
            ? "Used for system critical pods that must not be moved from their current node."
            : "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.";
        return item;
    }

    // On OpenShift Virtualization HyperConverged comes first, and fills in the configuration of its KubeVirt.
    private static void Install(IObjectStore store, Scenario scenario)
    {
        if (!scenario.HyperConverged)
        {
            store.Create(KubeVirtTypes.KubeVirts, KubeVirtInstallation("kubevirt", "kubevirt", scenario));
            return;
        }

        CreateNamespace(store, HyperConvergedController.Name);
        var columns = new JsonArray(Age());
        store.Create(ResourceTypes.CustomResourceDefinitions, Definition(KubeVirtTypes.HyperConvergeds, columns, AnySchema()));
        var owner = store.Create(KubeVirtTypes.HyperConvergeds, HyperConvergedController.New(scenario.EvictionStrategy, scenario.Migrations));
        var installation = KubeVirtInstallation(HyperConvergedController.Name, $"kubevirt-{HyperConvergedController.Name}", scenario);
        installation.Ensure("metadata")["ownerReferences"] = new JsonArray(Fields.OwnerReference(owner, KubeVirtTypes.HyperConvergeds));
        store.Create(KubeVirtTypes.KubeVirts, installation);
    }

    private static JsonObject KubeVirtInstallation(string space, string name, Scenario scenario)
    {
        var item = ScenarioObjects.Object("kubevirt.io/v1", "KubeVirt", space, name);
        var configuration = new JsonObject();
        configuration.Set(scenario.EvictionStrategy, "evictionStrategy");
        configuration.Set(scenario.Migrations.Count > 0 ? scenario.Migrations.Copy() : null, "migrations");
        item["spec"] = new JsonObject { ["configuration"] = configuration };
        item["status"] = new JsonObject { ["phase"] = "Deployed", ["observedKubeVirtVersion"] = "v1.9.0" };
        return item;
    }

    private static JsonObject NodeMaintenance()
    {
        var type = new ResourceType("nodemaintenance.medik8s.io", "v1beta1", "nodemaintenances", "nodemaintenance", "NodeMaintenance", Namespaced: false)
        {
            ShortNames = ["nm"],
        };
        return Definition(type, [], new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["apiVersion"] = Typed("string"),
                ["kind"] = Typed("string"),
                ["metadata"] = Typed("object"),
                ["spec"] = new JsonObject
                {
                    ["type"] = "object",
                    ["required"] = new JsonArray("nodeName"),
                    ["properties"] = new JsonObject { ["nodeName"] = Typed("string"), ["reason"] = Typed("string") },
                },
                ["status"] = NodeMaintenanceStatus(),
            },
        });
    }

    private static JsonObject NodeMaintenanceStatus() => new()
    {
        ["type"] = "object",
        ["properties"] = new JsonObject
        {
            ["phase"] = Typed("string"),
            ["drainProgress"] = Typed("integer"),
            ["lastUpdate"] = new JsonObject { ["type"] = "string", ["format"] = "date-time" },
            ["lastError"] = Typed("string"),
            ["pendingPods"] = new JsonObject { ["type"] = "array", ["items"] = Typed("string") },
            ["pendingPodsRefs"] = new JsonObject
            {
                ["type"] = "array",
                ["items"] = new JsonObject
                {
                    ["type"] = "object",
                    ["required"] = new JsonArray("name", "namespace"),
                    ["properties"] = new JsonObject { ["name"] = Typed("string"), ["namespace"] = Typed("string") },
                },
            },
            ["totalpods"] = Typed("integer"),
            ["evictionPods"] = Typed("integer"),
            ["errorOnLeaseCount"] = Typed("integer"),
        },
    };

    private static JsonObject Typed(string type) => new() { ["type"] = type };

    private static JsonObject AnySchema() => new() { ["type"] = "object", ["x-kubernetes-preserve-unknown-fields"] = true };

    private static JsonArray KubeVirtColumns(ResourceType type)
    {
        const string ready = ".status.conditions[?(@.type=='Ready')].status";
        return type.Plural switch
        {
            "virtualmachines" => [Age(), Column("Status", ".status.printableStatus"), Column("Ready", ready)],
            "virtualmachineinstances" =>
            [
                Age(),
                Column("Phase", ".status.phase"),
                Column("IP", ".status.interfaces[0].ipAddress"),
                Column("NodeName", ".status.nodeName"),
                Column("Ready", ready),
                Column("Live-Migratable", ".status.conditions[?(@.type=='LiveMigratable')].status", priority: 1),
                Column("Paused", ".status.conditions[?(@.type=='Paused')].status", priority: 1),
            ],
            "virtualmachineinstancemigrations" => [Column("Phase", ".status.phase"), Column("VMI", ".spec.vmiName")],
            _ => [Age(), Column("Phase", ".status.phase")],
        };
    }

    private static JsonObject Age() => new() { ["name"] = "Age", ["type"] = "date", ["jsonPath"] = ".metadata.creationTimestamp" };

    private static JsonObject Column(string name, string path, int priority = 0)
    {
        var column = new JsonObject { ["name"] = name, ["type"] = "string", ["jsonPath"] = path };
        column.Set(priority > 0 ? priority : null, "priority");
        return column;
    }

    private static JsonObject Definition(ResourceType type, JsonArray columns, JsonObject schema)
    {
        var version = new JsonObject
        {
            ["name"] = type.Version,
            ["served"] = true,
            ["storage"] = true,
            ["schema"] = new JsonObject { ["openAPIV3Schema"] = schema },
        };
        version.Set(columns.Count > 0 ? columns : null, "additionalPrinterColumns");
        version.Set(type.HasStatus ? new JsonObject { ["status"] = new JsonObject() } : null, "subresources");
        var names = new JsonObject { ["kind"] = type.Kind, ["listKind"] = type.Kind + "List", ["plural"] = type.Plural, ["singular"] = type.Singular };
        names.Set(type.ShortNames.Count > 0 ? new JsonArray([.. type.ShortNames.Select(name => (JsonNode)name)]) : null, "shortNames");
        names.Set(type.Categories.Count > 0 ? new JsonArray([.. type.Categories.Select(name => (JsonNode)name)]) : null, "categories");
        var item = ScenarioObjects.Object("apiextensions.k8s.io/v1", "CustomResourceDefinition", null, $"{type.Plural}.{type.Group}");
        item["spec"] = new JsonObject
        {
            ["group"] = type.Group,
            ["names"] = names,
            ["scope"] = type.Namespaced ? "Namespaced" : "Cluster",
            ["versions"] = new JsonArray(version),
        };
        return item;
    }
}

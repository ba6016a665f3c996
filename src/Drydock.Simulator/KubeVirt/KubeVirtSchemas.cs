using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// What those fields of KubeVirt's kinds mean that somebody who takes nodes out of service looks at, in our own words: what kubectl explain
/// shows. Nothing is checked by them, and every other field is allowed.
/// </summary>
internal static class KubeVirtSchemas
{
    /// <summary>The schema of a kind.</summary>
    public static JsonObject Of(ResourceType type) => type.Kind switch
    {
        "VirtualMachine" => Open("A virtual machine, whether it runs or not.",
            ("spec", Open("How it is to run.",
                ("runStrategy", Open("Always, Halted, Manual, RerunOnFailure or Once: when an instance of it is to run.")),
                ("running", Open("The older form of runStrategy: true is Always, false is Halted. Only one of the two may be set.")),
                ("template", Open("The instance that is made of it.")))),
            ("status", Open("What has become of it.",
                ("printableStatus", Open("Running, Stopped, Starting, Stopping, Migrating, ErrorUnschedulable and others.")),
                ("ready", Open("Whether its instance runs and is ready.")),
                ("stateChangeRequests", Open("What was asked of it and is still to be done."))))),
        "VirtualMachineInstance" => Open("A virtual machine that runs, in a virt-launcher pod.",
            ("spec", Open("How it runs. It does not change while it does.",
                ("evictionStrategy", Open("What an eviction of its pod does: LiveMigrate, LiveMigrateIfPossible, External or None.")),
                ("nodeSelector", Open("Labels that a node must have to take it.")),
                ("domain", Open("The machine itself: processors, memory, disks, interfaces.")))),
            ("status", Open("What has become of it.",
                ("phase", Open("Pending, Scheduling, Scheduled, Running, Succeeded or Failed.")),
                ("nodeName", Open("The node it runs on.")),
                ("evacuationNodeName", Open("The node it has to leave.")),
                ("conditions", Open("Ready, LiveMigratable, EvictionRequested, Paused and others.")),
                ("migrationState", Open("The migration under way, or the last one."))))),
        "VirtualMachineInstanceMigration" => Open("One move of a running virtual machine to another node.",
            ("spec", Open("What is to move.", ("vmiName", Open("The instance that moves.")))),
            ("status", Open("How far it has come.",
                ("phase", Open("Pending, Scheduling, Scheduled, PreparingTarget, TargetReady, Running, Succeeded or Failed.")),
                ("migrationState", Open("Source, target and times."))))),
        _ => Open(null),
    };

    private static JsonObject Open(string? description, params (string Name, JsonObject Schema)[] properties)
    {
        var schema = new JsonObject { ["x-kubernetes-preserve-unknown-fields"] = true };
        if (description is not null)
        {
            schema["description"] = description;
        }

        if (properties.Length > 0 || description is null)
        {
            schema["type"] = "object";
        }

        if (properties.Length > 0)
        {
            schema["properties"] = new JsonObject(properties.Select(each => KeyValuePair.Create<string, JsonNode?>(each.Name, each.Schema)));
        }

        return schema;
    }
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>KubeVirt's validating webhooks on virtual machines, their instances and migrations, with their recorded messages.</summary>
public sealed class KubeVirtAdmission(IObjectStore store, TimeProvider time) : IObjectAdmission
{
    private static readonly string[] Strategies = ["Always", "RerunOnFailure", "Manual", "Halted", "Once", "WaitAsReceiver"];
    private static readonly string[] EvictionStrategies = ["None", "LiveMigrate", "LiveMigrateIfPossible", "External"];

    /// <inheritdoc/>
    public bool Covers(ResourceType type) => type.Group == KubeVirtTypes.Group;

    /// <inheritdoc/>
    public void Review(ResourceType type, JsonObject @object, JsonObject? before, bool dryRun)
    {
        if (type.Equals(KubeVirtTypes.VirtualMachines))
        {
            ReviewMachine(@object);
        }
        else if (type.Equals(KubeVirtTypes.Instances) && before is not null)
        {
            ReviewInstanceUpdate(@object, before);
        }
        else if (type.Equals(KubeVirtTypes.Instances))
        {
            CompleteInstance(@object);
        }
        else if (type.Equals(KubeVirtTypes.Migrations) && before is null)
        {
            ReviewNewMigration(@object);
            @object.Ensure("metadata", "labels")["kubevirt.io/vmi-name"] = @object.Text("spec", "vmiName");
        }
    }

    /// <summary>Refuses a migration as the create validator does.</summary>
    internal void ReviewNewMigration(JsonObject migration)
    {
        var name = migration.Text("spec", "vmiName") ?? string.Empty;
        if (store.Get(KubeVirtTypes.Instances, migration.NamespaceOf(), name) is not { } vmi)
        {
            throw RefuseMigration($"the VMI \"{migration.NamespaceOf()}/{name}\" does not exist");
        }

        if (vmi.IsFinal())
        {
            throw RefuseMigration("Cannot migrate VMI in finalized state.");
        }

        if (vmi.Condition("LiveMigratable") is { } condition && condition.Text("status") != "True")
        {
            throw RefuseMigration($"Cannot migrate VMI, Reason: {condition.Text("reason")}, Message: {condition.Text("message")}");
        }

        var active = store.List(KubeVirtTypes.Migrations, migration.NamespaceOf())
            .FirstOrDefault(each => each.Text("spec", "vmiName") == name && !each.IsFinal());
        if (active is not null)
        {
            throw RefuseMigration(
                $"in-flight migration detected. Active migration job ({active.UidOf()}) is currently already in progress for VMI {name}.");
        }
    }

    // What the mutating webhook does to an instance somebody makes without a VirtualMachine.
    private void CompleteInstance(JsonObject vmi)
    {
        var installation = store.List(KubeVirtTypes.KubeVirts) is [var first, ..] ? first : null;
        vmi.Ensure("spec").Default("evictionStrategy", installation.Text("spec", "configuration", "evictionStrategy") ?? "None");
        vmi.AddFinalizer("kubevirt.io/foregroundDeleteVirtualMachine");
        vmi.SetPhase("Pending", time.GetUtcNow());
    }

    private static void ReviewMachine(JsonObject vm)
    {
        var running = vm.At("spec", "running") is not null;
        var strategy = vm.Text("spec", "runStrategy");
        switch (running, strategy)
        {
            case (true, not null):
                throw RefuseMachine(
                    "Running and RunStrategy are mutually exclusive. Note that Running is deprecated, please use RunStrategy instead", "spec.running");
            case (false, null):
                throw RefuseMachine("RunStrategy must be specified", "spec.running");
            case (false, not null) when !Strategies.Contains(strategy):
                throw RefuseMachine($"Invalid RunStrategy ({strategy})", "spec.runStrategy");
        }

        const string field = "spec.template.spec.evictionStrategy";
        if (vm.Text("spec", "template", "spec", "evictionStrategy") is { } eviction && !EvictionStrategies.Contains(eviction))
        {
            throw RefuseMachine($"{field} is set with an unrecognized option: {eviction}", field);
        }
    }

    private static void ReviewInstanceUpdate(JsonObject vmi, JsonObject before)
    {
        if (!JsonNode.DeepEquals(vmi.At("spec"), before.At("spec")))
        {
            throw RefuseInstance("update of VMI object is restricted");
        }

        if (!JsonNode.DeepEquals(Reserved(vmi), Reserved(before)))
        {
            throw RefuseInstance("modification of the following reserved kubevirt.io/ labels on a VMI object is prohibited");
        }
    }

    private static JsonObject Reserved(JsonObject vmi) => new((vmi.Object("metadata", "labels") ?? [])
        .Where(pair => pair.Key.StartsWith("kubevirt.io/", StringComparison.Ordinal))
        .OrderBy(pair => pair.Key, StringComparer.Ordinal)
        .Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone())));

    private static ApiException RefuseMigration(string message) =>
        new(400, null, $"admission webhook \"migration-create-validator.kubevirt.io\" denied the request: {message}");

    private static ApiException RefuseMachine(string message, string field) =>
        Invalid("virtualmachine-validator.kubevirt.io", message, new() { ["reason"] = "FieldValueInvalid", ["message"] = message, ["field"] = field });

    private static ApiException RefuseInstance(string message) =>
        Invalid("virtualmachineinstances-update-validator.kubevirt.io", message, new() { ["reason"] = "FieldValueNotSupported", ["message"] = message });

    private static ApiException Invalid(string webhook, string message, JsonObject cause) =>
        new(422, "Invalid", $"admission webhook \"{webhook}\" denied the request: {message}")
        {
            Details = new JsonObject { ["causes"] = new JsonArray(cause) },
        };
}

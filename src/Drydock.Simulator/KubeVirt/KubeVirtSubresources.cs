using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>virt-api's subresources: start, stop, restart, migrate and evacuate/cancel, answering as the recorded table says; and its version.</summary>
public sealed class KubeVirtSubresources(IObjectStore store, TimeProvider time) : IAggregatedApi
{
    private static readonly SubresourceAnswer Accepted = new(202);

    private readonly KubeVirtAdmission _admission = new(store, time);

    /// <inheritdoc/>
    public string Group => "subresources.kubevirt.io";

    /// <inheritdoc/>
    public IReadOnlyList<string> Versions { get; } = ["v1", "v1alpha3"];

    /// <inheritdoc/>
    public SubresourceAnswer Call(SubresourceCall call)
    {
        if (call is { Verb: "GET", Plural: "version", Name: "" })
        {
            return new(200, new JsonObject { ["gitVersion"] = KubeVirtVersion.Of(store), ["gitTreeState"] = "clean", ["compiler"] = "gc", ["platform"] = "linux/amd64" });
        }

        var known = call.Verb == "PUT" && (call.Plural, call.Subresource) is
            ("virtualmachines", "start" or "stop" or "restart" or "migrate" or "evacuate/cancel") or ("virtualmachineinstances", "evacuate/cancel");
        if (!known || (call.Subresource == "evacuate/cancel" && !KubeVirtVersion.IsAtLeast(store, 1, 7)))
        {
            return new(404, "404: Page Not Found");
        }

        // Only clients that take more than JSON are served, as observed.
        if (call.Accept == "application/json")
        {
            return new(406, "406: Not Acceptable\n\nAvailable representations: ");
        }

        var vmi = store.Get(KubeVirtTypes.Instances, call.Namespace, call.Name);
        if (call.Plural == "virtualmachineinstances")
        {
            return CancelEvacuation(call, vmi);
        }

        var vm = store.Get(KubeVirtTypes.VirtualMachines, call.Namespace, call.Name) ?? throw NotFound("virtualmachine", call.Name);
        return call.Subresource switch
        {
            "start" => Start(call, vm, vmi),
            "stop" => Stop(call, vm, vmi),
            "restart" => Restart(call, vm, vmi),
            "migrate" => Migrate(call, vmi),
            _ => CancelEvacuation(call, vmi),
        };
    }

    private SubresourceAnswer Start(SubresourceCall call, JsonObject vm, JsonObject? vmi)
    {
        if (vmi is not null && !vmi.IsFinal())
        {
            throw Conflict(call.Name, "VM is already running");
        }

        var strategy = RunStrategies.Of(vm);
        if (strategy is not ("Halted" or "Manual" or "RerunOnFailure"))
        {
            throw Conflict(call.Name, $"{strategy} does not support manual start requests");
        }

        if (strategy == "RerunOnFailure" && vmi?.InstancePhase() == "Failed")
        {
            throw Conflict(call.Name, "RerunOnFailure does not support starting VM from failed state");
        }

        if (strategy == "Halted" && !call.Body.Flag("paused"))
        {
            return Change(call, current => SetRunning(current, running: true));
        }

        return Change(call, current => RunStrategies.Request(
            current, vmi is null ? [RunStrategies.Start()] : [RunStrategies.Stop(vmi), RunStrategies.Start()]));
    }

    private SubresourceAnswer Stop(SubresourceCall call, JsonObject vm, JsonObject? vmi)
    {
        var strategy = RunStrategies.Of(vm);
        var runs = vmi is not null && !vmi.IsFinal();
        var before = vmi.Number("spec", "terminationGracePeriodSeconds");
        var grace = call.Body.Number("gracePeriod");
        if (!runs && (strategy is "Halted" or "Manual" or "RerunOnFailure"))
        {
            throw Conflict(call.Name, "VM is not running");
        }

        if (strategy == "Halted" && (grace is null || grace >= before))
        {
            throw Conflict(call.Name, "Halted only supports manual stop requests with a shorter graceperiod");
        }

        if (runs && grace is not null && !call.DryRun)
        {
            store.Update(KubeVirtTypes.Instances, call.Namespace, call.Name, current =>
            {
                current.Ensure("spec")["terminationGracePeriodSeconds"] = grace;
                return true;
            });
        }

        return strategy switch
        {
            "Halted" or "Manual" or "RerunOnFailure" => Change(call, current => RunStrategies.Request(current, RunStrategies.Stop(vmi!))),
            "Always" or "Once" => Change(call, current => SetRunning(current, running: false)),

            // No branch of the real one knows it: accepted, and nothing comes of it.
            _ => Accepted,
        };
    }

    private SubresourceAnswer Restart(SubresourceCall call, JsonObject vm, JsonObject? vmi)
    {
        if (call.Body.Number("gracePeriodSeconds") is { } grace && grace != 0)
        {
            throw BadRequest(grace > 0 ? "For force restart, only gracePeriod=0 is supported for now" : "gracePeriod has to be greater or equal to 0");
        }

        var strategy = RunStrategies.Of(vm);
        if (strategy is "Halted" or "Once")
        {
            throw Conflict(call.Name, $"RunStategy {strategy} does not support manual restart requests");
        }

        if (vmi is null)
        {
            throw Conflict(call.Name, "VM is not running: Halted");
        }

        return Change(call, current => RunStrategies.Request(current, RunStrategies.Stop(vmi), RunStrategies.Start()));
    }

    private SubresourceAnswer Migrate(SubresourceCall call, JsonObject? vmi)
    {
        if (vmi is null)
        {
            throw NotFound("virtualmachineinstance", call.Name);
        }

        if (vmi.InstancePhase() != "Running")
        {
            throw Conflict(call.Name, "VM is not running");
        }

        var migration = NewMigration(call);
        try
        {
            _admission.ReviewNewMigration(migration);
        }
        catch (ApiException refusal)
        {
            throw InternalError(refusal.Message);
        }

        if (!call.DryRun)
        {
            store.Create(KubeVirtTypes.Migrations, migration);
        }

        return Accepted;
    }

    private static JsonObject NewMigration(SubresourceCall call)
    {
        var spec = new JsonObject { ["vmiName"] = call.Name };
        spec.Set(call.Body.Object("addedNodeSelector")?.Copy(), "addedNodeSelector");
        return new()
        {
            ["apiVersion"] = "kubevirt.io/v1",
            ["kind"] = "VirtualMachineInstanceMigration",
            ["metadata"] = new JsonObject
            {
                ["generateName"] = "kubevirt-migrate-vm-",
                ["namespace"] = call.Namespace,
                ["labels"] = new JsonObject { ["kubevirt.io/vmi-name"] = call.Name },
            },
            ["spec"] = spec,
        };
    }

    private SubresourceAnswer CancelEvacuation(SubresourceCall call, JsonObject? vmi)
    {
        if (vmi is null)
        {
            throw Refusals.NotFound(KubeVirtTypes.Instances, call.Name);
        }

        if (store.Get(ResourceTypes.Nodes, null, vmi.InstanceNode() ?? string.Empty) is { } node && EvacuationController.IsDrained(store, node))
        {
            throw BadRequest($"node {node.NameOf()} carries the taint {EvacuationController.DrainTaint(store)}: the evacuation would begin again");
        }

        if (vmi.Text("status", "evacuationNodeName") is not { Length: > 0 } marked)
        {
            return new(200);
        }

        if (call.Body.Text("evacuationNodeName") != marked)
        {
            // virt-api sends a JSON patch that tests the mark; it fails, and that is all one is told.
            throw InternalError("the server rejected our request due to an error in our request");
        }

        if (!call.DryRun)
        {
            store.Update(KubeVirtTypes.Instances, call.Namespace, call.Name, current =>
            {
                current.Ensure("status").Remove("evacuationNodeName");
                return true;
            });
        }

        return new(200);
    }

    private SubresourceAnswer Change(SubresourceCall call, Action<JsonObject> change)
    {
        if (!call.DryRun)
        {
            store.Update(KubeVirtTypes.VirtualMachines, call.Namespace, call.Name, current =>
            {
                change(current);
                return true;
            });
        }

        return Accepted;
    }

    private static void SetRunning(JsonObject vm, bool running)
    {
        var spec = vm.Ensure("spec");
        if (spec["running"] is not null)
        {
            spec["running"] = running;
        }
        else
        {
            spec["runStrategy"] = running ? "Always" : "Halted";
        }
    }

    private static ApiException Conflict(string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on virtualmachine.kubevirt.io \"{name}\": {why}") { Details = Details("virtualmachine", name) };

    private static ApiException BadRequest(string message) => new(400, "BadRequest", message);

    private static ApiException NotFound(string kind, string name) =>
        new(404, "NotFound", $"{kind}.kubevirt.io \"{name}\" not found") { Details = Details(kind, name) };

    private static ApiException InternalError(string message) => new(500, "InternalError", $"Internal error occurred: {message}")
    {
        Details = new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["message"] = message }) },
    };

    private static JsonObject Details(string kind, string name) => new() { ["name"] = name, ["group"] = "kubevirt.io", ["kind"] = kind };
}

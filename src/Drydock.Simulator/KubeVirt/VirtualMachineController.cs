using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>Starts and stops instances of virtual machines as their run strategy and state change requests say, and tells people how they are.</summary>
internal sealed class VirtualMachineController(ClusterContext cluster) : IController
{
    private const string Component = "virtualmachine-controller";
    private const string Finalizer = "kubevirt.io/virtualMachineControllerFinalize";
    private const string WaitAsReceiver = "WaitAsReceiver";

    public IEnumerable<ObjectKey> Affected(Change change) =>
        (change.Type.Equals(KubeVirtTypes.VirtualMachines) && change.Kind != ChangeKind.Deleted) || change.Type.Equals(KubeVirtTypes.Instances)
            ? [change.Object.Key()]
            : [];

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(KubeVirtTypes.VirtualMachines, key) is not { } vm)
        {
            return null;
        }

        var vmi = cluster.Get(KubeVirtTypes.Instances, key);
        if (vm.IsDeleting())
        {
            End(vm, vmi);
        }
        else
        {
            vm = cluster.Change(KubeVirtTypes.VirtualMachines, vm, current =>
            {
                current.AddFinalizer(Finalizer);
                RunStrategies.DropDone(current, vmi);
            }) ?? vm;
            Act(vm, vmi);
        }

        cluster.Change(KubeVirtTypes.VirtualMachines, vm, current => WriteStatus(current, cluster.Get(KubeVirtTypes.Instances, key)));
        return null;
    }

    private void End(JsonObject vm, JsonObject? vmi)
    {
        if (vmi is null)
        {
            cluster.Change(KubeVirtTypes.VirtualMachines, vm, current => current.RemoveFinalizer(Finalizer));
        }
        else if (!vmi.IsDeleting())
        {
            cluster.Delete(KubeVirtTypes.Instances, vmi);
        }
    }

    private void Act(JsonObject vm, JsonObject? vmi)
    {
        if (vmi is null)
        {
            if (RunStrategies.Of(vm) == "Halted" && RunStrategies.HasStartRequest(vm))
            {
                cluster.Change(KubeVirtTypes.VirtualMachines, vm, current => SetAlways(current.Ensure("spec")));
            }
            else if (ShouldStart(vm))
            {
                Start(vm);
            }
        }
        else if (!vmi.IsDeleting() && ShouldStop(vm, vmi))
        {
            Stop(vm, vmi);
        }
    }

    private static void SetAlways(JsonObject spec)
    {
        if (spec["running"] is not null)
        {
            spec["running"] = true;
        }
        else
        {
            spec["runStrategy"] = "Always";
        }
    }

    private static bool ShouldStart(JsonObject vm) => RunStrategies.Of(vm) switch
    {
        "Always" or WaitAsReceiver => true,
        // Started when a VM comes to the strategy, never again without being asked.
        "RerunOnFailure" => RunStrategies.HasStartRequest(vm) || vm.Text("status", "runStrategy") != "RerunOnFailure",
        "Once" => vm.Text("status", "runStrategy") != "Once",
        "Manual" => RunStrategies.HasStartRequest(vm),
        _ => false,
    };

    private static bool ShouldStop(JsonObject vm, JsonObject vmi) => RunStrategies.Of(vm) switch
    {
        "Always" or "RerunOnFailure" => vmi.IsFinal() || RunStrategies.HasStopRequest(vm, vmi),
        "Manual" => RunStrategies.HasStopRequest(vm, vmi),
        "Halted" => true,
        WaitAsReceiver => vmi.IsFinal(),
        _ => false,
    };

    private void Start(JsonObject vm)
    {
        cluster.Store.Create(KubeVirtTypes.Instances, NewInstance(vm));
        cluster.Events.Normal(
            KubeVirtTypes.VirtualMachines, vm, "SuccessfulCreate",
            $"Started the virtual machine by creating the new virtual machine instance {vm.NameOf()}", Component);
    }

    private void Stop(JsonObject vm, JsonObject vmi)
    {
        if (RunStrategies.Of(vm) == "RerunOnFailure" && vmi.InstancePhase() == "Failed")
        {
            cluster.Change(
                KubeVirtTypes.VirtualMachines, vm, current => RunStrategies.Request(current, RunStrategies.Stop(vmi), RunStrategies.Start()));
        }

        cluster.Delete(KubeVirtTypes.Instances, vmi);
        cluster.Events.Normal(
            KubeVirtTypes.VirtualMachines, vm, "SuccessfulDelete",
            $"Stopped the virtual machine by deleting the virtual machine instance {vmi.UidOf()}", Component);
    }

    private JsonObject NewInstance(JsonObject vm)
    {
        var template = vm.Object("spec", "template")!;
        var annotations = template.Object("metadata", "annotations")?.Copy() ?? [];
        annotations["kubevirt.io/latest-observed-api-version"] = "v1";
        annotations["kubevirt.io/storage-observed-api-version"] = "v1";
        annotations["kubevirt.io/vm-generation"] = vm.Generation().ToString();
        var spec = template.Object("spec")?.Copy() ?? [];
        spec.Default("evictionStrategy", cluster.KubeVirtConfiguration().Text("evictionStrategy") ?? "None");
        spec.Ensure("domain", "cpu").Default("model", "host-model");
        var vmi = new JsonObject
        {
            ["apiVersion"] = "kubevirt.io/v1",
            ["kind"] = "VirtualMachineInstance",
            ["metadata"] = new JsonObject
            {
                ["name"] = vm.NameOf(),
                ["namespace"] = vm.NamespaceOf(),
                ["labels"] = template.Object("metadata", "labels")?.Copy() ?? [],
                ["annotations"] = annotations,
                ["finalizers"] = new JsonArray(Finalizer, "kubevirt.io/foregroundDeleteVirtualMachine"),
                ["ownerReferences"] = new JsonArray(Fields.OwnerReference(vm, KubeVirtTypes.VirtualMachines)),
            },
            ["spec"] = spec,
        };
        if (RunStrategies.Of(vm) == WaitAsReceiver)
        {
            // It stays like this until a migration from another cluster arrives, and none ever does here.
            vmi.SetPhase("WaitingForSync", cluster.Now);
        }

        return vmi;
    }

    private void WriteStatus(JsonObject vm, JsonObject? vmi)
    {
        var status = vm.Ensure("status");
        status.Set(vmi is not null ? true : null, "created");
        status.Set(vmi.IsTrue("Ready") ? true : null, "ready");
        status["desiredGeneration"] = vm.Generation();
        status["observedGeneration"] = vm.Generation();
        status["runStrategy"] = RunStrategies.Of(vm);
        status["printableStatus"] = PrintableStatus(vm, vmi);
        if (vmi is null)
        {
            vm.SetCondition("Ready", "False", cluster.Now, "VMINotExists", "VMI does not exist");
        }
        else if (vmi.Condition("Ready") is { } ready)
        {
            vm.SetCondition("Ready", ready.Text("status")!, cluster.Now, ready.Text("reason"), ready.Text("message"));
        }

        foreach (var type in (string[])["LiveMigratable", "StorageLiveMigratable"])
        {
            if (vmi.Condition(type) is { } condition)
            {
                vm.SetCondition(type, condition.Text("status")!, cluster.Now, condition.Text("reason"), condition.Text("message"));
            }
            else
            {
                vm.RemoveCondition(type);
            }
        }
    }

    private static string PrintableStatus(JsonObject vm, JsonObject? vmi) => vmi switch
    {
        _ when vm.IsDeleting() => "Terminating",
        null => "Stopped",
        _ when vmi.IsFinal() => "Stopped",
        _ when vmi.IsDeleting() => "Stopping",
        _ when vmi.InstancePhase() == "WaitingForSync" => "WaitingForReceiver",
        _ when vmi.InstancePhase() == "Running" => IsCopying(vmi) ? "Migrating" : "Running",
        _ when vmi.Condition("PodScheduled").Text("reason") == "Unschedulable" => "ErrorUnschedulable",
        _ => "Starting",
    };

    private static bool IsCopying(JsonObject vmi) =>
        vmi.At("status", "migrationState", "startTimestamp") is not null && vmi.At("status", "migrationState", "endTimestamp") is null;
}

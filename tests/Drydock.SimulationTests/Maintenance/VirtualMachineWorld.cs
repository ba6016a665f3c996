using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Scenes of virtual machines on three nodes, and how to look at them.</summary>
internal static class VirtualMachineWorld
{
    public static readonly VirtualMachinePolicy Quick = new()
    {
        SchedulingTimeout = TimeSpan.FromMinutes(1),
        RunningTimeout = TimeSpan.FromMinutes(1),
        MaxAttempts = 2,
        RetryDelay = TimeSpan.FromSeconds(5),
    };

    public static async Task LiftAsync(World world, string node)
    {
        var cordoned = (await world.Kubernetes.GetNodeAsync(node, CancellationToken.None))!;
        await world.Kubernetes.ChangeNodeAsync(
            cordoned, new NodeChange { Unschedulable = false, RemoveTaints = cordoned.Taints }, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
    }

    public static bool IsOver(JsonObject migration) => (string?)migration["status"]?["phase"] is "Succeeded" or "Failed";

    public static DateTimeOffset Since(JsonObject migration, string phase) => DateTimeOffset.Parse(migration["status"]!["phaseTransitionTimestamps"]!.AsArray()
        .Single(one => (string?)one!["phase"] == phase)!["phaseTransitionTimestamp"]!.ToString());

    public static List<JsonObject> Migrations(World world, string vm) =>
        [.. world.Cluster.Store.List(KubeVirtTypes.Migrations).Where(migration => (string?)migration["spec"]!["vmiName"] == vm)];

    public static JsonObject? Vmi(World world, string name) => world.Cluster.Store.Get(KubeVirtTypes.Instances, "vms", name);

    public static void Annotate(World world, string vm, string key, string value) =>
        Change(world, vm, vmi => vmi["metadata"]!["annotations"]![key] = value);

    public static void Change(World world, string vm, Action<JsonObject> change) => world.Cluster.Store.Update(
        KubeVirtTypes.Instances, "vms", vm, vmi =>
        {
            change(vmi);
            return true;
        });

    /// <summary>
    /// Machine and launcher are on that node now. Together: a controller that saw the one without the other would take the guest for lost. The
    /// machine first: a drain that sees a launcher looks for its machine.
    /// </summary>
    public static void Move(World world, string vm, string node) => world.Cluster.Together(() =>
    {
        Change(world, vm, vmi =>
        {
            vmi["status"]!["nodeName"] = node;
            vmi["metadata"]!["labels"]!["kubevirt.io/nodeName"] = node;
        });
        foreach (var pod in world.Cluster.Store.List(ResourceTypes.Pods, "vms").Where(pod => ((string)pod["metadata"]!["name"]!).Contains($"-{vm}-", StringComparison.Ordinal)))
        {
            world.Cluster.Store.Update(ResourceTypes.Pods, "vms", (string)pod["metadata"]!["name"]!, moved =>
            {
                moved["spec"]!["nodeName"] = node;
                return true;
            });
        }
    });

    public static void LimitPerNode(World world, int limit) => world.Cluster.Store.Update(
        KubeVirtTypes.KubeVirts, "kubevirt", "kubevirt", kubeVirt =>
        {
            kubeVirt["spec"]!["configuration"]!["migrations"] = new JsonObject { ["parallelOutboundMigrationsPerNode"] = limit };
            return true;
        });

    public static void SetVersion(World world, string version) => world.Cluster.Store.Update(
        KubeVirtTypes.KubeVirts, "kubevirt", "kubevirt", kubeVirt =>
        {
            kubeVirt["status"]!["observedKubeVirtVersion"] = version;
            return true;
        });

    public static async Task<VmStatus> VmAsync(World world, string vm)
    {
        // One that has just been begun, or begun anew, has none until it has taken its first turn.
        for (var look = 0; look < 20; look++)
        {
            if (await world.StatusAsync<VmStatus>(InstanceIds.Vm("m1", new ObjectRef("vms", vm))) is { } status)
            {
                return status;
            }

            await world.RunForAsync(TimeSpan.FromMilliseconds(10));
        }

        throw new InvalidOperationException($"The move of {vm} tells no status.");
    }

    public static MaintenanceRequest Request(World world, VirtualMachinePolicy? policy = null) => world.Request() with
    {
        VirtualMachines = policy ?? new VirtualMachinePolicy(),
        Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
    };

    /// <summary>An instance <c>vms/one</c> without a VirtualMachine, with strategy LiveMigrate.</summary>
    /// <param name="world">Where.</param>
    /// <param name="annotation">What the simulation is told of it.</param>
    /// <param name="value">That annotation's value.</param>
    /// <param name="node">The only node it may be on; null: any.</param>
    public static void MakeBare(World world, string annotation, string value, string? node = null)
    {
        var spec = new JsonObject
        {
            ["evictionStrategy"] = "LiveMigrate", ["domain"] = new JsonObject { ["memory"] = new JsonObject { ["guest"] = "1Gi" } },
        };
        if (node is not null)
        {
            spec["nodeSelector"] = new JsonObject { ["kubernetes.io/hostname"] = node };
        }

        world.Cluster.Store.Create(KubeVirtTypes.Instances, new JsonObject
        {
            ["apiVersion"] = "kubevirt.io/v1",
            ["kind"] = "VirtualMachineInstance",
            ["metadata"] = new JsonObject { ["namespace"] = "vms", ["name"] = "one", ["annotations"] = new JsonObject { [annotation] = value } },
            ["spec"] = spec,
        });
    }

    public static VirtualMachineSpec Machine(string name) => new("vms", name) { On = "node-1" };

    /// <summary>One machine that fits on no other node.</summary>
    public static Scenario NoRoom() => Machines(Machine("one") with { Memory = "40Gi" }) with
    {
        Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }],
    };

    public static Scenario Machines(params VirtualMachineSpec[] machines) => new()
    {
        Name = "machines",
        EvictionStrategy = "LiveMigrate",
        Nodes = [.. Enumerable.Range(1, 3).Select(n => new NodeSpec($"node-{n}"))],
        VirtualMachines = machines,
        Maintain = "node-1",
    };
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Storage;

/// <summary>The CSINode of each node: after a boot its driver registers some time after the kubelet is ready.</summary>
internal sealed class CsiDriverRegistration(ClusterContext cluster, StorageSpec storage) : IController
{
    private static readonly ResourceType CsiNodes = ResourceTypes.Of("csinodes.storage.k8s.io");

    private readonly Dictionary<string, (string Boot, DateTimeOffset At)> _registers = [];

    public IEnumerable<ObjectKey> Affected(Change change) =>
        change.Type.Equals(ResourceTypes.Nodes) && change.Kind != ChangeKind.Deleted
        && change.Before.Text("status", "nodeInfo", "bootID") != change.Object.Text("status", "nodeInfo", "bootID")
            ? [new(null, change.Name)]
            : [];

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Store.Get(ResourceTypes.Nodes, null, key.Name) is not { } node || node.Text("status", "nodeInfo", "bootID") is not { Length: > 0 } boot)
        {
            return null;
        }

        if (!_registers.TryGetValue(key.Name, out var registers) || registers.Boot != boot)
        {
            _registers[key.Name] = registers = (boot, cluster.Now + storage.RegistersAfter);
            Write(node, registered: false);
        }

        if (cluster.Until(registers.At) is { Ticks: > 0 } left)
        {
            return left;
        }

        Write(node, registered: true);
        return null;
    }

    private void Write(JsonObject node, bool registered)
    {
        var drivers = registered
            ? new JsonArray(new JsonObject { ["name"] = storage.Driver, ["nodeID"] = node.NameOf(), ["topologyKeys"] = null })
            : [];
        if (cluster.Store.Get(CsiNodes, null, node.NameOf()) is { } found)
        {
            cluster.Change(CsiNodes, found, current => current.Ensure("spec")["drivers"] = drivers.DeepClone());
            return;
        }

        cluster.Store.Create(CsiNodes, new JsonObject
        {
            ["apiVersion"] = "storage.k8s.io/v1",
            ["kind"] = "CSINode",
            ["metadata"] = new JsonObject
            {
                ["name"] = node.NameOf(),
                ["ownerReferences"] = new JsonArray(
                    new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = node.NameOf(), ["uid"] = node.UidOf() }),
            },
            ["spec"] = new JsonObject { ["drivers"] = drivers },
        });
    }
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// What the kubelets say about their nodes: a lease renewed every ten seconds, the Ready condition, boot ID and versions. A machine
/// that is dead, booting or without power says nothing; one that has booted has a new boot ID and restarts its containers.
/// </summary>
internal sealed class NodeHeartbeats(ClusterContext cluster, Machines machines) : IController
{
    private const string VersionAfterBoot = "fake-kubelet/version-after-boot";
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);
    private readonly Dictionary<string, DateTimeOffset> _nextLease = [];

    /// <summary>Called when a machine comes back from a reboot; a fault may then keep it from becoming ready.</summary>
    public Action<string>? Rebooted { get; set; }

    public IEnumerable<ObjectKey> Affected(Change change) =>
        change.Type.Equals(ResourceTypes.Nodes) && change.Kind != ChangeKind.Deleted ? [new(null, change.Name)] : [];

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (machines.Of(key.Name) is not { } machine || cluster.Store.Get(ResourceTypes.Nodes, null, key.Name) is not { } node)
        {
            return null;
        }

        if (machine.UpAgainAt is { } up)
        {
            if (cluster.Until(up) is { Ticks: > 0 } wait)
            {
                return wait;
            }

            ComeBack(machine, node);
        }

        if (!machine.Works)
        {
            return null;
        }

        Renew(node);
        Report(node, machine);
        return cluster.Until(_nextLease[key.Name]);
    }

    /// <summary>Whether the control plane has given the node up; its kubelet then has to report before its pods count as ready again.</summary>
    public bool IsUnreachable(string node) =>
        cluster.Store.Get(ResourceTypes.Nodes, null, node) is { } item && !item.IsTrue("Ready");

    private void ComeBack(Machine machine, JsonObject node)
    {
        // A kubelet that hung does so no longer: the machine has just booted.
        machine.UpAgainAt = null;
        machine.Dead = false;
        machine.Boots++;
        machine.BootId = Machine.NewBootId(cluster.Random);
        machine.KubeletVersion = node.Annotation(VersionAfterBoot) ?? machine.NextKubeletVersion ?? machine.KubeletVersion;
        foreach (var pod in cluster.Store.PodsOnNode(machine.Node).Where(each => each.IsRunning()))
        {
            // What ran there ended with the machine: exit code 255, as containerd reports a container it lost.
            cluster.Change(ResourceTypes.Pods, pod, current =>
            {
                if (pod.Text("spec", "restartPolicy") == "Never")
                {
                    current.Finish(cluster.Now, succeeded: false, killedWith: 255);
                }
                else
                {
                    PodStatuses.Interrupt(current, cluster.Now, exitCode: 255);
                }
            });
        }

        Rebooted?.Invoke(machine.Node);
    }

    private void Renew(JsonObject node)
    {
        var name = node.NameOf();
        if (_nextLease.TryGetValue(name, out var next) && next > cluster.Now)
        {
            return;
        }

        _nextLease[name] = cluster.Now + Period;
        var renewed = cluster.Store.Update(ResourceTypes.Leases, "kube-node-lease", name, lease =>
        {
            lease.Ensure("spec")["renewTime"] = cluster.Now.MicroStamp();
            return true;
        });
        if (renewed is null)
        {
            cluster.Store.Create(ResourceTypes.Leases, NewLease(node));
        }
    }

    private JsonObject NewLease(JsonObject node) => new()
    {
        ["apiVersion"] = "coordination.k8s.io/v1",
        ["kind"] = "Lease",
        ["metadata"] = new JsonObject
        {
            ["name"] = node.NameOf(),
            ["namespace"] = "kube-node-lease",
            ["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Node",
                ["name"] = node.NameOf(),
                ["uid"] = node.UidOf(),
            }),
        },
        ["spec"] = new JsonObject
        {
            ["holderIdentity"] = node.NameOf(),
            ["leaseDurationSeconds"] = 40,
            ["renewTime"] = cluster.Now.MicroStamp(),
        },
    };

    private void Report(JsonObject node, Machine machine)
    {
        var ready = machine.NotReadyMessage is null;
        var upToDate = node.IsTrue("Ready") == ready
            && (ready || node.Condition("Ready").Text("reason") == "KubeletNotReady")
            && node.Text("status", "nodeInfo", "bootID") == machine.BootId
            && node.Text("status", "nodeInfo", "kubeletVersion") == machine.KubeletVersion
            && node.At("status", "conditions") is not null;
        if (upToDate)
        {
            return;
        }

        cluster.Change(ResourceTypes.Nodes, node, current =>
        {
            var info = current.Ensure("status", "nodeInfo");
            info["bootID"] = machine.BootId;
            info["kubeletVersion"] = machine.KubeletVersion;
            SetPressures(current);
            if (ready)
            {
                SetReady(current, "True", "KubeletReady", "kubelet is posting ready status");
            }
            else
            {
                SetReady(current, "False", "KubeletNotReady", machine.NotReadyMessage!);
            }
        });
    }

    private void SetPressures(JsonObject node)
    {
        Set("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available");
        Set("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure");
        Set("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available");

        void Set(string type, string reason, string message)
        {
            node.SetCondition(type, "False", cluster.Now, reason, message);
            node.Condition(type)!["lastHeartbeatTime"] = cluster.Now.Timestamp();
        }
    }

    private void SetReady(JsonObject node, string status, string reason, string message)
    {
        node.SetCondition("Ready", status, cluster.Now, reason, message);
        node.Condition("Ready")!["lastHeartbeatTime"] = cluster.Now.Timestamp();
    }
}

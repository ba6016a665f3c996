using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Hardware;

/// <summary>Takes machines down and brings them up. What the Node object shows of it comes from the kubelet, or from its silence.</summary>
internal sealed class MachinePower(ClusterContext cluster)
{
    /// <summary>Asks for a look at the kubelet of a node whose machine changed.</summary>
    public Action<string>? Changed { get; set; }

    /// <summary>The operating system reboots: its kubelet says so, is silent while it boots, and comes back with a new boot ID.</summary>
    public void Reboot(Machine machine)
    {
        if (!machine.Works)
        {
            return;
        }

        SayGoodbye(machine, "Rebooting", $"Node {machine.Node} is shutting down to reboot");
        Boot(machine);
    }

    /// <summary>The machine is reset from outside, whatever state its operating system is in. A machine without power stays off.</summary>
    public void Reset(Machine machine)
    {
        if (!machine.PoweredOff)
        {
            Boot(machine);
        }
    }

    /// <summary>The operating system is asked to shut down; it switches the machine off at <see cref="Machine.OffAt"/>.</summary>
    public void ShutDown(Machine machine)
    {
        SayGoodbye(machine, "Shutdown", $"Node {machine.Node} is shutting down");
        machine.UpAgainAt = null;
        machine.OffAt = cluster.Now + machine.ShutdownTakes;
        Changed?.Invoke(machine.Node);
    }

    /// <summary>The machine has no power from now on; its kubelet says nothing any more.</summary>
    public void Off(Machine machine)
    {
        machine.PoweredOff = true;
        machine.OffAt = null;
        machine.UpAgainAt = null;
        Changed?.Invoke(machine.Node);
    }

    /// <summary>The machine has power and boots.</summary>
    public void On(Machine machine) => Boot(machine);

    private void Boot(Machine machine)
    {
        machine.PoweredOff = false;
        machine.OffAt = null;
        machine.UpAgainAt = cluster.Now + machine.RebootTakes;
        Changed?.Invoke(machine.Node);
    }

    // A kubelet that still works notices the shutdown (systemd's inhibitor) and reports it before it is stopped.
    private void SayGoodbye(Machine machine, string reason, string message)
    {
        if (!machine.Works || machine.StopsSilently || cluster.Store.Get(ResourceTypes.Nodes, null, machine.Node) is not { } node)
        {
            return;
        }

        cluster.Events.Warning(ResourceTypes.Nodes, node, reason, message, "kubelet");
        cluster.Change(ResourceTypes.Nodes, node, current =>
        {
            current.SetCondition("Ready", "False", cluster.Now, "KubeletNotReady", "node is shutting down");
            current.Condition("Ready")!["lastHeartbeatTime"] = cluster.Now.Timestamp();
        });
    }
}

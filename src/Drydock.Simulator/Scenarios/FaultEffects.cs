using System.Text.Json.Nodes;
using Drydock.Simulator.Api;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>What faults do to the cluster while they are in force. Runs on the cluster's loop.</summary>
internal sealed class FaultEffects(ClusterContext cluster, Machines machines, MachinePower power)
{
    private const string Finalizer = "simulator.drydock.dev/stays";

    private readonly List<(string Kind, string Target, int Id)> _active = [];
    private readonly Dictionary<int, IDisposable> _requests = [];
    private readonly Dictionary<int, List<(string Annotation, string? Before)>> _steered = [];

    /// <summary>The API server, once there is one.</summary>
    public SimulatedApiServer? Api { get; set; }

    /// <summary>Wakes the kubelet, the host or the pods of a node whose machine was changed here.</summary>
    public Action<Machine>? MachineChanged { get; set; }

    /// <summary>Called when a VMI that was held may go on.</summary>
    public Action<ObjectKey>? VirtualMachineFreed { get; set; }

    /// <summary>Called when a budget has to be counted again.</summary>
    public Action<ObjectKey>? BudgetChanged { get; set; }

    /// <summary>Whether a fault of this kind is in force for a target.</summary>
    public bool Is(string kind, string? space, string name) => Is(kind, $"{space}/{name}");

    /// <summary>Whether a fault of this kind is in force for the whole cluster.</summary>
    public bool Is(string kind, string target = "true")
    {
        lock (_active)
        {
            return _active.Exists(each => each.Kind == kind && each.Target == target);
        }
    }

    public void Begin(RunningFault fault)
    {
        lock (_active)
        {
            _active.Add((fault.Spec.Kind, fault.Spec.Target, fault.Id));
        }

        Apply(fault, begins: true);
    }

    /// <summary>It happens once more while it lasts.</summary>
    public void Repeat(RunningFault fault) => Apply(fault, begins: true);

    public void End(RunningFault fault)
    {
        lock (_active)
        {
            _active.RemoveAll(each => each.Id == fault.Id);
        }

        Apply(fault, begins: false);
    }

    /// <summary>A new pod may be one whose workload has a finalizer that stays.</summary>
    public void PodAppeared(JsonObject pod)
    {
        if (pod.Label("app") is { } app && Is("finalizerStays", pod.NamespaceOf(), app))
        {
            cluster.Change(ResourceTypes.Pods, pod, current => current.AddFinalizer(Finalizer));
        }
    }

    private void Apply(RunningFault fault, bool begins)
    {
        var (kind, target) = (fault.Spec.Kind, fault.Spec.Target);
        switch (FaultReader.TargetOf(kind))
        {
            case FaultTarget.Node or FaultTarget.Host:
                ApplyTo(machines.Of(target)!, kind, begins);
                break;
            case FaultTarget.Budget:
                ApplyToBudget(kind, Split(target), begins);
                break;
            case FaultTarget.Workload:
                KeepPods(Split(target), begins);
                break;
            case FaultTarget.Machine:
                ApplyToMachine(fault, Split(target), begins);
                break;
            case FaultTarget.Requests:
                ApplyToRequests(fault, begins);
                break;
            case FaultTarget.Cluster:
                ApplyToServer(fault, begins);
                break;
        }
    }

    private void ApplyTo(Machine machine, string kind, bool begins)
    {
        switch (kind)
        {
            case "nodeNotReady":
                machine.NotReadyMessage = begins
                    ? "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
                        + "message:Network plugin returns error: cni plugin not initialized"
                    : null;
                break;
            case "kubeletDies":
                machine.Dead = begins;
                break;
            case "kubeletNeverTerminates":
                machine.NeverTerminates = begins;
                break;
            case "powerButton" when begins && machine.PoweredOff:
                power.On(machine);
                break;
            case "powerButton" when begins:
                power.Reset(machine);
                break;
            case "powerButton":
                return;
            default:
                machine.PowerFailure = begins ? "power management command failed: connection to the BMC timed out" : null;
                break;
        }

        MachineChanged?.Invoke(machine);
    }

    private void ApplyToBudget(string kind, ObjectKey budget, bool begins)
    {
        if (kind == "budgetNeverFrees")
        {
            BudgetChanged?.Invoke(budget);
        }
        else if (begins)
        {
            FreeBudget(budget);
        }
    }

    // Somebody gives the application one more replica: the way a budget frees in real life.
    private void FreeBudget(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.PodDisruptionBudgets, key) is not { } budget)
        {
            return;
        }

        foreach (var type in (ResourceType[])[ResourceTypes.Deployments, ResourceTypes.StatefulSets])
        {
            foreach (var workload in cluster.Store.List(type, key.Namespace)
                .Where(each => Controllers.Selectors.Matches(budget.At("spec", "selector"), each.Object("spec", "template", "metadata", "labels"))))
            {
                cluster.Change(type, workload, current => current.Ensure("spec")["replicas"] = current.Replicas() + 1);
            }
        }
    }

    private void KeepPods(ObjectKey workload, bool begins)
    {
        foreach (var pod in cluster.Store.PodsLabelled(workload.Namespace, "app", workload.Name))
        {
            cluster.Change(ResourceTypes.Pods, pod, current =>
            {
                if (begins)
                {
                    current.AddFinalizer(Finalizer);
                }
                else
                {
                    current.RemoveFinalizer(Finalizer);
                }
            });
        }
    }

    private void ApplyToMachine(RunningFault fault, ObjectKey machine, bool begins)
    {
        switch (fault.Spec.Kind)
        {
            case "migrationsFail":
                Steer(fault, machine, begins, ("failing-migrations", "1000000"));
                break;
            case "migrationsSlow":
                Steer(fault, machine, begins, ("copy", fault.Spec.Takes.TotalSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture)));
                break;
            case "migrationsStall":
                Steer(fault, machine, begins, ("copy-stalls", "true"));
                break;
            case "vmiStaysPending" when !begins:
                VirtualMachineFreed?.Invoke(machine);
                break;
        }
    }

    private void Steer(RunningFault fault, ObjectKey machine, bool begins, (string What, string Value) steering)
    {
        if (cluster.Get(KubeVirtTypes.Instances, machine) is not { } vmi)
        {
            return;
        }

        var annotation = VirtHandlerSteering.Prefix + steering.What;
        if (begins)
        {
            _steered[fault.Id] = [(annotation, vmi.Annotation(annotation))];
            cluster.Change(KubeVirtTypes.Instances, vmi, current => current.Set(steering.Value, "metadata", "annotations", annotation));
            return;
        }

        foreach (var (name, before) in _steered.GetValueOrDefault(fault.Id, []))
        {
            cluster.Change(KubeVirtTypes.Instances, vmi, current => current.Set(before, "metadata", "annotations", name));
        }
    }

    private void ApplyToRequests(RunningFault fault, bool begins)
    {
        if (!begins)
        {
            Lift(fault.Id);
            return;
        }

        var words = fault.Spec.Target.Split(' ');
        var resource = words.ElementAtOrDefault(1)?.Split('/', 2);
        _requests[fault.Id] = Api!.Fail(new Fault
        {
            Verb = words[0] == "all" ? null : words[0],
            Resource = resource?[0],
            Subresource = resource?.ElementAtOrDefault(1),
            Code = int.TryParse(fault.Spec.Answer, out var code) ? code : null,
            ConnectionReset = fault.Spec.Answer is "reset" or "resetAfter",
            AfterTheWrite = fault.Spec.Answer == "resetAfter",
            RetryAfterSeconds = fault.Spec.RetryAfter,
            Latency = fault.Spec.Latency,
            Jitter = fault.Spec.Jitter,
            Share = fault.Spec.Share / 100.0,
            Count = fault.Spec.Count,
        });
    }

    private void ApplyToServer(RunningFault fault, bool begins)
    {
        switch (fault.Spec.Kind)
        {
            case "apiServerRestarts" when begins:
                Lift(fault.Id);
                _requests[fault.Id] = Api!.GoDown();
                break;
            case "apiServerRestarts":
                Lift(fault.Id);
                break;
            case "watchesDrop" when begins:
                Api!.DropWatches();
                break;
            case "watchesExpire" when begins:
                (cluster.Store as ObjectStore)?.Compact();
                Api!.DropWatches();
                break;
        }
    }

    private void Lift(int id)
    {
        if (_requests.Remove(id, out var request))
        {
            request.Dispose();
        }
    }

    private static ObjectKey Split(string reference) => new(reference.Split('/')[0], reference.Split('/')[1]);
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Api;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Remediation;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Storage;
using Drydock.Simulator.Store;

namespace Drydock.Simulator;

/// <summary>The controllers of a cluster, wired to each other, and the objects its scenario starts with.</summary>
internal sealed class ClusterParts
{
    // The start of a cluster with more pods than this writes no Events: they would be most of what it has to keep.
    private const int MostTold = 2000;

    private readonly Scenario _scenario;
    private readonly IObjectStore _store;
    private readonly ClusterContext _cluster;
    private readonly Machines _machines = new();
    private readonly StartPlacement _placement;
    private readonly Scheduler _scheduler;
    private readonly NodeHeartbeats _heartbeats;
    private readonly MachinePower _power;
    private readonly BareMetalHostController _hosts;
    private readonly FaultEffects _effects;
    private readonly FaultController _faults;
    private readonly DisruptionController _disruptions;
    private readonly KubeletController _kubelets;
    private readonly InstanceController _instances;
    private readonly VirtHandler _virtHandler;
    private StartProgress? _progress;

    public ClusterParts(Scenario scenario, IObjectStore store, TimeProvider clock, Random random)
    {
        _scenario = scenario;
        _store = store;
        _cluster = new ClusterContext(store, clock, random, new EventRecorder(store, clock));
        _placement = new StartPlacement(scenario);
        _scheduler = new Scheduler(_cluster) { Prefer = _placement.NodeFor };
        _heartbeats = new NodeHeartbeats(_cluster, _machines);
        _power = new MachinePower(_cluster);
        _hosts = new BareMetalHostController(_cluster, _machines, _power);
        _effects = new FaultEffects(_cluster, _machines, _power);
        _faults = new FaultController(_cluster, _effects, scenario);
        _instances = new InstanceController(_cluster) { MayNotStart = (space, name) => _effects.Is("vmiStaysPending", space, name) };
        _disruptions = new DisruptionController(_cluster) { NeverFrees = (space, name) => _effects.Is("budgetNeverFrees", space, name) };
        var machines = HardwareObjects.MachinesOf(scenario);
        var volumes = new PodVolumes(_cluster);
        var storage = scenario.Storage ?? new();
        _virtHandler = new VirtHandler(_cluster, _machines);
        _kubelets = new KubeletController(_cluster, _machines, _heartbeats, _power, volumes);
        Controllers =
        [
            new GarbageCollector(_cluster), new PodGarbageCollector(_cluster), new EventExpiry(_cluster),
            new DefinitionController(_cluster), _heartbeats,
            new NodeLifecycleController(_cluster), new NodeTtlController(_cluster),
            new TaintEvictionController(_cluster), _scheduler, _kubelets,
            new DeploymentController(_cluster), new ReplicaSetController(_cluster), new StatefulSetController(_cluster),
            new DaemonSetController(_cluster), new JobController(_cluster), _disruptions,
            new VirtualMachineController(_cluster), _instances,
            new MigrationController(_cluster) { FindsNoTarget = (space, name) => _effects.Is("migrationsUnschedulable", space, name) },
            new EvacuationController(_cluster), new InstanceReplicaSetController(_cluster), new MachinePoolController(_cluster),
            new HyperConvergedController(_cluster), _virtHandler, new VirtHandlerHeartbeats(_cluster, _machines),
            new ClaimController(_cluster, storage), new AttachDetachController(_cluster, volumes, storage),
            .. scenario.Storage is null ? (IController[])[] : [new CsiDriverRegistration(_cluster, storage)],
            _hosts, new MachineController(_cluster, _machines, _power, machines), new NodeHealthCheckController(_cluster),
            new SelfNodeRemediationController(_cluster, _machines, _power),
            new MachineHealthCheckController(_cluster, machines, HardwareObjects.HealthChecksOf(scenario)),
            _faults,
        ];
    }

    public IReadOnlyList<IController> Controllers { get; }

    public void WakeThrough(ControllerLoop loop)
    {
        _power.Changed = node => loop.Wake(_heartbeats, new(null, node));
        _heartbeats.Rebooted = node => _faults.Rebooted(node, key => loop.Wake(_faults, key));
        _effects.MachineChanged = machine => WakeAround(machine, loop);
        _effects.VirtualMachineFreed = key => loop.Wake(_instances, key);
        _effects.BudgetChanged = key => loop.Wake(_disruptions, key);
    }

    /// <summary>Creates what the scenario has. Of a large one a part is created when the part before it stands at its nodes.</summary>
    /// <param name="takeIn">Lets the controllers act on what was created.</param>
    public void CreateObjects(Action takeIn)
    {
        _progress = new StartProgress(_store);
        _cluster.Events.IsSilent = _scenario.Workloads.Sum(each => each.Replicas) > MostTold;
        ClusterBasics.Create(_store, _scenario);
        foreach (var (index, spec) in _scenario.Nodes.Index())
        {
            AddMachine(spec, index, Machine.NewBootId(_cluster.Random));
            CreateNode(spec, index);
        }

        CreateRest(takeIn);
    }

    /// <summary>Goes on with objects from before a restart: the machines are those that were running, with the boots they had.</summary>
    public void Resume(Action restore)
    {
        _scheduler.Prefer = null;
        restore();
        foreach (var (index, spec) in _scenario.Nodes.Index())
        {
            var node = _store.Get(ResourceTypes.Nodes, null, spec.Name);
            AddMachine(spec, index, node.Text("status", "nodeInfo", "bootID") is { Length: > 0 } boot ? boot : Machine.NewBootId(_cluster.Random));
        }
    }

    private void AddMachine(NodeSpec spec, int index, string bootId) => _machines.Add(new()
    {
        Node = spec.Name,
        BootId = bootId,
        Address = ScenarioObjects.AddressOf(index),
        RebootTakes = spec.RebootTakes,
        CpuModel = spec.CpuModel,
        KubeletVersion = spec.KubeletVersion,
        NextKubeletVersion = spec.KubeletVersionAfterReboot,
        ShutdownTakes = spec.ShutdownTakes,
        IgnoresSoftPowerOff = spec.IgnoresSoftPowerOff,
        StopsSilently = spec.StopsSilently,
        Host = spec.BareMetalHost is { } host ? HardwareObjects.Split(host) : null,
    });

    private void CreateRest(Action takeIn)
    {
        foreach (var space in Namespaces().Distinct())
        {
            ClusterBasics.CreateNamespace(_store, space);
        }

        CreateHealthChecks();

        var created = 0;
        foreach (var spec in _scenario.Workloads)
        {
            if (ScenarioObjects.Claim(spec) is { } claim)
            {
                _store.Create(ResourceTypes.PersistentVolumeClaims, claim);
            }

            var (type, item) = ScenarioObjects.Workload(spec);
            _store.Create(type, item);
            created += spec.Replicas;
            if (created >= MostTold)
            {
                takeIn();
                created = 0;
            }
        }

        foreach (var spec in _scenario.Budgets)
        {
            _store.Create(ResourceTypes.PodDisruptionBudgets, ScenarioObjects.Budget(spec));
        }

        foreach (var (type, item) in _scenario.Users.SelectMany(UserObjects.Of))
        {
            _store.Create(type, item);
        }

        foreach (var spec in _scenario.VirtualMachines)
        {
            _store.Create(KubeVirtTypes.VirtualMachines, ScenarioObjects.VirtualMachine(spec));
        }
    }

    private void CreateNode(NodeSpec spec, int index)
    {
        var item = ScenarioObjects.Node(spec with { Cordoned = false }, index);
        foreach (var (name, value) in HardwareObjects.NodeAnnotations(spec, _scenario))
        {
            item.Ensure("metadata", "annotations")[name] = value;
        }

        var node = _store.Create(ResourceTypes.Nodes, item);
        if (spec.Machine is not null)
        {
            _store.Create(HardwareObjects.MachinesOf(_scenario), HardwareObjects.Machine(spec, _scenario, node.UidOf()));
        }

        if (spec.BareMetalHost is not null)
        {
            _store.Create(HardwareTypes.Hosts, HardwareObjects.Host(spec, _scenario, index));
        }
    }

    private void CreateHealthChecks()
    {
        foreach (var (type, item) in _scenario.NodeHealthChecks.SelectMany(HardwareObjects.NodeHealthCheck))
        {
            _store.Create(type, item);
        }

        foreach (var spec in _scenario.MachineHealthChecks)
        {
            _store.Create(HardwareObjects.HealthChecksOf(_scenario), HardwareObjects.MachineHealthCheck(spec, _scenario));
        }
    }

    /// <summary>Whether everything that can run does: no pod on its way, no VM that should run and does not.</summary>
    public bool IsSettled() =>
        _progress is { AllPodsStand: true }
        && _scenario.Workloads.All(_progress.HasItsPods)
        && _store.List(ResourceTypes.Nodes).All(node => node.IsTrue("Ready") && !node.Objects("spec", "taints").Any(IsTemporary))
        && _scenario.VirtualMachines.All(spec => spec.RunStrategy is "Halted" or "Manual"
            || _store.Get(KubeVirtTypes.VirtualMachines, spec.Namespace, spec.Name).Text("status", "printableStatus") is "Running" or "ErrorUnschedulable");

    /// <summary>From now on pods go where the scheduler wants; nodes somebody else cordoned before are.</summary>
    public void StartUpIsOver()
    {
        _progress?.End();
        _cluster.Events.IsSilent = false;
        _scheduler.Prefer = null;
        foreach (var spec in _scenario.Nodes.Where(each => each.Cordoned))
        {
            _store.Update(ResourceTypes.Nodes, null, spec.Name, node =>
            {
                node.Ensure("spec")["unschedulable"] = true;
                return true;
            });
        }
    }

    /// <summary>Faults may begin, and are made on the page of the API server from now on.</summary>
    public void BeginFaults(ControllerLoop loop, SimulatedApiServer api)
    {
        _effects.Api = api;
        api.WebhookHangs = name => _effects.Is("webhookHangs", name);
        var (faults, requests) = (new FaultPage(_faults, Wake, CheckTarget), new RequestPage(api.RequestLog));
        api.Pages = request => faults.Answer(request) ?? requests.Answer(request);
        _faults.Begin(Wake);

        void Wake(ObjectKey key) => loop.Wake(_faults, key);
    }

    /// <summary>Whether a fault of this kind is in force for the whole cluster.</summary>
    public bool IsBroken(string kind) => _effects.Is(kind);

    private void WakeAround(Machine machine, ControllerLoop loop)
    {
        loop.Wake(_heartbeats, new(null, machine.Node));
        if (machine.Host is { } host)
        {
            loop.Wake(_hosts, host);
        }

        foreach (var pod in _store.PodsOnNode(machine.Node))
        {
            loop.Wake(_kubelets, pod.Key());
            if (pod.IsLauncher())
            {
                loop.Wake(_virtHandler, new(pod.NamespaceOf(), pod.Controller().Text("name")!));
            }
        }
    }

    // What a fault made at run time is about must exist now.
    private void CheckTarget(FaultSpec fault)
    {
        var known = FaultReader.TargetOf(fault.Kind) switch
        {
            FaultTarget.Node => _store.List(ResourceTypes.Nodes).Select(node => node.NameOf()).Where(name => _machines.Of(name) is not null),
            FaultTarget.Host => _scenario.Nodes.Where(node => node.BareMetalHost is not null).Select(node => node.Name),
            FaultTarget.Budget => Names(ResourceTypes.PodDisruptionBudgets),
            FaultTarget.Machine => Names(KubeVirtTypes.Instances).Concat(Names(KubeVirtTypes.VirtualMachines)).Distinct(),
            FaultTarget.Workload => Names(ResourceTypes.Deployments).Concat(Names(ResourceTypes.StatefulSets))
                .Concat(Names(ResourceTypes.DaemonSets)).Concat(Names(ResourceTypes.Jobs)).Concat(Names(ResourceTypes.Pods)),
            _ => [fault.Target],
        };
        var names = known.ToList();
        if (!names.Contains(fault.Target))
        {
            throw new ScenarioException($"{fault.Kind} is '{fault.Target}'. Allowed: {string.Join(", ", names.Take(20))}.");
        }
    }

    private IEnumerable<string> Names(ResourceType type) => _store.List(type).Select(each => $"{each.NamespaceOf()}/{each.NameOf()}");

    private static bool IsTemporary(JsonObject taint) =>
        taint.Text("key")?.StartsWith("node.kubernetes.io/", StringComparison.Ordinal) == true;

    private IEnumerable<string> Namespaces() =>
        _scenario.Workloads.Select(each => each.Namespace)
            .Concat(_scenario.Budgets.Select(each => each.Namespace))
            .Concat(_scenario.VirtualMachines.Select(each => each.Namespace))
            .Concat(_scenario.Users.SelectMany(each => each.May).Select(each => each.Namespace).OfType<string>())
            .Concat(_scenario.Nodes.SelectMany(each => (string?[])[each.BareMetalHost, each.Machine]).OfType<string>().Select(each => each.Split('/')[0]))
            .Concat(_scenario.MachineHealthChecks.Select(each => each.Namespace))
            .Concat(_scenario.NodeHealthChecks.Select(_ => HardwareObjects.RemediationNamespace));
}

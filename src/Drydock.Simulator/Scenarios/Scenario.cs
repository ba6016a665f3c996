using System.Text.Json.Nodes;

namespace Drydock.Simulator.Scenarios;

/// <summary>A cluster to simulate: what is in it, what goes wrong, and how a maintenance of one of its nodes should end.</summary>
public sealed record Scenario
{
    private const string Prefix = "Drydock.Simulator.Scenarios.";
    private const string ExamplePrefix = "Drydock.Simulator.Examples.";

    /// <summary>Name, such as <c>healthy</c>.</summary>
    public required string Name { get; init; }

    /// <summary>One sentence for people.</summary>
    public string Description { get; init; } = string.Empty;

    /// <summary>The eviction strategy of VMs that have none of their own; null: KubeVirt's default, None.</summary>
    public string? EvictionStrategy { get; init; }

    /// <summary>Whether KubeVirt belongs to a HyperConverged, as on OpenShift Virtualization.</summary>
    public bool HyperConverged { get; init; }

    /// <summary>What the KubeVirt CR, or the HyperConverged, says about migrations: fields of their own names.</summary>
    public JsonObject Migrations { get; init; } = [];

    /// <summary>The nodes.</summary>
    public required IReadOnlyList<NodeSpec> Nodes { get; init; }

    /// <summary>What runs, besides virtual machines.</summary>
    public IReadOnlyList<WorkloadSpec> Workloads { get; init; } = [];

    /// <summary>How persistent volumes are attached; null: as by default, and no node reports a CSI driver.</summary>
    public StorageSpec? Storage { get; init; }

    /// <summary>The disruption budgets.</summary>
    public IReadOnlyList<BudgetSpec> Budgets { get; init; } = [];

    /// <summary>The virtual machines.</summary>
    public IReadOnlyList<VirtualMachineSpec> VirtualMachines { get; init; } = [];

    /// <summary>Whose Machines the nodes belong to: a name of <see cref="MachineApis"/>.</summary>
    public string MachineApi { get; init; } = MachineApis.OpenShift;

    /// <summary>The NodeHealthChecks of medik8s.</summary>
    public IReadOnlyList<NodeHealthCheckSpec> NodeHealthChecks { get; init; } = [];

    /// <summary>The MachineHealthChecks.</summary>
    public IReadOnlyList<MachineHealthCheckSpec> MachineHealthChecks { get; init; } = [];

    /// <summary>Who has a token, beside the administrator.</summary>
    public IReadOnlyList<UserSpec> Users { get; init; } = [];

    /// <summary>What goes wrong.</summary>
    public IReadOnlyList<FaultSpec> Faults { get; init; } = [];

    /// <summary>The node a demonstration maintains.</summary>
    public string? Maintain { get; init; }

    /// <summary>What to ask of the maintenance; the simulator only hands it on.</summary>
    public JsonObject Request { get; init; } = [];

    /// <summary>How it should end.</summary>
    public Expectation Expect { get; init; } = new();

    /// <summary>The names of the scenarios that come with the simulator; <c>healthy</c> first.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. typeof(Scenario).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(".yaml", StringComparison.Ordinal))
            .Select(name => name[Prefix.Length..^".yaml".Length])
            .OrderBy(name => name != "healthy").ThenBy(name => name, StringComparer.Ordinal)];

    /// <summary>The names of the worked examples: clusters to look at and to start from, without an end they expect.</summary>
    public static IReadOnlyList<string> Examples { get; } =
        [.. typeof(Scenario).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(ExamplePrefix, StringComparison.Ordinal))
            .Select(name => name[ExamplePrefix.Length..^".yaml".Length])
            .Order(StringComparer.Ordinal)];

    /// <summary>The JSON schema of scenario files, for editors.</summary>
    public static string Schema => ReadResource($"{Prefix}scenario.schema.json")!;

    /// <summary>A scenario or worked example that comes with the simulator.</summary>
    /// <exception cref="ScenarioException">There is none of that name; the message lists those there are.</exception>
    public static Scenario Named(string name) => Load(Text(name));

    /// <summary>The file of a scenario or worked example that comes with the simulator.</summary>
    /// <exception cref="ScenarioException">There is none of that name; the message lists those there are.</exception>
    public static string Text(string name) => ReadResource($"{Prefix}{name}.yaml") ?? ReadResource($"{ExamplePrefix}{name}.yaml")
        ?? throw new ScenarioException($"There is no scenario '{name}'. There are: {string.Join(", ", Names)}; and the examples {string.Join(", ", Examples)}.");

    /// <summary>Reads a scenario file.</summary>
    /// <param name="text">What is in the file.</param>
    /// <param name="file">Its name, for errors.</param>
    /// <exception cref="ScenarioException">It is not one: the message names the file, the field, its line, the value and what is allowed.</exception>
    public static Scenario Load(string text, string? file = null)
    {
        try
        {
            return ScenarioReader.Read(text);
        }
        catch (ScenarioException refusal) when (file is not null)
        {
            throw new ScenarioException($"{file}: {refusal.Message}");
        }
    }

    private static string? ReadResource(string name)
    {
        using var stream = typeof(Scenario).Assembly.GetManifestResourceStream(name);
        if (stream is null)
        {
            return null;
        }

        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

/// <summary>A scenario file that cannot be used; the message says where and why.</summary>
public sealed class ScenarioException(string message) : Exception(message);

/// <summary>A node with its machine.</summary>
public sealed record NodeSpec(string Name)
{
    /// <summary>The zone; the default is <c>zone-1</c>.</summary>
    public string Zone { get; init; } = "zone-1";

    /// <summary>Whether it carries the control plane: role label and NoSchedule taint.</summary>
    public bool ControlPlane { get; init; }

    /// <summary>Further labels.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Allocatable CPU.</summary>
    public string Cpu { get; init; } = "16";

    /// <summary>Allocatable memory.</summary>
    public string Memory { get; init; } = "64Gi";

    /// <summary>Allocatable pods.</summary>
    public int Pods { get; init; } = 250;

    /// <summary>The CPU model: a live migration needs a target of the same.</summary>
    public string CpuModel { get; init; } = "Skylake-Server-IBRS";

    /// <summary>How long a reboot takes.</summary>
    public TimeSpan RebootTakes { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Whether somebody else cordoned it before.</summary>
    public bool Cordoned { get; init; }

    /// <summary>The version of its kubelet.</summary>
    public string KubeletVersion { get; init; } = "v1.36.2";

    /// <summary>The version of its kubelet after the next boot; null: the same.</summary>
    public string? KubeletVersionAfterReboot { get; init; }

    /// <summary>NAMESPACE/NAME of the BareMetalHost it runs on; null: there is none.</summary>
    public string? BareMetalHost { get; init; }

    /// <summary>NAMESPACE/NAME of its Machine; null: there is none.</summary>
    public string? Machine { get; init; }

    /// <summary>How long its operating system takes to shut down when the host asks it to.</summary>
    public TimeSpan ShutdownTakes { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Whether its operating system does not react when the host asks it to shut down.</summary>
    public bool IgnoresSoftPowerOff { get; init; }

    /// <summary>Whether its kubelet says nothing when the machine goes down, as without graceful node shutdown.</summary>
    public bool StopsSilently { get; init; }
}

/// <summary>How persistent volumes are attached to nodes.</summary>
public sealed record StorageSpec
{
    /// <summary>The CSI driver.</summary>
    public string Driver { get; init; } = "csi.simulated.dev";

    /// <summary>How long it takes to attach a volume.</summary>
    public TimeSpan AttachTakes { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>How long after the last pod that uses it is gone a volume is detached.</summary>
    public TimeSpan DetachTakes { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long after a boot the driver registers with the kubelet.</summary>
    public TimeSpan RegistersAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Whether volumes are never detached.</summary>
    public bool NeverDetaches { get; init; }
}

/// <summary>The APIs of Machines and MachineHealthChecks.</summary>
public static class MachineApis
{
    /// <summary>OpenShift's.</summary>
    public const string OpenShift = "machine.openshift.io";

    /// <summary>Cluster API's.</summary>
    public const string Cluster = "cluster.x-k8s.io";
}

/// <summary>A NodeHealthCheck for all nodes without the control plane; it remediates with SelfNodeRemediation.</summary>
public sealed record NodeHealthCheckSpec(string Name)
{
    /// <summary>How long a node may be not ready or unknown.</summary>
    public TimeSpan UnhealthyAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How many must be healthy for a remediation: a number or percentage.</summary>
    public string MinHealthy { get; init; } = "51%";
}

/// <summary>A MachineHealthCheck for all workers in its namespace.</summary>
public sealed record MachineHealthCheckSpec(string Namespace, string Name)
{
    /// <summary>How long a node may be not ready or unknown.</summary>
    public TimeSpan UnhealthyAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>With more unhealthy ones nothing is remediated: a number or percentage.</summary>
    public string MaxUnhealthy { get; init; } = "100%";
}

/// <summary>A Deployment, StatefulSet, DaemonSet or bare pod.</summary>
public sealed record WorkloadSpec(string Kind, string Namespace, string Name)
{
    /// <summary>How many pods; not for a DaemonSet or a bare pod.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>Where its first pods start, in turn; empty: the scheduler decides.</summary>
    public IReadOnlyList<string> On { get; init; } = [];

    /// <summary>Labels; <c>app: NAME</c> is always there.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>CPU request of each pod.</summary>
    public string? Cpu { get; init; }

    /// <summary>Memory request of each pod.</summary>
    public string? Memory { get; init; }

    /// <summary>How long a pod takes to start; null: half a second to one and a half.</summary>
    public TimeSpan? StartAfter { get; init; }

    /// <summary>How long a pod takes to end; null: a second.</summary>
    public TimeSpan? TerminateAfter { get; init; }

    /// <summary>The kubelet never ends its pods.</summary>
    public bool NeverTerminates { get; init; }

    /// <summary>Its pods run but never become ready.</summary>
    public bool NeverReady { get; init; }

    /// <summary>Its pods have an emptyDir volume.</summary>
    public bool EmptyDir { get; init; }

    /// <summary>The label of nodes of which no two of its pods share a value, such as the host name or the zone; null: they may.</summary>
    public string? Spread { get; init; }

    /// <summary>Labels a node must have.</summary>
    public IReadOnlyDictionary<string, string> NodeSelector { get; init; } = new Dictionary<string, string>();

    /// <summary>Priority class.</summary>
    public string? PriorityClass { get; init; }

    /// <summary>Size of the persistent volume of its pods: one each for a StatefulSet, else one they share; null: none.</summary>
    public string? Volume { get; init; }
}

/// <summary>A disruption budget for the pods labelled <c>app: NAME of the workload</c>.</summary>
public sealed record BudgetSpec(string Namespace, string Name, string For)
{
    /// <summary>A number or percentage.</summary>
    public string? MinAvailable { get; init; }

    /// <summary>A number or percentage.</summary>
    public string? MaxUnavailable { get; init; }
}

/// <summary>A virtual machine.</summary>
public sealed record VirtualMachineSpec(string Namespace, string Name)
{
    /// <summary>Where it starts; null: the scheduler decides.</summary>
    public string? On { get; init; }

    /// <summary>Run strategy.</summary>
    public string RunStrategy { get; init; } = "Always";

    /// <summary>Eviction strategy; null: that of the cluster.</summary>
    public string? EvictionStrategy { get; init; }

    /// <summary>Why it cannot be migrated, such as <c>HostDeviceNotLiveMigratable</c>; null: it can.</summary>
    public string? NotMigratable { get; init; }

    /// <summary>How long a migration copies.</summary>
    public TimeSpan Copy { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long the guest takes to shut down.</summary>
    public TimeSpan Shutdown { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Whether a volume was plugged into it while it ran: it has an attachment pod.</summary>
    public bool Hotplug { get; init; }

    /// <summary>Guest memory.</summary>
    public string Memory { get; init; } = "1Gi";

    /// <summary>How many of its migrations fail before one succeeds.</summary>
    public int FailingMigrations { get; init; }
}

/// <summary>When a fault begins.</summary>
public enum FaultStart
{
    /// <summary>With the scenario.</summary>
    Start,

    /// <summary>When the maintained node is cordoned.</summary>
    Cordon,

    /// <summary>When the maintained node comes back from a reboot.</summary>
    Reboot,
}

/// <summary>Something that goes wrong, or ends going wrong.</summary>
/// <param name="Kind">One of the kinds in Scenarios/README.md, such as kubeletDies.</param>
/// <param name="Target">What it happens to: a node, NAMESPACE/NAME, the requests, or nothing for what happens to the whole cluster.</param>
public sealed record FaultSpec(string Kind, string Target)
{
    /// <summary>What it waits for.</summary>
    public FaultStart Since { get; init; }

    /// <summary>How long after that it begins.</summary>
    public TimeSpan After { get; init; }

    /// <summary>How long it lasts; null: for ever.</summary>
    public TimeSpan? For { get; init; }

    /// <summary>How often it happens again while it lasts; null: once.</summary>
    public TimeSpan? Every { get; init; }

    /// <summary>How long a slow migration copies.</summary>
    public TimeSpan Takes { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>What happens to requests: an HTTP code, <c>reset</c>, <c>resetAfter</c>; null: they are only late.</summary>
    public string? Answer { get; init; }

    /// <summary>The Retry-After of that answer, in seconds.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>How long the answers to requests are held back.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>How much longer they may be held back, by chance.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>The share of the requests that is hit, in percent.</summary>
    public int Share { get; init; } = 100;

    /// <summary>How many requests are hit; null: until it ends.</summary>
    public int? Count { get; init; }
}

namespace Drydock.Simulator.Controllers;

/// <summary>One simulated machine with its kubelet: what a Node object only reports.</summary>
internal sealed class Machine
{
    public required string Node { get; init; }

    public required string BootId { get; set; }

    public required string Address { get; init; }

    /// <summary>How long a reboot takes.</summary>
    public TimeSpan RebootTakes { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>The CPU model its virt-handler reports.</summary>
    public string CpuModel { get; init; } = string.Empty;

    /// <summary>The version its kubelet reports.</summary>
    public string KubeletVersion { get; set; } = "v1.36.2";

    /// <summary>The version its kubelet has after the next boot; null: the same.</summary>
    public string? NextKubeletVersion { get; init; }

    /// <summary>The kubelet is silent: no lease, no status, no pod work.</summary>
    public bool Dead { get; set; }

    /// <summary>Set while the machine boots: when its kubelet speaks again.</summary>
    public DateTimeOffset? UpAgainAt { get; set; }

    /// <summary>Set while its operating system shuts down: when it switches itself off.</summary>
    public DateTimeOffset? OffAt { get; set; }

    /// <summary>It has no power.</summary>
    public bool PoweredOff { get; set; }

    /// <summary>How long its operating system takes to shut down when it is asked to.</summary>
    public TimeSpan ShutdownTakes { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Its operating system does not react when it is asked to shut down.</summary>
    public bool IgnoresSoftPowerOff { get; init; }

    /// <summary>Its kubelet says nothing when the machine goes down, as without graceful node shutdown (the default of a real one).</summary>
    public bool StopsSilently { get; init; }

    /// <summary>Its kubelet ends no pod.</summary>
    public bool NeverTerminates { get; set; }

    /// <summary>Set while its management controller refuses to switch power, with what it says.</summary>
    public string? PowerFailure { get; set; }

    /// <summary>The BareMetalHost that is this machine, if there is one.</summary>
    public ObjectKey? Host { get; init; }

    /// <summary>Set while the kubelet reports that it is not ready.</summary>
    public string? NotReadyMessage { get; set; }

    public bool Works => !Dead && !PoweredOff && OffAt is null && UpAgainAt is null;

    public int Boots { get; set; } = 1;

    /// <summary>The next pod address of the node.</summary>
    public string NextPodAddress()
    {
        _pods++;
        var octets = Address.Split('.');
        return $"10.{128 + (int.Parse(octets[2]) % 100)}.{octets[3]}.{(_pods % 250) + 2}";
    }

    private int _pods;

    public static string NewBootId(Random random)
    {
        var octets = new byte[16];
        random.NextBytes(octets);
        return new Guid(octets).ToString();
    }
}

/// <summary>The machines of a cluster by the name of their node. A Node object without one has no kubelet.</summary>
internal sealed class Machines
{
    private readonly Dictionary<string, Machine> _byNode = [];

    public Machine? Of(string? node) => node is not null && _byNode.TryGetValue(node, out var machine) ? machine : null;

    public void Add(Machine machine) => _byNode.Add(machine.Node, machine);

    public Machine? OfHost(ObjectKey host) => _byNode.Values.FirstOrDefault(machine => machine.Host == host);
}

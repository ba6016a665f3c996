using System.Security.Cryptography;
using System.Text;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.Actions;

/// <summary>The keyed annotation by which a BareMetalHost is kept off (facts 2.6), and who put it there.</summary>
internal static class PowerKey
{
    /// <summary>The mark of design D8 on the host.</summary>
    public const string HeldBy = "drydock.dev/held-by";

    /// <summary>How the annotations of all who keep a host off begin; the key of each follows.</summary>
    public const string Prefix = "reboot.metal3.io/";

    /// <summary>With it metal3 does nothing with the host.</summary>
    public const string Paused = "baremetalhost.metal3.io/paused";

    /// <summary>With it metal3 lets the machine alone.</summary>
    public const string Detached = "baremetalhost.metal3.io/detached";

    /// <summary>The host's operating system is asked first; metal3 goes on to a hard power-off if that fails.</summary>
    public const string Value = """{"mode":"soft"}""";

    /// <summary>By the node alone, so that it is found without any database; a name part has 63 characters at the most, a node's name more.</summary>
    public static string Of(string node) =>
        $"{Prefix}drydock-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(node)).AsSpan(0, 6))}";
}

/// <summary>A machine to switch.</summary>
/// <param name="Node">The node on it.</param>
/// <param name="Holder">Whose maintenance it is; null when switching on: whoever's.</param>
/// <param name="Host">The BareMetalHost.</param>
/// <param name="BootId">The boot ID before the maintenance.</param>
internal sealed record PowerInput(string Node, string? Holder, ObjectRef Host, string? BootId = null);

/// <summary>
/// Puts the annotation on the host that keeps it off. Safe to run twice: with the annotation there it is done, and a machine whose node has
/// booted since, because somebody let it go while this process was dead, is not switched off a second time.
/// </summary>
internal sealed class PowerOffActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock) : ClusterActivity<PowerInput, ActResult>
{
    protected override async Task<ActResult> RunAsync(PowerInput input, CancellationToken cancellationToken)
    {
        var guard = new Guard(cluster, clock, input.Node, input.Holder!);
        for (var attempt = 0; attempt < Node.NodeUndo.MaxConflicts; attempt++)
        {
            var host = await neighbours.GetNeighbourAsync(NeighbourKind.BareMetalHost, input.Host, cancellationToken);
            if (host is null)
            {
                return new(Verdict.Refused, $"BareMetalHost {input.Host} is gone.");
            }

            if (host.Annotations.ContainsKey(PowerKey.Of(input.Node)))
            {
                return host.Annotations.GetValueOrDefault(PowerKey.HeldBy) is { } by && by != input.Holder
                    ? new(Verdict.Refused, $"BareMetalHost {input.Host} is kept off by {Holder.Describe(by)}.")
                    : ActResult.Done;
            }

            if (await cluster.GetNodeAsync(input.Node, cancellationToken) is { } node)
            {
                if (node.BootId != input.BootId)
                {
                    return new(
                        Verdict.Refused,
                        $"Node {input.Node} has booted since (its boot ID was {input.BootId} and is {node.BootId}): BareMetalHost {input.Host} is not switched off again.");
                }

                if (await Node.ControlPlane.ProblemAsync(cluster, node, cancellationToken, goesDown: true) is { } problem)
                {
                    return new(Verdict.Refused, problem.Message) { Kind = problem.Kind };
                }
            }

            if (await guard.CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no)
            {
                return no;
            }

            var change = new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                [PowerKey.Of(input.Node)] = PowerKey.Value,
                [PowerKey.HeldBy] = input.Holder,
            };
            if (await neighbours.ChangeNeighbourAsync(host, change, null, cancellationToken) is not null)
            {
                return ActResult.Done;
            }
        }

        throw Node.NodeUndo.KeepsChanging("baremetalhosts", input.Host.ToString());
    }
}

/// <summary>Takes the annotation off again: metal3 switches the machine on. Safe to run twice, and where nothing was done.</summary>
internal sealed class PowerOnActivity(INeighbours neighbours) : ClusterActivity<PowerInput, bool>
{
    protected override Task<bool> RunAsync(PowerInput input, CancellationToken cancellationToken) =>
        ReleaseAsync(neighbours, input, cancellationToken);

    /// <summary>True if there was something to take off.</summary>
    public static async Task<bool> ReleaseAsync(INeighbours neighbours, PowerInput input, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < Node.NodeUndo.MaxConflicts; attempt++)
        {
            var host = await neighbours.GetNeighbourAsync(NeighbourKind.BareMetalHost, input.Host, cancellationToken);
            if (host is null || !host.Annotations.ContainsKey(PowerKey.Of(input.Node))
                || (input.Holder is { } holder && host.Annotations.GetValueOrDefault(PowerKey.HeldBy) is { } by && by != holder))
            {
                return false;
            }

            var change = new Dictionary<string, string?>(StringComparer.Ordinal) { [PowerKey.Of(input.Node)] = null, [PowerKey.HeldBy] = null };
            if (await neighbours.ChangeNeighbourAsync(host, change, null, cancellationToken) is not null)
            {
                return true;
            }
        }

        throw Node.NodeUndo.KeepsChanging("baremetalhosts", input.Host.ToString());
    }
}

/// <summary>A machine to wait for.</summary>
internal sealed record AwaitPowerInput(string Node, ObjectRef Host, bool WantsOn, string? KnownError, DateTimeOffset Until);

/// <summary>The power of a machine.</summary>
/// <param name="IsGone">There is no such host.</param>
/// <param name="IsOn">It is on.</param>
/// <param name="Error">What metal3 says is wrong, or what keeps it from switching the machine, one sentence without a full stop; or null.</param>
internal sealed record PowerSeen(bool IsGone, bool IsOn, string? Error);

/// <summary>Waits until a machine is on, or off, or something new is in the way. Changes nothing.</summary>
internal sealed class AwaitPowerActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock, Wakeups wakeups)
    : ClusterActivity<AwaitPowerInput, PowerSeen>
{
    // Hosts are not watched: there is one to look at, for a few minutes.
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    protected override async Task<PowerSeen> RunAsync(AwaitPowerInput input, CancellationToken cancellationToken)
    {
        var wait = wakeups.Open(cluster, input.Node, null, input.Until);
        while (true)
        {
            var host = await neighbours.GetNeighbourAsync(NeighbourKind.BareMetalHost, input.Host, cancellationToken);
            var power = host?.Power;
            var error = power is null ? null : WhyNot(host!, power, input);
            if (power is null || power.IsOn == input.WantsOn || error != input.KnownError || wait.IsOver)
            {
                return new(power is null, power?.IsOn == true, error);
            }

            await wait.NextAsync(clock.GetUtcNow() + LookAgain, cancellationToken);
        }
    }

    // metal3 leaves a paused or detached host alone, and keeps one off for as long as any annotation with a key is there (facts 2.6).
    private static string? WhyNot(NeighbourSnapshot host, HostPower power, AwaitPowerInput input)
    {
        var others = host.Annotations.Keys.Where(key => key.StartsWith(PowerKey.Prefix, StringComparison.Ordinal) && key != PowerKey.Of(input.Node)).ToList();
        return power switch
        {
            { ErrorType: { } type } => $"metal3 says: {type}{(power.ErrorMessage is { } message ? $": {message.TrimEnd('.')}" : "")}",
            _ when host.Annotations.ContainsKey(PowerKey.Paused) => $"annotation {PowerKey.Paused} keeps metal3 away from it",
            _ when host.Annotations.ContainsKey(PowerKey.Detached) => $"annotation {PowerKey.Detached} keeps metal3 away from it",
            { IsWantedOn: false } when input.WantsOn => "somebody wants it off: spec.online is false",
            _ when input.WantsOn && others.Count > 0 => $"somebody else keeps it off by {string.Join(", ", others.Order(StringComparer.Ordinal))}",
            _ => null,
        };
    }
}

/// <summary>Finds the BareMetalHost under a node.</summary>
internal static class BareMetalHosts
{
    // metal3's actuators write it on the Machine, or on the Metal3Machine, that a host was given to.
    private const string HostAnnotation = "metal3.io/BareMetalHost";

    /// <summary>The hosts whose consumer is the machine of the node (facts 2.6): one, unless something is wrong.</summary>
    public static async Task<IReadOnlyList<NeighbourSnapshot>> FindAsync(INeighbours neighbours, NodeSnapshot node, CancellationToken cancellationToken)
    {
        var machines = new List<NeighbourSnapshot>();
        foreach (var kind in (NeighbourKind[])[NeighbourKind.OpenShiftMachine, NeighbourKind.ClusterMachine])
        {
            machines.AddRange((await neighbours.ListNeighboursAsync(kind, cancellationToken)).Where(machine => machine.IsMachineOf(node)));
        }

        var hosts = machines.Count == 0 ? [] : await neighbours.ListNeighboursAsync(NeighbourKind.BareMetalHost, cancellationToken);
        return [.. hosts.Where(host => machines.Any(machine => IsUnder(host, machine)))];
    }

    private static bool IsUnder(NeighbourSnapshot host, NeighbourSnapshot machine) =>
        machine.Annotations.GetValueOrDefault(HostAnnotation) == host.Ref.ToString()
        || ((host.Power?.ConsumerNamespace ?? host.Ref.Namespace) == machine.Ref.Namespace && host.Power?.Consumer switch
        {
            { Kind: "Machine" } consumer => consumer.Name == machine.Ref.Name,
            { Kind: "Metal3Machine" } consumer => consumer.Name == machine.Infrastructure,
            _ => false,
        });
}

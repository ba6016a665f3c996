using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Hardware;

/// <summary>
/// Switches machines on and off as their BareMetalHost says: off while <c>spec.online</c> is false or any reboot annotation is there.
/// Soft first; after a failure hard. Source: <c>manageHostPower</c> of metal3's BareMetalHost controller.
/// </summary>
/// <remarks>With <c>spec.disablePowerOff</c> a reboot annotation resets the machine once; nothing switches it off.</remarks>
internal sealed class BareMetalHostController(ClusterContext cluster, Machines machines, MachinePower power) : IController
{
    private const string Component = "metal3-baremetal-controller";
    private const string PowerManagement = "power management error";

    // Ironic's own limit for a soft power off.
    private static readonly TimeSpan SoftTimeout = TimeSpan.FromSeconds(180);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(10);

    private readonly Dictionary<ObjectKey, DateTimeOffset> _softUntil = [];
    private readonly Dictionary<ObjectKey, DateTimeOffset> _retryAt = [];
    private readonly HashSet<ObjectKey> _reset = [];

    public IEnumerable<ObjectKey> Affected(Change change) =>
        change.Type.Equals(HardwareTypes.Hosts) && change.Kind != ChangeKind.Deleted ? [change.Object.Key()] : [];

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(HardwareTypes.Hosts, key) is not { } host || machines.OfHost(key) is not { } machine
            || host.Annotation("baremetalhost.metal3.io/paused") is not null)
        {
            return null;
        }

        if (host.IsDeleting())
        {
            cluster.Change(HardwareTypes.Hosts, host, current => current.RemoveFinalizer("baremetalhost.metal3.io"));
            return null;
        }

        if (host.Annotation("baremetalhost.metal3.io/detached") is not null)
        {
            cluster.Change(HardwareTypes.Hosts, host, current => current.Ensure("status")["operationalStatus"] = "detached");
            return null;
        }

        if (machine.OffAt is { } end)
        {
            if (cluster.Until(end) is { Ticks: > 0 } left)
            {
                return left;
            }

            power.Off(machine);
        }

        return Switch(RemoveServed(Report(host, machine), machine), machine);
    }

    private TimeSpan? Switch(JsonObject host, Machine machine)
    {
        var (asked, hard) = RebootAnnotations.Of(host);
        if (host.Flag("spec", "disablePowerOff"))
        {
            ResetOnce(host, machine, asked);
            return null;
        }

        var wanted = host.Flag("spec", "online") && !asked;
        if (wanted != machine.PoweredOff)
        {
            _softUntil.Remove(host.Key());
            _retryAt.Remove(host.Key());
            return null;
        }

        if (machine.PowerFailure is { } failure)
        {
            return _retryAt.TryGetValue(host.Key(), out var at) && cluster.Until(at) is { Ticks: > 0 } left ? left : Fail(host, failure);
        }

        return wanted ? SwitchOn(host, machine) : SwitchOff(host, machine, hard || host.Number("status", "errorCount") > 0);
    }

    private TimeSpan? SwitchOn(JsonObject host, Machine machine)
    {
        power.On(machine);
        cluster.Events.Normal(HardwareTypes.Hosts, host, "PowerOn", "Host powered on", Component);
        Report(host, machine);
        return null;
    }

    private TimeSpan? SwitchOff(JsonObject host, Machine machine, bool hard)
    {
        if (hard)
        {
            power.Off(machine);
            cluster.Events.Normal(HardwareTypes.Hosts, host, "PowerOff", "Host powered off", Component);
            RemoveServed(Report(host, machine), machine);
            return null;
        }

        if (!machine.IgnoresSoftPowerOff && !machine.Dead)
        {
            power.ShutDown(machine);
            cluster.Events.Normal(HardwareTypes.Hosts, host, "PowerOff", "Host soft powered off", Component);
            return machine.ShutdownTakes;
        }

        if (!_softUntil.TryGetValue(host.Key(), out var until))
        {
            _softUntil[host.Key()] = until = cluster.Now + SoftTimeout;
        }

        return cluster.Until(until) is { Ticks: > 0 } left
            ? left
            : Fail(host, "Continuing with hard poweroff after soft poweroff fails. power off failed: timeout reached while waiting for soft power off");
    }

    private void ResetOnce(JsonObject host, Machine machine, bool asked)
    {
        if (!asked)
        {
            _reset.Remove(host.Key());
        }
        else if (_reset.Add(host.Key()))
        {
            power.Reset(machine);
            cluster.Change(HardwareTypes.Hosts, host, current => current.Set(null, "metadata", "annotations", RebootAnnotations.Once));
        }
    }

    // The next try is hard, and later each time.
    private TimeSpan Fail(JsonObject host, string message)
    {
        var count = (int)(host.Number("status", "errorCount") ?? 0);
        var wait = FirstRetry * Math.Pow(2, Math.Min(count, 6));
        _retryAt[host.Key()] = cluster.Now + wait;
        cluster.Events.Warning(HardwareTypes.Hosts, host, "PowerManagementError", message, Component);
        cluster.Change(HardwareTypes.Hosts, host, current =>
        {
            var status = current.Ensure("status");
            status["operationalStatus"] = "error";
            status["errorType"] = PowerManagement;
            status["errorMessage"] = message;
            status["errorCount"] = count + 1;
            status["lastUpdated"] = cluster.Now.Timestamp();
        });
        return wait;
    }

    private JsonObject Report(JsonObject host, Machine machine)
    {
        var on = !machine.PoweredOff;
        return host.Flag("status", "poweredOn") == on ? host : cluster.Change(HardwareTypes.Hosts, host, current =>
        {
            var status = current.Ensure("status");
            status["poweredOn"] = on;
            status["operationalStatus"] = "OK";
            status["errorType"] = string.Empty;
            status["errorMessage"] = string.Empty;
            status["errorCount"] = 0;
            status["lastUpdated"] = cluster.Now.Timestamp();
        }) ?? host;
    }

    // The annotation without a key asks for being off once: now it was.
    private JsonObject RemoveServed(JsonObject host, Machine machine) => machine.PoweredOff && host.Annotation(RebootAnnotations.Once) is not null
        ? cluster.Change(HardwareTypes.Hosts, host, current => current.Set(null, "metadata", "annotations", RebootAnnotations.Once)) ?? host
        : host;
}

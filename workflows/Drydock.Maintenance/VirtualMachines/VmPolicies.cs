using Drydock.Kubernetes;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>What holds for one virtual machine: the request's word on it, then its annotations if they count, then the policy.</summary>
public static class VmPolicies
{
    /// <summary>Annotation of a VM: <see cref="VirtualMachinePolicy.OnStuck"/> for it.</summary>
    public const string OnStuck = "drydock.dev/on-stuck";

    /// <summary>Annotation of a VM: <see cref="VirtualMachinePolicy.OnNotMigratable"/> for it.</summary>
    public const string OnNotMigratable = "drydock.dev/on-not-migratable";

    /// <summary>The policy with what holds for this one in its place.</summary>
    public static VirtualMachinePolicy For(VirtualMachinePolicy policy, ObjectRef vm, VirtualMachineOverride? annotated)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var asked = policy.Overrides.FirstOrDefault(one => one.Vm == vm.ToString());
        return policy with
        {
            OnStuck = asked?.OnStuck ?? annotated?.OnStuck ?? policy.OnStuck,
            OnNotMigratable = asked?.OnNotMigratable ?? annotated?.OnNotMigratable ?? policy.OnNotMigratable,
        };
    }

    /// <summary>What the annotations of a machine say, or null if they do not count or say nothing.</summary>
    public static VirtualMachineOverride? Annotated(VirtualMachinePolicy policy, VmSnapshot? vm)
    {
        ArgumentNullException.ThrowIfNull(policy);
        if (!policy.AllowAnnotations || vm is null || !(vm.Annotations.ContainsKey(OnStuck) || vm.Annotations.ContainsKey(OnNotMigratable)))
        {
            return null;
        }

        return new VirtualMachineOverride(vm.Ref.ToString())
        {
            OnStuck = Read(vm, OnStuck),
            OnNotMigratable = Read(vm, OnNotMigratable),
        };
    }

    /// <summary>What is wrong with the annotations of a machine, one sentence each; empty if they do not count.</summary>
    public static IEnumerable<string> Problems(VirtualMachinePolicy policy, VmSnapshot? vm)
    {
        ArgumentNullException.ThrowIfNull(policy);
        foreach (var key in (string[])[OnStuck, OnNotMigratable])
        {
            if (policy.AllowAnnotations && vm is not null && vm.Annotations.TryGetValue(key, out var text) && Read(vm, key) is null)
            {
                yield return $"Annotation {key} of virtual machine {vm.Ref} is '{text}'; allowed: {string.Join(", ", Enum.GetNames<StuckVmPolicy>())}. "
                    + "The request's policy holds.";
            }
        }
    }

    private static StuckVmPolicy? Read(VmSnapshot vm, string key)
    {
        // By name alone: Enum.Parse would take numbers too.
        foreach (var choice in Enum.GetValues<StuckVmPolicy>())
        {
            if (vm.Annotations.TryGetValue(key, out var text) && string.Equals(text, choice.ToString(), StringComparison.OrdinalIgnoreCase))
            {
                return choice;
            }
        }

        return null;
    }
}

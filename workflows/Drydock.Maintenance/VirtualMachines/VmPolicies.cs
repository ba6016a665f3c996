using Drydock.Kubernetes;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>What holds for one virtual machine: the request's word on it, then its annotations if they count, then the policy.</summary>
public static class VmPolicies
{
    /// <summary>Annotation of a VM: <see cref="VirtualMachinePolicy.OnStuck"/> for it.</summary>
    public const string OnStuck = "drydock.dev/on-stuck";

    /// <summary>Annotation of a VM: <see cref="VirtualMachinePolicy.OnNotMigratable"/> for it.</summary>
    public const string OnNotMigratable = "drydock.dev/on-not-migratable";

    private static readonly IReadOnlyList<string> All = [OnStuck, OnNotMigratable];

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

    /// <summary>The same where nothing may fail the maintenance any more: what would is waited for, and told.</summary>
    internal static VirtualMachinePolicy WithoutFailing(VirtualMachinePolicy policy) => policy with
    {
        OnStuck = WithoutFailing(policy.OnStuck),
        OnNotMigratable = WithoutFailing(policy.OnNotMigratable),
        OnRestartTimeout = WithoutFailing(policy.OnRestartTimeout),
    };

    private static StuckVmPolicy WithoutFailing(StuckVmPolicy policy) => policy == StuckVmPolicy.Fail ? StuckVmPolicy.Wait : policy;

    /// <summary>What the annotations of a machine say, or null if they do not count or say nothing.</summary>
    public static VirtualMachineOverride? Annotated(VirtualMachinePolicy policy, VmSnapshot? vm)
    {
        ArgumentNullException.ThrowIfNull(policy);
        if (vm is null || !(Counts(policy, vm, OnStuck) || Counts(policy, vm, OnNotMigratable)))
        {
            return null;
        }

        return new VirtualMachineOverride(vm.Ref.ToString())
        {
            OnStuck = Counts(policy, vm, OnStuck) ? Read(vm, OnStuck) : null,
            OnNotMigratable = Counts(policy, vm, OnNotMigratable) ? Read(vm, OnNotMigratable) : null,
        };
    }

    /// <summary>The policy of a request with the annotations that the policy it names allows: none, if it names none.</summary>
    internal static VirtualMachinePolicy Allowed(VirtualMachinePolicy policy, MaintenancePolicy? named)
    {
        IReadOnlyList<string> allowed = [.. All.Where(key => named?.AllowedVmAnnotations.Contains(key) == true)];
        return policy with { AllowAnnotations = policy.AllowAnnotations && allowed.Count > 0, AllowedAnnotations = allowed };
    }

    /// <summary>What is wrong with the annotations of a machine, one sentence each; those that do not count are only said not to.</summary>
    /// <param name="policy">What holds.</param>
    /// <param name="vm">The machine.</param>
    /// <param name="isAsked">The request wants annotations to count.</param>
    public static IEnumerable<string> Problems(VirtualMachinePolicy policy, VmSnapshot? vm, bool isAsked)
    {
        ArgumentNullException.ThrowIfNull(policy);
        foreach (var key in All)
        {
            if (!isAsked || vm is null || !vm.Annotations.TryGetValue(key, out var text))
            {
                continue;
            }

            if (!Counts(policy, vm, key))
            {
                yield return $"Annotation {key} of virtual machine {vm.Ref} does not count: the policy of the request must name it in allowedVmAnnotations.";
            }
            else if (Read(vm, key) is null)
            {
                yield return $"Annotation {key} of virtual machine {vm.Ref} is '{text}'; allowed: {string.Join(", ", Enum.GetNames<StuckVmPolicy>())}. "
                    + "The request's policy holds.";
            }
        }
    }

    private static bool Counts(VirtualMachinePolicy policy, VmSnapshot vm, string key) =>
        policy.AllowAnnotations && policy.AllowedAnnotations?.Contains(key) != false && vm.Annotations.ContainsKey(key);

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

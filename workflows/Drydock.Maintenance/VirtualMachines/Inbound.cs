using Drydock.Kubernetes;
using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>Where virtual machines could go, and how many are on their way there. Pure.</summary>
internal static class Inbound
{
    private const int MostNamed = 5;

    /// <summary>
    /// Why no further migration may begin, or null. KubeVirt limits what leaves a node and what moves in the cluster, not what comes to
    /// one node. A migration without a target yet could go to any, so it counts for each.
    /// </summary>
    /// <param name="most">How many to one node at a time.</param>
    /// <param name="source">Where the machine is.</param>
    /// <param name="asks">Which nodes its launcher may be placed on.</param>
    /// <param name="nodes">All nodes.</param>
    /// <param name="migrations">All migrations.</param>
    /// <param name="vmis">All instances.</param>
    public static string? Hold(
        int most, string source, PodPlacement asks, IEnumerable<NodeSnapshot> nodes, IEnumerable<MigrationSnapshot> migrations,
        IReadOnlyList<VmiSnapshot> vmis)
    {
        var underWay = UnderWay(migrations, vmis);
        var moving = underWay.Select(migration => migration.Vmi).ToHashSet();
        List<ObjectRef> unplaced =
        [
            .. underWay.Where(migration => migration.TargetNode is null).Select(migration => migration.Vmi),
            .. vmis.Where(vmi => vmi is { EvacuationNode: not null, EvictionStrategy: not "External" } && !moving.Contains(vmi.Ref)).Select(vmi => vmi.Ref),
        ];
        var busiest = Eligible(source, asks, nodes).Select(node => (node.Name, Placed: To(underWay, node.Name)))
            .OrderByDescending(node => node.Placed.Count).FirstOrDefault();
        if (busiest.Name is null || busiest.Placed.Count + unplaced.Count < most)
        {
            return null;
        }

        List<string> holders =
        [
            .. busiest.Placed.Count == 0 ? Array.Empty<string>() : [$"behind {Named(busiest.Placed)}, on the way to node {busiest.Name}"],
            .. unplaced.Count == 0 ? Array.Empty<string>() : [$"behind {Named(unplaced)}, without a target yet"],
        ];
        return $"Queued {string.Join(", and ", holders)}: no more than {most} at a time to one node.";
    }

    private static string Named(List<ObjectRef> vms)
    {
        var names = vms.Select(vm => vm.ToString()).Order(StringComparer.Ordinal).Take(MostNamed);
        return string.Join(", ", names) + (vms.Count > MostNamed ? $" and {vms.Count - MostNamed} more" : "");
    }

    /// <summary>The nodes that could take a machine, those with the fewest inbound migrations first.</summary>
    public static IReadOnlyList<ObservedTarget> Targets(
        string source, PodPlacement asks, IEnumerable<NodeSnapshot> nodes, IEnumerable<MigrationSnapshot> migrations, IReadOnlyList<VmiSnapshot> vmis)
    {
        var underWay = UnderWay(migrations, vmis);
        return
        [
            .. Eligible(source, asks, nodes).OrderBy(node => To(underWay, node.Name).Count).ThenBy(node => node.Name, StringComparer.Ordinal)
                .Select(node => new ObservedTarget(node.Name, node.Labels.GetValueOrDefault("kubernetes.io/hostname") ?? node.Name)),
        ];
    }

    private static List<MigrationSnapshot> UnderWay(IEnumerable<MigrationSnapshot> migrations, IReadOnlyList<VmiSnapshot> vmis)
    {
        var instances = vmis.ToDictionary(vmi => vmi.Ref);
        return [.. migrations.Where(migration => !migration.IsFinished).Select(migration => migration.PlacedBy(instances.GetValueOrDefault(migration.Vmi)))];
    }

    /// <summary>Which nodes the launcher of a machine may be placed on, as far as it says so; of several the newest.</summary>
    public static PodPlacement AsksOf(IEnumerable<PodSnapshot> launchersOnSource, ObjectRef vm) =>
        launchersOnSource.Where(pod => pod is { IsFinished: false } && pod.Vmi == vm).MaxBy(pod => pod.CreatedAt) is { } launcher
            ? NodeFilters.AsksOf(launcher)
            : PodPlacement.Anywhere;

    // KubeVirt places launchers on nodes it calls schedulable, whatever they ask.
    private static IEnumerable<NodeSnapshot> Eligible(string source, PodPlacement asks, IEnumerable<NodeSnapshot> nodes) =>
        nodes.Where(node => node.Name != source && node.KubeVirtSchedulable is true && NodeFilters.WhyNot(asks, node) is null);

    private static List<ObjectRef> To(List<MigrationSnapshot> underWay, string node) =>
        [.. underWay.Where(migration => migration.TargetNode == node).Select(migration => migration.Vmi)];
}

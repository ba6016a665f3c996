using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>A pod with what was decided about it.</summary>
internal sealed record ClassifiedPod(PodSnapshot Pod, PodDecision Decision);

/// <summary>Reads the pods of a node and applies the rules to them. Remembers for its own short life which DaemonSets exist.</summary>
internal sealed class PodReader(ICluster cluster, TimeProvider clock)
{
    private readonly Dictionary<ObjectRef, bool> _daemonSets = [];

    /// <summary>Every pod on the node with its decision.</summary>
    public async Task<IReadOnlyList<ClassifiedPod>> ReadAsync(string node, DrainPolicy policy, CancellationToken cancellationToken)
    {
        var pods = await cluster.ListPodsOnNodeAsync(node, cancellationToken);
        var classified = new List<ClassifiedPod>(pods.Count);
        foreach (var pod in pods)
        {
            var exists = await DaemonSetExistsAsync(pod, cancellationToken);
            classified.Add(new ClassifiedPod(pod, PodRules.Decide(new PodFacts(pod, exists), policy, clock.GetUtcNow())));
        }

        return classified;
    }

    private async Task<bool> DaemonSetExistsAsync(PodSnapshot pod, CancellationToken cancellationToken)
    {
        if (pod.Controller is not { Kind: "DaemonSet" } owner)
        {
            return true;
        }

        var daemonSet = new ObjectRef(pod.Ref.Namespace, owner.Name);
        if (!_daemonSets.TryGetValue(daemonSet, out var exists))
        {
            exists = await cluster.DaemonSetExistsAsync(daemonSet, cancellationToken);
            _daemonSets[daemonSet] = exists;
        }

        return exists;
    }
}

using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>A pod with what was decided about it.</summary>
internal sealed record ClassifiedPod(PodSnapshot Pod, PodDecision Decision);

/// <summary>
/// Reads the pods of a node and applies the rules to them. Remembers for its own short life how namespaces are labelled, and for a minute
/// which DaemonSets exist: every node has a dozen of them, and every look at it would ask for each.
/// </summary>
internal sealed class PodReader(ICluster cluster, TimeProvider clock, DrainPolicy policy)
{
    private static readonly TimeSpan BelievesFor = TimeSpan.FromMinutes(1);

    private static readonly ConditionalWeakTable<ICluster, ConcurrentDictionary<string, DateTimeOffset>> SeenDaemonSets = [];

    private static readonly IReadOnlyDictionary<string, string> NoLabels = new Dictionary<string, string>(StringComparer.Ordinal);

    private readonly DrainSelectors _selectors = new(policy);
    private readonly ConcurrentDictionary<string, DateTimeOffset> _daemonSets =
        SeenDaemonSets.GetValue(cluster, static _ => new ConcurrentDictionary<string, DateTimeOffset>(StringComparer.Ordinal));

    private readonly HashSet<string> _missing = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyDictionary<string, string>> _namespaces = new(StringComparer.Ordinal);

    /// <summary>Every pod on the node with its decision.</summary>
    public async Task<IReadOnlyList<ClassifiedPod>> ReadAsync(string node, CancellationToken cancellationToken)
    {
        var pods = await cluster.ListPodsOnNodeAsync(node, cancellationToken);
        var classified = new List<ClassifiedPod>(pods.Count);
        foreach (var pod in pods)
        {
            var facts = new PodFacts(pod, await DaemonSetExistsAsync(pod, cancellationToken))
            {
                IsSelected = _selectors.IsSelected(pod),
                Rule = _selectors.RuleFor(pod, await LabelsAsync(pod.Ref.Namespace, cancellationToken)),
            };
            classified.Add(new ClassifiedPod(pod, PodRules.Decide(facts, policy, clock.GetUtcNow())));
        }

        return classified;
    }

    private async Task<IReadOnlyDictionary<string, string>> LabelsAsync(string @namespace, CancellationToken cancellationToken)
    {
        if (!_selectors.NeedsNamespaces)
        {
            return NoLabels;
        }

        if (!_namespaces.TryGetValue(@namespace, out var labels))
        {
            labels = await cluster.GetNamespaceLabelsAsync(@namespace, cancellationToken);
            _namespaces[@namespace] = labels;
        }

        return labels;
    }

    private async Task<bool> DaemonSetExistsAsync(PodSnapshot pod, CancellationToken cancellationToken)
    {
        if (pod.Controller is not { Kind: "DaemonSet" } owner)
        {
            return true;
        }

        if (_missing.Contains(owner.Uid) || (_daemonSets.TryGetValue(owner.Uid, out var seenAt) && clock.GetUtcNow() - seenAt < BelievesFor))
        {
            return !_missing.Contains(owner.Uid);
        }

        var exists = await cluster.FindDaemonSetAsync(new ObjectRef(pod.Ref.Namespace, owner.Name), cancellationToken) is not null;
        if (exists)
        {
            _daemonSets[owner.Uid] = clock.GetUtcNow();
        }
        else
        {
            _daemonSets.TryRemove(owner.Uid, out _);
            _missing.Add(owner.Uid);
        }

        return exists;
    }
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Keeps one pod of a DaemonSet on every node that fits; a cordon, silence or pressure of the node does not matter to it.</summary>
internal sealed class DaemonSetController(ClusterContext cluster) : IController
{
    private const string Component = "daemonset-controller";

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        var nodeChanged = change.Type.Equals(ResourceTypes.Nodes)
            && !(JsonNode.DeepEquals(change.Before.At("spec"), change.Object.At("spec"))
                && JsonNode.DeepEquals(change.Before.At("metadata", "labels"), change.Object.At("metadata", "labels")));
        return nodeChanged
            ? cluster.Store.List(ResourceTypes.DaemonSets).Select(Fields.Key)
            : Workloads.OwnerOf(change, ResourceTypes.DaemonSets, ResourceTypes.Pods);
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.DaemonSets, key) is not { } set || set.IsDeleting())
        {
            return null;
        }

        var byNode = Workloads.PodsOf(cluster, set).ToLookup(NodeWanted);
        var (desired, current, ready, misplaced) = (0, 0, 0, 0);
        var anywhere = NewPod(set, node: null);
        foreach (var node in cluster.Store.List(ResourceTypes.Nodes))
        {
            var pods = byNode[node.NameOf()].ToList();
            if (SchedulingRules.CheckNode(anywhere, node) is not null)
            {
                misplaced += pods.Count(Pods.IsRunning);
                continue;
            }

            desired++;
            current += pods.Exists(Pods.IsActive) ? 1 : 0;
            ready += pods.Exists(pod => pod.IsActive() && pod.IsReady()) ? 1 : 0;
            current += KeepOne(set, node.NameOf(), pods);
        }

        WriteStatus(set, desired, current, ready, misplaced);
        return null;
    }

    // A finished pod is deleted and replaced; one that still terminates is waited for.
    private int KeepOne(JsonObject set, string node, List<JsonObject> pods)
    {
        foreach (var finished in pods.Where(pod => pod.IsFinished() && !pod.IsDeleting()))
        {
            cluster.Delete(ResourceTypes.Pods, finished);
        }

        if (pods.Exists(pod => !pod.IsFinished()))
        {
            return 0;
        }

        Workloads.CreatePod(cluster, set, ResourceTypes.DaemonSets, NewPod(set, node), Component);
        return 1;
    }

    private static string NodeWanted(JsonObject pod) => pod.Node() ?? pod
        .Objects("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
        .SelectMany(term => term.Objects("matchFields"))
        .SelectMany(field => field.Texts("values"))
        .FirstOrDefault() ?? string.Empty;

    // Without a node: only what every node is asked.
    private static JsonObject NewPod(JsonObject set, string? node)
    {
        var pod = PodTemplates.Instantiate(set, ResourceTypes.DaemonSets, set.Object("spec", "template")!, set.NameOf() + "-");
        var labels = pod.Ensure("metadata", "labels");
        labels["controller-revision-hash"] = PodTemplates.Hash(set.At("spec", "template"));
        labels["pod-template-generation"] = set.Annotation("deprecated.daemonset.template.generation") ?? "1";
        if (node is not null)
        {
            pod.Ensure("spec", "affinity", "nodeAffinity")["requiredDuringSchedulingIgnoredDuringExecution"] = OnlyOn(node);
        }

        var tolerations = pod.Ensure("spec")["tolerations"] as JsonArray ?? [];
        Tolerate(tolerations, "NoExecute", "not-ready", "unreachable");
        Tolerate(tolerations, "NoSchedule", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable");
        if (tolerations.Parent is null)
        {
            pod.Ensure("spec")["tolerations"] = tolerations;
        }

        return pod;
    }

    private static JsonObject OnlyOn(string node) => new()
    {
        ["nodeSelectorTerms"] = new JsonArray(new JsonObject
        {
            ["matchFields"] = new JsonArray(new JsonObject { ["key"] = "metadata.name", ["operator"] = "In", ["values"] = new JsonArray(node) }),
        }),
    };

    private static void Tolerate(JsonArray tolerations, string effect, params ReadOnlySpan<string> taints)
    {
        foreach (var taint in taints)
        {
            tolerations.Add(new JsonObject { ["key"] = $"node.kubernetes.io/{taint}", ["operator"] = "Exists", ["effect"] = effect });
        }
    }

    private void WriteStatus(JsonObject set, int desired, int current, int ready, int misplaced)
    {
        cluster.Change(ResourceTypes.DaemonSets, set, item =>
        {
            item.Ensure("metadata", "annotations").Default("deprecated.daemonset.template.generation", "1");
            var status = new JsonObject
            {
                ["currentNumberScheduled"] = current,
                ["numberMisscheduled"] = misplaced,
                ["desiredNumberScheduled"] = desired,
                ["numberReady"] = ready,
                ["observedGeneration"] = item.Generation(),
                ["updatedNumberScheduled"] = current,
            };
            status.Set(ready > 0 ? ready : null, "numberAvailable");
            status.Set(desired > ready ? desired - ready : null, "numberUnavailable");
            item["status"] = status;
        });
    }
}

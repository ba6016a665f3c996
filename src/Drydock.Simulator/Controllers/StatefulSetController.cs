using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Keeps the numbered pods of a StatefulSet: made in order, each when the one before is ready; replaced under the same name when gone.</summary>
internal sealed class StatefulSetController(ClusterContext cluster) : IController
{
    private const string Component = "statefulset-controller";

    public IEnumerable<ObjectKey> Affected(Change change) => Workloads.OwnerOf(change, ResourceTypes.StatefulSets, ResourceTypes.Pods);

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.StatefulSets, key) is not { } set || set.IsDeleting())
        {
            return null;
        }

        Scale(set);
        WriteStatus(set);
        return null;
    }

    private void Scale(JsonObject set)
    {
        var parallel = set.Text("spec", "podManagementPolicy") == "Parallel";
        for (var ordinal = 0; ordinal < set.Replicas(); ordinal++)
        {
            var pod = cluster.Store.Get(ResourceTypes.Pods, set.NamespaceOf(), $"{set.NameOf()}-{ordinal}");
            if (pod is null)
            {
                CreateClaims(set, ordinal);
                Workloads.CreatePod(cluster, set, ResourceTypes.StatefulSets, NewPod(set, ordinal), Component);
            }
            else if (pod.IsFinished() && !pod.IsDeleting())
            {
                cluster.Delete(ResourceTypes.Pods, pod);
            }

            if (!parallel && !(pod.IsActive() && pod.IsReady()))
            {
                return;
            }
        }

        var surplus = Workloads.PodsOf(cluster, set).Where(pod => Ordinal(pod) >= set.Replicas()).OrderByDescending(Ordinal).ToList();
        foreach (var pod in surplus.Take(parallel ? surplus.Count : 1).Where(pod => !pod.IsDeleting()))
        {
            Workloads.DeletePod(cluster, set, ResourceTypes.StatefulSets, pod, Component);
        }
    }

    private static int Ordinal(JsonObject pod) => int.Parse(pod.NameOf()[(pod.NameOf().LastIndexOf('-') + 1)..]);

    private static string Revision(JsonObject set) => $"{set.NameOf()}-{PodTemplates.Hash(set.At("spec", "template"))}";

    private static JsonObject NewPod(JsonObject set, int ordinal)
    {
        var pod = PodTemplates.Instantiate(set, ResourceTypes.StatefulSets, set.Object("spec", "template")!, set.NameOf() + "-");
        var name = $"{set.NameOf()}-{ordinal}";
        pod.Ensure("metadata")["name"] = name;
        var labels = pod.Ensure("metadata", "labels");
        labels["apps.kubernetes.io/pod-index"] = ordinal.ToString();
        labels["controller-revision-hash"] = Revision(set);
        labels["statefulset.kubernetes.io/pod-name"] = name;
        var spec = pod.Ensure("spec");
        spec["hostname"] = name;
        spec.Set(set.Text("spec", "serviceName"), "subdomain");
        foreach (var template in set.Objects("spec", "volumeClaimTemplates"))
        {
            if (spec["volumes"] is not JsonArray volumes)
            {
                spec["volumes"] = volumes = [];
            }

            var claim = new JsonObject { ["claimName"] = $"{template.NameOf()}-{name}" };
            volumes.Add(new JsonObject { ["name"] = template.NameOf(), ["persistentVolumeClaim"] = claim });
        }

        return pod;
    }

    // A claim outlives its pod: the next pod of that number gets the same volume.
    private void CreateClaims(JsonObject set, int ordinal)
    {
        foreach (var template in set.Objects("spec", "volumeClaimTemplates"))
        {
            var name = $"{template.NameOf()}-{set.NameOf()}-{ordinal}";
            if (cluster.Store.Get(ResourceTypes.PersistentVolumeClaims, set.NamespaceOf(), name) is null)
            {
                cluster.Store.Create(ResourceTypes.PersistentVolumeClaims, new JsonObject
                {
                    ["apiVersion"] = "v1",
                    ["kind"] = "PersistentVolumeClaim",
                    ["metadata"] = new JsonObject
                    {
                        ["name"] = name,
                        ["namespace"] = set.NamespaceOf(),
                        ["labels"] = set.At("spec", "selector", "matchLabels").CopyNode(),
                    },
                    ["spec"] = template.At("spec").CopyNode(),
                });
            }
        }
    }

    private void WriteStatus(JsonObject set)
    {
        var pods = Workloads.PodsOf(cluster, set);
        var ready = pods.Count(pod => pod.IsActive() && pod.IsReady());
        var status = new JsonObject { ["observedGeneration"] = set.Generation(), ["replicas"] = pods.Count };
        status.Set(ready > 0 ? ready : null, "readyReplicas");
        status["currentReplicas"] = pods.Count;
        status["updatedReplicas"] = pods.Count;
        status["currentRevision"] = Revision(set);
        status["updateRevision"] = Revision(set);
        status["collisionCount"] = 0;
        status["availableReplicas"] = ready;
        Workloads.WriteStatus(cluster, ResourceTypes.StatefulSets, set, status);
    }
}

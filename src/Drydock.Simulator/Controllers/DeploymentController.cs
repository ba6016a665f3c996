using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Keeps one ReplicaSet per template of a Deployment and moves the replicas to the newest within surge and unavailability.</summary>
internal sealed class DeploymentController(ClusterContext cluster) : IController
{
    private const string Revision = "deployment.kubernetes.io/revision";
    private const string HashLabel = "pod-template-hash";

    public IEnumerable<ObjectKey> Affected(Change change) => Workloads.OwnerOf(change, ResourceTypes.Deployments, ResourceTypes.ReplicaSets);

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.Deployments, key) is not { } deployment || deployment.IsDeleting())
        {
            return null;
        }

        var sets = cluster.Store.OwnedBy(ResourceTypes.ReplicaSets, deployment.UidOf()).ToList();
        var hash = PodTemplates.Hash(deployment.At("spec", "template"));
        var newest = sets.Find(set => set.Label(HashLabel) == hash);
        if (newest is null)
        {
            newest = cluster.Store.Create(ResourceTypes.ReplicaSets, NewReplicaSet(deployment, hash, sets));
            sets.Add(newest);
            cluster.Events.Normal(
                ResourceTypes.Deployments, deployment, "ScalingReplicaSet",
                $"Scaled up replica set {newest.NameOf()} from 0 to {newest.Replicas()}", "deployment-controller");
        }

        Roll(deployment, newest, [.. sets.Where(set => set != newest)]);
        WriteStatus(deployment, newest.NameOf());
        return null;
    }

    private static int MaxSurge(JsonObject deployment) => deployment.Text("spec", "strategy", "type") == "Recreate"
        ? 0
        : Workloads.Scaled(deployment.At("spec", "strategy", "rollingUpdate", "maxSurge") ?? "25%", deployment.Replicas(), roundUp: true);

    private static int MaxUnavailable(JsonObject deployment) => deployment.Text("spec", "strategy", "type") == "Recreate"
        ? deployment.Replicas()
        : Workloads.Scaled(deployment.At("spec", "strategy", "rollingUpdate", "maxUnavailable") ?? "25%", deployment.Replicas(), roundUp: false);

    private static JsonObject NewReplicaSet(JsonObject deployment, string hash, List<JsonObject> others)
    {
        var template = deployment.Object("spec", "template")!.Copy();
        template.Ensure("metadata", "labels")[HashLabel] = hash;
        var selector = deployment.Object("spec", "selector")!.Copy();
        selector.Ensure("matchLabels")[HashLabel] = hash;
        var revision = 1 + others.Select(set => int.TryParse(set.Annotation(Revision), out var number) ? number : 0).DefaultIfEmpty().Max();
        var room = deployment.Replicas() + MaxSurge(deployment) - others.Sum(Workloads.Replicas);
        return new()
        {
            ["apiVersion"] = "apps/v1",
            ["kind"] = "ReplicaSet",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{deployment.NameOf()}-{hash}",
                ["namespace"] = deployment.NamespaceOf(),
                ["labels"] = template.Object("metadata", "labels")!.Copy(),
                ["annotations"] = new JsonObject
                {
                    ["deployment.kubernetes.io/desired-replicas"] = deployment.Replicas().ToString(),
                    ["deployment.kubernetes.io/max-replicas"] = (deployment.Replicas() + MaxSurge(deployment)).ToString(),
                    [Revision] = revision.ToString(),
                },
                ["ownerReferences"] = new JsonArray(Fields.OwnerReference(deployment, ResourceTypes.Deployments)),
            },
            ["spec"] = new JsonObject
            {
                ["replicas"] = Math.Clamp(room, 0, deployment.Replicas()),
                ["selector"] = selector,
                ["template"] = template,
            },
        };
    }

    // Counts what was asked for, not what is there yet: a decision must not be repeated because its effect is still to come.
    private void Roll(JsonObject deployment, JsonObject newest, List<JsonObject> old)
    {
        var total = deployment.Replicas();
        var oldReplicas = old.Sum(Workloads.Replicas);
        var wanted = Math.Clamp(total + MaxSurge(deployment) - oldReplicas, Math.Min(newest.Replicas(), total), total);
        SetReplicas(newest, wanted);

        var mayGo = oldReplicas + wanted - (total - MaxUnavailable(deployment)) - Math.Max(0, wanted - Ready(newest));
        foreach (var set in old)
        {
            var down = Math.Clamp(mayGo, 0, set.Replicas());
            mayGo -= down;
            SetReplicas(set, set.Replicas() - down);
        }
    }

    private static int Ready(JsonObject set) => (int)(set.Number("status", "readyReplicas") ?? 0);

    private void SetReplicas(JsonObject set, int replicas)
    {
        if (set.Replicas() != replicas)
        {
            cluster.Change(ResourceTypes.ReplicaSets, set, current => current.Ensure("spec")["replicas"] = replicas);
        }
    }

    private void WriteStatus(JsonObject deployment, string newestName)
    {
        var sets = cluster.Store.OwnedBy(ResourceTypes.ReplicaSets, deployment.UidOf());
        var newest = sets.First(set => set.NameOf() == newestName);
        var ready = sets.Sum(Ready);
        var updated = (int)(newest.Number("status", "replicas") ?? 0);
        var total = deployment.Replicas();
        cluster.Change(ResourceTypes.Deployments, deployment, current =>
        {
            current.Ensure("metadata", "annotations")[Revision] = newest.Annotation(Revision);
            var status = current.Ensure("status");
            status["observedGeneration"] = current.Generation();
            SetCount(status, "replicas", sets.Sum(set => (int)(set.Number("status", "replicas") ?? 0)));
            SetCount(status, "updatedReplicas", updated);
            SetCount(status, "readyReplicas", ready);
            SetCount(status, "availableReplicas", ready);
            SetCount(status, "unavailableReplicas", Math.Max(0, total - ready));
            status["terminatingReplicas"] = sets.Sum(set => (int)(set.Number("status", "terminatingReplicas") ?? 0));
            SetConditions(current, ready >= total - MaxUnavailable(deployment), ready >= total && updated >= total, newestName);
        });
    }

    private static void SetCount(JsonObject status, string field, int count) => status.Set(count > 0 ? count : null, field);

    private void SetConditions(JsonObject deployment, bool available, bool complete, string newest)
    {
        Set("Available", available,
            available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
            available ? "Deployment has minimum availability." : "Deployment does not have minimum availability.");
        if (complete || deployment.Condition("Progressing") is null)
        {
            Set("Progressing", true,
                complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
                complete ? $"ReplicaSet \"{newest}\" has successfully progressed." : $"ReplicaSet \"{newest}\" is progressing.");
        }

        void Set(string type, bool value, string reason, string message)
        {
            var before = deployment.Condition(type)?.ToJsonString();
            deployment.SetCondition(type, value ? "True" : "False", cluster.Now, reason, message);
            var condition = deployment.Condition(type)!;
            if (condition.ToJsonString() != before)
            {
                condition["lastUpdateTime"] = cluster.Now.Timestamp();
            }
        }
    }
}

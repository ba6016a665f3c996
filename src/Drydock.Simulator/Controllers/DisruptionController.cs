using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Keeps the status of disruption budgets: how many pods there should be, how many are healthy, how many may go.</summary>
internal sealed class DisruptionController(ClusterContext cluster) : IController
{
    // An eviction that was granted but whose pod was never deleted stops counting after this long.
    private static readonly TimeSpan GrantExpires = TimeSpan.FromMinutes(2);

    /// <summary>A fault that keeps a budget from ever allowing a disruption.</summary>
    public Func<string?, string, bool>? NeverFrees { get; init; }

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.PodDisruptionBudgets))
        {
            return change.Kind == ChangeKind.Deleted ? [] : [change.Object.Key()];
        }

        if (change.Type.Equals(ResourceTypes.Pods))
        {
            return BudgetsOf(change.Object).Union(change.Before is { } before ? BudgetsOf(before) : []);
        }

        // Only pods and budgets wake it, as the real one: a scale counts once pods come or go.
        return [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.PodDisruptionBudgets, key) is not { } budget)
        {
            return null;
        }

        var pods = Candidates(budget)
            .Where(pod => !pod.IsFinished() && Selectors.Matches(budget.At("spec", "selector"), pod.Object("metadata", "labels")))
            .ToList();
        var (granted, recheck) = StillGranted(budget, pods);
        if (ExpectedPods(budget, pods) is not { } expected)
        {
            var nothing = new JsonObject { ["expectedPods"] = 0, ["currentHealthy"] = 0, ["desiredHealthy"] = 0, ["disruptionsAllowed"] = 0 };
            Write(budget, nothing, granted, "SyncFailed", SyncFailure(budget, pods));
            return recheck;
        }

        var desired = Desired(budget, expected);
        var healthy = pods.Count(pod => pod.IsReady() && !pod.IsDeleting() && !granted.ContainsKey(pod.NameOf()));
        var allowed = expected > 0 && NeverFrees?.Invoke(key.Namespace, key.Name) != true ? Math.Max(0, healthy - desired) : 0;
        var status = new JsonObject
        {
            ["disruptionsAllowed"] = allowed,
            ["currentHealthy"] = healthy,
            ["desiredHealthy"] = desired,
            ["expectedPods"] = expected,
        };
        Write(budget, status, granted, allowed > 0 ? "SufficientPods" : "InsufficientPods", string.Empty);
        return recheck;
    }

    // Those with one of the labels the budget selects by, where it does: the others need not be looked at.
    private IReadOnlyList<JsonObject> Candidates(JsonObject budget) =>
        budget.Object("spec", "selector", "matchLabels") is { Count: > 0 } labels
            ? cluster.Store.PodsLabelled(budget.NamespaceOf(), labels.First().Key, labels.First().Value?.ToString() ?? string.Empty)
            : cluster.Store.List(ResourceTypes.Pods, budget.NamespaceOf());

    private IEnumerable<ObjectKey> BudgetsOf(JsonObject pod) => cluster.Store.List(ResourceTypes.PodDisruptionBudgets, pod.NamespaceOf())
        .Where(budget => Selectors.Matches(budget.At("spec", "selector"), pod.Object("metadata", "labels")))
        .Select(Fields.Key);

    private static int Desired(JsonObject budget, int expected)
    {
        if (budget.At("spec", "maxUnavailable") is { } most)
        {
            return Math.Max(0, expected - Workloads.Scaled(most, expected, roundUp: true));
        }

        return budget.At("spec", "minAvailable") is { } least ? Workloads.Scaled(least, expected, roundUp: true) : 0;
    }

    // A whole minAvailable counts the pods there are; everything else needs the scale of their owners. Pods without an
    // owner do not count. Null: an owner has no scale.
    private int? ExpectedPods(JsonObject budget, List<JsonObject> pods)
    {
        var counted = budget.At("spec", "maxUnavailable") is null && budget.Text("spec", "minAvailable")?.EndsWith('%') != true;
        if (counted)
        {
            return pods.Count;
        }

        var total = 0;
        foreach (var owner in pods.Select(pod => pod.Controller()).OfType<JsonObject>().DistinctBy(owner => owner.Text("uid")))
        {
            if (ScaleOf(budget.NamespaceOf(), owner) is not { } scale)
            {
                return null;
            }

            total += scale;
        }

        return total;
    }

    private int? ScaleOf(string? space, JsonObject? owner)
    {
        var type = owner.Text("kind") switch
        {
            "ReplicaSet" => ResourceTypes.ReplicaSets,
            "StatefulSet" => ResourceTypes.StatefulSets,
            _ => null,
        };
        if (type is null || cluster.Store.Get(type, space, owner.Text("name")!) is not { } item)
        {
            return null;
        }

        return item.Controller() is { } above && above.Text("kind") == "Deployment"
            ? cluster.Store.Get(ResourceTypes.Deployments, space, above.Text("name")!)?.Replicas() ?? item.Replicas()
            : item.Replicas();
    }

    private string SyncFailure(JsonObject budget, List<JsonObject> pods)
    {
        var pod = pods.First(each => each.Controller() is { } owner && ScaleOf(budget.NamespaceOf(), owner) is null);
        return $"found no controllers for pod \"{pod.NameOf()}\"";
    }

    private (JsonObject Granted, TimeSpan? Recheck) StillGranted(JsonObject budget, List<JsonObject> pods)
    {
        var granted = new JsonObject();
        TimeSpan? recheck = null;
        foreach (var (name, at) in budget.Object("status", "disruptedPods") ?? [])
        {
            var pod = pods.Find(each => each.NameOf() == name);
            var expires = (budget.Time("status", "disruptedPods", name) ?? cluster.Now) + GrantExpires;
            if (pod is not null && !pod.IsDeleting() && expires > cluster.Now)
            {
                granted[name] = at?.DeepClone();
                var left = expires - cluster.Now;
                recheck = recheck is { } sooner && sooner < left ? sooner : left;
            }
        }

        return (granted, recheck);
    }

    private void Write(JsonObject budget, JsonObject status, JsonObject granted, string reason, string message)
    {
        cluster.Change(ResourceTypes.PodDisruptionBudgets, budget, current =>
        {
            var conditions = current.At("status", "conditions")?.DeepClone();
            current["status"] = status.Copy();
            status = current.Ensure("status");
            status["observedGeneration"] = current.Generation();
            status.Set(granted.Count > 0 ? granted.Copy() : null, "disruptedPods");
            status.Set(conditions, "conditions");
            current.SetCondition("DisruptionAllowed", status.Number("disruptionsAllowed") > 0 ? "True" : "False", cluster.Now, reason);
            var condition = current.Condition("DisruptionAllowed")!;
            condition["observedGeneration"] = current.Generation();
            condition["message"] = message;
        });
    }
}

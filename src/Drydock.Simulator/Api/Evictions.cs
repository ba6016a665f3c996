using System.Text.Json.Nodes;
using Drydock.Simulator.Api.Webhooks;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>
/// The eviction subresource, in the order of the real one: names, admission, then budgets (for pods that count), then the condition and the
/// deletion. A budget is consumed before the deletion, so that a deletion refused by a precondition has consumed it all the same.
/// </summary>
internal sealed class Evictions(IObjectStore store, IReadOnlyList<IEvictionAdmission> admissions, Writes writes, TimeProvider time)
{
    private const int MostDisruptedPods = 2000;
    private const string Violation = "Cannot evict pod as it would violate the pod's disruption budget.";
    private static readonly ResourceType _pods = ResourceTypes.Pods;
    private static readonly ResourceType _budgets = ResourceTypes.PodDisruptionBudgets;

    public async Task<ApiAnswer> EvictAsync(ApiRequest request, ResourceRequest path, CancellationToken cancellationToken)
    {
        var eviction = Bodies.Required(request, "Eviction");
        RefuseUnknownOptions(request, eviction);
        var (ns, name) = (path.Namespace!, path.Name!);
        if (eviction.NamespaceOf() is { Length: > 0 } own && own != ns)
        {
            throw Refusals.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        }

        writes.CheckNamespace(_pods, ns, name);
        if (eviction.NameOf() != name)
        {
            throw Refusals.BadRequest("name in URL does not match name in Eviction object");
        }

        var (deletion, dryRun) = DeleteOptions.Read(eviction["deleteOptions"] as JsonObject, request.DryRun);
        var pod = store.Get(_pods, ns, name) ?? throw Refusals.NotFound(_pods, name);
        foreach (var admission in admissions)
        {
            admission.Review(new EvictionReview(pod, dryRun));
        }

        var warnings = await writes.ReviewAsync(
            AdmissionAttributes.OfPod("Eviction", "policy/v1", path, eviction, request.Caller, dryRun), cancellationToken);

        if (!IsBeyondBudgets(pod) && BudgetOf(pod) is { } budget && !IsUnhealthyAndFree(pod, budget))
        {
            Consume(budget, pod, dryRun);
        }

        Remove(pod, deletion, dryRun);

        return Writes.Warn(Subresources.Success(request, 201), warnings);
    }

    /// <summary>Pods that serve nobody yet, or no longer.</summary>
    private static bool IsBeyondBudgets(JsonObject pod) =>
        pod.Text("status", "phase") is "Succeeded" or "Failed" or "Pending" || pod.At("metadata", "deletionTimestamp") is not null;

    private JsonObject? BudgetOf(JsonObject pod)
    {
        var labels = pod.At("metadata", "labels") as JsonObject;
        var matching = store.List(_budgets, pod.NamespaceOf())
            .Where(b => b.At("spec", "selector") is JsonObject selector && LabelSelector.Of(selector).Matches(labels))
            .Take(2)
            .ToList();

        return matching.Count > 1
            ? throw new ApiException(500, null,
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
            : matching.FirstOrDefault();
    }

    private static bool IsUnhealthyAndFree(JsonObject pod, JsonObject budget)
    {
        if (pod.Objects("status", "conditions").Any(c => c.Text("type") == "Ready" && c.Text("status") == "True"))
        {
            return false;
        }

        var desired = budget.Number("status", "desiredHealthy") ?? 0;

        return budget.Text("spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow"
            || ((budget.Number("status", "currentHealthy") ?? 0) >= desired && desired > 0);
    }

    /// <summary>Takes one disruption from the budget and enters the pod in it, in one step.</summary>
    private void Consume(JsonObject budget, JsonObject pod, bool dryRun)
    {
        store.Update(_budgets, budget.NamespaceOf(), budget.NameOf(), current =>
        {
            RefuseIfExhausted(current);
            if (dryRun)
            {
                return false;
            }

            var status = current.Child("status");
            var left = (status.Number("disruptionsAllowed") ?? 0) - 1;
            status["disruptionsAllowed"] = left;
            status.Child("disruptedPods")[pod.NameOf()] = time.GetUtcNow().Timestamp();
            if (left == 0)
            {
                MarkInsufficient(current, status);
            }

            return true;
        });
    }

    private static void RefuseIfExhausted(JsonObject budget)
    {
        var (name, status) = (budget.NameOf(), budget["status"]);
        if ((status.Number("observedGeneration") ?? 0) < (budget.Number("metadata", "generation") ?? 0))
        {
            throw TooMany($"The disruption budget {name} is still being processed by the server.", 10);
        }

        var allowed = status.Number("disruptionsAllowed") ?? 0;
        if (allowed < 0)
        {
            throw Refusals.Forbidden(_budgets with { Plural = "poddisruptionbudget" }, name, "pdb disruptions allowed is negative");
        }

        if (status.At("disruptedPods") is JsonObject { Count: > MostDisruptedPods })
        {
            throw Refusals.Forbidden(_budgets with { Plural = "poddisruptionbudget" }, name,
                "DisruptedPods map too big - too many evictions not confirmed by PDB controller");
        }

        if (allowed == 0)
        {
            var (healthy, desired) = (status.Number("currentHealthy") ?? 0, status.Number("desiredHealthy") ?? 0);
            var failed = status.Objects("conditions").FirstOrDefault(c => c.Text("reason") == "SyncFailed" && c.Text("status") == "False");

            throw TooMany(failed is not null
                ? $"The disruption budget {name} does not allow evicting pods currently because it failed sync: {failed.Text("message")}"
                : healthy <= desired
                    ? $"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
                    : $"The disruption budget {name} does not allow evicting pods currently", 0);
        }
    }

    private static ApiException TooMany(string cause, int retryAfter)
    {
        var details = new JsonObject
        {
            ["causes"] = new JsonArray(new JsonObject { ["reason"] = "DisruptionBudget", ["message"] = cause }),
        };
        if (retryAfter > 0)
        {
            details["retryAfterSeconds"] = retryAfter;
        }

        return new ApiException(429, "TooManyRequests", Violation)
        {
            Details = details,
            RetryAfterSeconds = retryAfter > 0 ? retryAfter : null,
        };
    }

    private void MarkInsufficient(JsonObject budget, JsonObject status)
    {
        var conditions = status["conditions"] as JsonArray ?? [];
        status["conditions"] = conditions;
        var condition = conditions.OfType<JsonObject>().FirstOrDefault(c => c.Text("type") == "DisruptionAllowed");
        if (condition is null)
        {
            condition = new JsonObject { ["type"] = "DisruptionAllowed" };
            conditions.Add(condition);
        }

        if (condition.Text("status") != "False")
        {
            condition["lastTransitionTime"] = time.GetUtcNow().Timestamp();
        }

        condition["status"] = "False";
        condition["reason"] = "InsufficientPods";
        condition["message"] = "";
        condition["observedGeneration"] = budget.Number("status", "observedGeneration") ?? 0;
    }

    private void Remove(JsonObject pod, Deletion deletion, bool dryRun)
    {
        var (ns, name) = (pod.NamespaceOf(), pod.NameOf());

        if (dryRun || deletion.PreconditionUid is not null || deletion.PreconditionResourceVersion is not null)
        {
            // A deletion asked for dry first answers whether the preconditions hold, before anything is written.
            _ = store.Delete(_pods, ns, name, deletion, dryRun: true) ?? throw Refusals.NotFound(_pods, name);
        }

        if (dryRun)
        {
            return;
        }

        if (pod.At("metadata", "deletionTimestamp") is null)
        {
            store.Update(_pods, ns, name, AddDisruptionTarget);
        }

        // The condition has changed the version; the uid still guards against a pod of the same name.
        var own = deletion with { PreconditionResourceVersion = null, PreconditionUid = pod.UidOf() };
        _ = store.Delete(_pods, ns, name, own) ?? throw Refusals.NotFound(_pods, name);
    }

    private bool AddDisruptionTarget(JsonObject pod)
    {
        var conditions = pod.Child("status")["conditions"] as JsonArray ?? [];
        pod.Child("status")["conditions"] = conditions;
        if (conditions.OfType<JsonObject>().Any(c => c.Text("type") == "DisruptionTarget" && c.Text("status") == "True"))
        {
            return false;
        }

        conditions.Add(new JsonObject
        {
            ["type"] = "DisruptionTarget",
            ["status"] = "True",
            ["lastProbeTime"] = null,
            ["lastTransitionTime"] = time.GetUtcNow().Timestamp(),
            ["reason"] = "EvictionByEvictionAPI",
            ["message"] = "Eviction API: evicting",
        });

        return true;
    }

    private static void RefuseUnknownOptions(ApiRequest request, JsonObject eviction)
    {
        string[] known = ["kind", "apiVersion", "gracePeriodSeconds", "preconditions", "orphanDependents", "propagationPolicy", "dryRun",
            "ignoreStoreReadErrorWithClusterBreakingPotential"];
        var unknown = (eviction["deleteOptions"] as JsonObject ?? []).Select(p => p.Key).Except(known).ToList();
        if (request["fieldValidation"] == "Strict" && unknown.Count > 0)
        {
            throw Refusals.BadRequest("Eviction in version \"v1\" cannot be handled as a Eviction: strict decoding error: "
                + string.Join(", ", unknown.Select(u => $"unknown field \"deleteOptions.{u}\"")));
        }
    }
}

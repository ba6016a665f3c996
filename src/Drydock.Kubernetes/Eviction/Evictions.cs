using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Eviction;

/// <summary>Evicts or deletes one life of a pod, once.</summary>
internal sealed class Evictions(ApiClient api)
{
    public async Task<EvictionOutcome> EvictAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken)
    {
        if (await FindAsync(pod, gracePeriod, cancellationToken) is { } settled)
        {
            return settled;
        }

        var eviction = new JsonObject
        {
            ["apiVersion"] = "policy/v1",
            ["kind"] = "Eviction",
            ["metadata"] = new JsonObject { ["name"] = pod.Pod.Name, ["namespace"] = pod.Pod.Namespace },
            ["deleteOptions"] = DeleteOptions(pod, gracePeriod),
        };
        var answer = await api.SendAsync(
            new ApiCall("create", Resource.Pods)
            {
                Namespace = pod.Pod.Namespace, Name = pod.Pod.Name, Subresource = "eviction", Body = eviction.ToJsonString(),
            },
            cancellationToken);
        var outcome = EvictionAnswers.Classify(pod.Pod, answer) ?? throw ApiErrors.From(answer);
        return outcome.Answer switch
        {
            EvictionAnswer.BudgetExhausted => await ExplainAsync(pod, outcome, cancellationToken),
            EvictionAnswer.SeveralBudgets => await NameBudgetsAsync(pod, outcome, cancellationToken),
            _ => outcome,
        };
    }

    public async Task<EvictionOutcome> DeleteAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken)
    {
        if (await FindAsync(pod, gracePeriod, cancellationToken) is { } settled)
        {
            return settled;
        }

        var answer = await api.SendAsync(
            new ApiCall("delete", Resource.Pods)
            {
                Namespace = pod.Pod.Namespace, Name = pod.Pod.Name, Body = DeleteOptions(pod, gracePeriod).ToJsonString(),
            },
            cancellationToken);
        return EvictionAnswers.Classify(pod.Pod, answer) ?? throw ApiErrors.From(answer);
    }

    /// <summary>
    /// Looks before acting. An eviction with a wrong uid is refused only after it was taken from the budget, so the precondition alone
    /// would let a stale uid eat the disruptions of others.
    /// </summary>
    private async Task<EvictionOutcome?> FindAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken)
    {
        if (await api.GetAsync(Resource.Pods, pod.Pod.Namespace, pod.Pod.Name, cancellationToken) is not { } found
            || found.Uid() != pod.Uid
            || (found.Text("spec", "nodeName") ?? "") != pod.Node)
        {
            return new EvictionOutcome(EvictionAnswer.Gone);
        }

        // A terminating pod is asked again only to end sooner than it was asked to.
        return found.IsBeingDeleted() && !Shortens(found, gracePeriod) ? new EvictionOutcome(EvictionAnswer.Terminating) : null;
    }

    private static bool Shortens(JsonElement pod, TimeSpan? gracePeriod) =>
        gracePeriod is { } wanted && Seconds(wanted) < (pod.Number("metadata", "deletionGracePeriodSeconds") ?? 0);

    private static JsonObject DeleteOptions(PodInstance pod, TimeSpan? gracePeriod)
    {
        var options = new JsonObject { ["preconditions"] = new JsonObject { ["uid"] = pod.Uid } };
        if (gracePeriod is { } grace)
        {
            options["gracePeriodSeconds"] = Seconds(grace);
        }

        return options;
    }

    private static long Seconds(TimeSpan span) => (long)Math.Ceiling(span.TotalSeconds);

    private async Task<EvictionOutcome> ExplainAsync(PodInstance pod, EvictionOutcome outcome, CancellationToken cancellationToken)
    {
        if (outcome.Object?.Split('/') is not [_, _, var name])
        {
            return outcome;
        }

        try
        {
            return await api.GetAsync(Resource.Budgets, pod.Pod.Namespace, name, cancellationToken) is { } found
                ? await ExplainAsync(outcome, BudgetSnapshots.From(found), cancellationToken)
                : outcome;
        }
        catch (ClusterException)
        {
            // The answer stands without the explanation.
            return outcome;
        }
    }

    private async Task<EvictionOutcome> ExplainAsync(EvictionOutcome outcome, BudgetSnapshot budget, CancellationToken cancellationToken)
    {
        if (budget.CanNeverAllow)
        {
            return outcome with { Answer = EvictionAnswer.BudgetCanNeverBeMet };
        }

        if (budget.WantsAll)
        {
            return outcome with { Message = $"{outcome.Message}; it wants all of its {budget.ExpectedPods} pods: it frees when there is another." };
        }

        // What is missing to the budget may be a pod that no node takes: then that is what somebody must look at.
        var waiting = await api.ListAsync(Resource.Pods, budget.Ref.Namespace, Selectors.Unscheduled, PodSnapshots.From, cancellationToken);
        var refused = (waiting?.Items ?? []).FirstOrDefault(other => other.UnschedulableMessage is not null && budget.Covers(other));
        return refused is null
            ? outcome
            : outcome with { Message = $"{outcome.Message}; pod {refused.Ref} is not scheduled: {refused.UnschedulableMessage}" };
    }

    private async Task<EvictionOutcome> NameBudgetsAsync(PodInstance pod, EvictionOutcome outcome, CancellationToken cancellationToken)
    {
        try
        {
            var budgets = await api.ListAsync(Resource.Budgets, pod.Pod.Namespace, selector: null, BudgetSnapshots.From, cancellationToken);
            var found = await api.GetAsync(Resource.Pods, pod.Pod.Namespace, pod.Pod.Name, cancellationToken);
            if (budgets is null || found is not { } json)
            {
                return outcome;
            }

            var snapshot = PodSnapshots.From(json);
            var covering = budgets.Items.Where(budget => budget.Covers(snapshot))
                .Select(budget => $"poddisruptionbudget/{budget.Ref}");
            return outcome with { Object = string.Join(", ", covering) };
        }
        catch (ClusterException)
        {
            // The answer stands without the names.
            return outcome;
        }
    }
}

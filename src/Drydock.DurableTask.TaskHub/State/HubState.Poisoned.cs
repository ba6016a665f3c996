using System.Globalization;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>Work that nobody who got it ever answered: it fails, so that it does not take workers down for ever.</summary>
internal sealed partial class HubState
{
    private const string PoisonedType = "WorkItemPoisoned";

    /// <summary>Answers an activity as failed, which its orchestration can handle.</summary>
    public void FailPoisoned(ActivityUnit unit, int deliveries)
    {
        unit.Request ??= ReadTask(unit);
        Answer(unit, new ActivityResponse { FailureDetails = Poisoned($"The activity '{unit.Name}'", deliveries) });
    }

    /// <summary>Ends an orchestration as failed, without a turn.</summary>
    public void FailPoisoned(Instance instance, int deliveries)
    {
        instance.TakeBackTurn();
        var failure = Poisoned($"The next turn of '{instance.Id}'", deliveries);
        EndNow(instance, null, OrchestrationStatus.Failed, null, failure, [.. store.Arrived(instance)]);
    }

    /// <summary>Answers one operation of an entity as failed; the entity stays as it is and goes on with the next.</summary>
    public void FailPoisoned(Instance entity, Message operation, int deliveries)
    {
        entity.Inbox.Remove(operation);
        store.DeleteMessage(entity.Key, operation.Seq);
        if (operation.Event!.EntityOperationCalled is { } call)
        {
            var failure = Poisoned($"The operation '{call.Operation}' of '{entity.Id}'", deliveries);
            Answer(call, new OperationResult { Failure = new OperationResultFailure { FailureDetails = failure } }, operation.Flags);
        }

        (entity.IsSuspect, entity.WasLost) = (false, false);
        store.ForgetDeliveries(entity.Key, 0);
        store.WriteEntity(entity.Key, entity.Entity!, Now);
        entity.Turn = null;
        Entities.Withdraw(entity, Phase.Idle);
        MakeReady(entity);
    }

    private static Failure Poisoned(string what, int deliveries) => new()
    {
        ErrorType = PoisonedType,
        ErrorMessage = $"{what} was given out {deliveries.ToString(CultureInfo.InvariantCulture)} times and never answered: each time its worker, or the whole process, "
            + "ended first. It is not given out again. (The limit is --max-deliveries, TaskHubOptions.MaximumDeliveries.)",
        IsNonRetriable = true,
    };
}

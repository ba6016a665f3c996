using Drydock.Kubernetes;
using Drydock.Maintenance.Drain;

namespace Drydock.Maintenance.VirtualMachines;

/// <content>The eviction of a machine's launcher pod, and what its answer means.</content>
internal sealed partial class MoveVmRun
{
    private async Task EvictAsync(VmObservation seen, string why)
    {
        if (seen.Launcher is not { } launcher)
        {
            _notBefore = context.Now() + VmLadder.AskAgainAfter;
            Tell(VmProgress.Waiting, "It has no virt-launcher pod yet: it is looked for again.", _notBefore);
            return;
        }

        Tell(VmProgress.Requested, $"Its launcher pod is being evicted {why}.", null);
        if (seen is { Instance: { NeedsStart: true } instance, Machine: not { Held: not null } } && !seen.RunsElsewhere(input.Node) && !seen.IsGoingDown(Ladder))
        {
            Ladder = Ladder with { NeedsStart = true };
            if (VmLadder.ShutsDown(instance) && !await MarkEvictedAsync())
            {
                return;
            }
        }

        var force = input.OnTimeout == DeadlinePolicy.Force && _deadline.IsOver(context.Now());

        // One that ends already was given its time. With a second left it is the kubelet that says that its guest is dead: only a person may
        // decide that of a node that does not answer. A machine that runs elsewhere has none here.
        var atOnce = force && seen.LeavesForeign && (launcher.IsTerminating || seen.RunsElsewhere(input.Node));
        var sooner = seen.RunsElsewhere(input.Node) ? TimeSpan.Zero : TimeSpan.FromSeconds(1);
        if (HasNews)
        {
            return;
        }

        var isShutDown = force || seen.Instance is not { } evicted || VmLadder.ShutsDown(evicted);
        (_isAsking, _endsIt) = (true, isShutDown && !seen.RunsElsewhere(input.Node));
        if (_endsIt)
        {
            // From here on that it goes says nothing of a stop.
            Ladder = Ladder with { MayBeStopped = false };
        }

        var answer = await AskAsync<LauncherEvicted>(
            Activities.EvictLauncher,
            new EvictLauncherInput(input.Node, input.Holder, new PodInstance(launcher.Pod, launcher.Uid, input.Node), force, atOnce ? sooner : input.GracePeriod)
            {
                Vm = input.Vm,
                MaxInboundPerNode = seen.Instance is { IsLiveMigratable: true } && !force ? Policy.MaxInboundPerNode : null,
                AtOnce = input.AtOnce,
                Budget = launcher.Budget?.Name,
            },
            isEviction: true);
        if (answer is null)
        {
            BookUnanswered();
            return;
        }

        _isAsking = false;
        Ladder = Ladder with { MayBeShuttingDown = false };
        if (!IsDone(answer.Act))
        {
            return;
        }

        if (answer.Kind == Answers.InboundLimit)
        {
            _notBefore = context.Now() + VmLadder.AskAgainAfter;
            Tell(VmProgress.Queued, answer.Message!, _notBefore);
            return;
        }

        if (force && seen.RunsElsewhere(input.Node))
        {
            // Its pod here is deleted, and the machine is not touched.
            if (Answers.IsLeaving(answer.Kind) || answer.Kind == Answers.Gone)
            {
                Ladder = Ladder with { IsForced = true };
                return;
            }

            _notBefore = PodSchedule.AskAgain(answer.Kind, answer.RetryAfter, context.Now());
            Tell(VmProgress.Blocked, answer.Message ?? answer.Kind, _notBefore, answer.Kind, answer.Object);
            return;
        }

        Answered(answer, launcher, isShutDown);
        Ladder = Ladder with { IsForced = Ladder.IsForced || (atOnce && Ladder.Refusal is null) };
    }

    /// <summary>Whether it was asked for is not known: as if it was, so that it is withdrawn at the end, and that nobody else is taken for it.</summary>
    private void BookUnanswered()
    {
        if (_isAsking)
        {
            _isAsking = false;
            Ladder = Ladder with { AskedAt = Ladder.AskedAt ?? context.Now(), MayBeShuttingDown = Ladder.MayBeShuttingDown || _endsIt };
        }
    }

    private void Answered(LauncherEvicted answer, ObservedLauncher launcher, bool isShutDown)
    {
        var now = context.Now();

        // A rerun, after a crash, finds the pod gone that the lost answer was about: what comes in its place is followed all the same.
        var isLeaving = Answers.IsLeaving(answer.Kind) || (answer.Kind == Answers.Gone && isShutDown);
        var isOnItsWay = answer.Kind is Answers.VmMigrating or Answers.Gone || Answers.IsLeaving(answer.Kind);
        Ladder = Ladder with
        {
            Asked = Ladder.Asked + 1,
            IsShuttingDown = Ladder.IsShuttingDown || isLeaving,
            AskedAt = isOnItsWay ? now : null,
            LastAnswer = answer.Kind is Answers.VmMigrating ? null : answer.Message,
            Refusal = isOnItsWay ? null : new(answer.Kind, answer.Message, answer.Object, PodSchedule.AskAgain(answer.Kind, answer.RetryAfter, now))
            {
                MustWait = answer.RetryAfter > TimeSpan.Zero,
                BudgetVersion = launcher.Budget?.Version,
            },
        };

        if (Ladder.Refusal is { } refusal)
        {
            // For a reason of its own (a budget, a webhook): told as it is, and asked for again.
            _notBefore = refusal.Until;
            var isInTheWay = Answers.IsBlocker(refusal.Kind);
            Tell(
                isInTheWay ? VmProgress.Blocked : VmProgress.Waiting, refusal.Message ?? refusal.Kind, refusal.Until,
                isInTheWay ? refusal.Kind : null, refusal.Object);
        }
    }
}

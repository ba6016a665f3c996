using Drydock.Kubernetes;
using Drydock.Maintenance.Drain;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>One generation of <see cref="MoveVmOrchestrator"/>.</summary>
internal sealed partial class MoveVmRun(TaskOrchestrationContext context, MoveVmInput input)
{
    private static readonly TimeSpan LeaseRetry = TimeSpan.FromSeconds(5);

    private readonly Task<string> _end = context.WaitForExternalEvent<string>(ChildEvents.End);

    private MoveVmState _state = input.State;

    // Set when an act could not be done now: decide again, but not before that.
    private DateTimeOffset? _notBefore;

    // It is being asked for: whether it was is not known before the answer is there.
    private bool _isAsking;

    // What is asked for would shut it down.
    private bool _endsIt;

    // What holds for this machine: the request's word on it, its annotations if they count, the policy.
    private VirtualMachinePolicy Policy => VmPolicies.For(input.Policy, input.Vm, _state.Seen?.Machine?.Annotated) is var policy && input.FailsNothing
        ? VmPolicies.WithoutFailing(policy) : policy;

    private VmInput Vm => new(input.Node, input.Holder, input.Vm);

    private VmLadderState Ladder
    {
        get => _state.Ladder;
        set => _state = _state with { Ladder = value };
    }

    public async Task<MoveVmResult> RunAsync(int rounds)
    {
        if (_state.Told is { } told)
        {
            // What was told went with the generation that told it.
            context.SetCustomStatus(told);
        }

        VmStep? waiting = null;
        for (var round = 0; round < rounds; round++)
        {
            var seen = await LookAsync(waiting as VmStep.Wait);
            if (_end.IsCompleted)
            {
                return await EndAsync(seen);
            }

            await SteerAsync();
            waiting = await DecideAsync(seen);
            if (waiting is VmStep.Done done)
            {
                return Finish(done.Outcome, done.Message + await LetGoAsync(seen, done.Outcome), done.Node, isFailure: false);
            }

            if (waiting is VmStep.Failed failed)
            {
                var message = failed.Message + await LetGoAsync(seen, failed.Outcome);
                return failed.Outcome == VmOutcome.StillThere
                    ? StillThere(seen, "", message, isFailure: true)
                    : Finish(failed.Outcome, message, null, isFailure: true);
            }
        }

        await SteerAsync();
        if (_end.IsCompleted)
        {
            // It came during the last round and would be lost with this generation.
            return await EndAsync(await LookAsync(waiting as VmStep.Wait));
        }

        return Continue();
    }

    private MoveVmResult Continue()
    {
        context.ContinueAsNew(input with { State = _state, Deadline = _deadline.Deadline });
        return Finish(VmOutcome.StillThere, "", null, isFailure: false, tell: false);
    }

    private async Task<VmObservation> LookAsync(VmStep.Wait? wait)
    {
        var now = context.Now();
        var until = now + TimeSpan.FromMinutes(1);
        foreach (var earlier in new[] { wait?.Until, _notBefore, _deadline.IsSuspended || _deadline.Deadline <= now ? null : _deadline.Deadline, ForceEnd > now ? ForceEnd : null })
        {
            until = earlier < until ? earlier.Value : until;
        }

        // After an act, not a wait, look at once.
        var known = wait is null && _notBefore is null ? null : _state.Seen?.Fingerprint();
        var seen = await context.Await<VmObservation>(
            Activities.AwaitVm,
            new AwaitVmInput(input.Node, input.Vm, known, _state.Seen?.Cursor, until)
            {
                MaxInboundPerNode = input.Policy.MaxInboundPerNode,
                WantsTargets = Ladder.FailedTargets.Count > 0,
                Holder = input.Holder,
                ReadsBackoffs = wait is { Progress: VmProgress.Requested },
                ReadsAnnotations = input.Policy.AllowAnnotations,
                AllowedAnnotations = input.Policy.AllowedAnnotations,
                ReadsSiblings = Ladder.OriginalUid is null,
                FollowsOwner = Ladder.OtherOwnerName,
                FollowsFrom = Ladder.NewestSibling,
            },
            input.Node,
            Task.WhenAny(_end, _steers.News));
        if (known is not null && seen.Fingerprint() != known)
        {
            _notBefore = null;
        }

        _state = _state with { Seen = seen };
        Recognise(seen);
        RecogniseUnanswered(seen);
        return seen;
    }

    // Another life on the same node, as on a held one that somebody uncordoned: all begins anew for it.
    private void Recognise(VmObservation seen)
    {
        if (seen.Instance is { } instance
            && (Ladder.OriginalUid is null || (instance.Uid != Ladder.OriginalUid && instance is { IsFinal: false } && instance.Node == input.Node)))
        {
            Ladder = VmLadderState.Of(instance, seen.Machine) with { WasElsewhere = seen.Launcher is null && instance.Node is { } where && where != input.Node };
        }
    }

    /// <summary>Decides and acts. A step that is over, or a wait; null after an act.</summary>
    private async Task<VmStep?> DecideAsync(VmObservation seen)
    {
        var now = context.Now();
        if (_notBefore > now)
        {
            return null;
        }

        _notBefore = null;
        var step = WhileSuspended(AtForceEnd(AtDeadline(VmLadder.Decide(seen, Ladder, input.Node, Policy, now), seen, now), now));
        switch (step)
        {
            case VmStep.Wait wait:
                Ladder = wait.State;
                Tell(wait, seen);
                return wait;
            case VmStep.EvictLauncher evict:
                await EvictAsync(seen, evict.Why);
                return null;
            case VmStep.Count count:
                Ladder = Ladder with { Attempts = Ladder.Attempts + 1, CountedMigration = count.MigrationUid, LastAnswer = count.Why };
                return await DecideAsync(seen);
            case VmStep.Abort abort:
                await AbortAsync(abort);
                return null;
            case VmStep.MigrateTo elsewhere:
                await MigrateAsync(elsewhere, seen);
                return null;
            case VmStep.Stop stop:
                await StopAsync(stop.Why, seen);
                return null;
            case VmStep.ForceStop force:
                await ForceStopAsync(force.Why);
                return null;
            case VmStep.Start start:
                await StartAsync(start.Why);
                return null;
            case VmStep.DeleteInstance delete:
                await DeleteInstanceAsync(delete.Why, seen);
                return null;
            default:
                return step;
        }
    }

    private async Task AbortAsync(VmStep.Abort abort)
    {
        Tell(VmProgress.Blocked, abort.Why, null);
        var withdrawn = await context.Do<ActResult>(Activities.CancelEvacuation, Vm);
        if (withdrawn.Verdict is Verdict.LeaseLost or Verdict.Cancelled)
        {
            IsDone(withdrawn);
            return;
        }

        Ladder = Ladder with { WithdrawnMigration = abort.MigrationUid };
        if (abort.Migration is { } migration)
        {
            var deleted = await context.Do<ActResult>(
                Activities.DeleteMigration,
                new MigrationInput(input.Node, input.Holder, new ObjectRef(input.Vm.Namespace, migration), abort.MigrationUid!) { Vm = input.Vm });
            if (!IsDone(deleted))
            {
                return;
            }
        }

        var attempts = Ladder.Attempts + 1;
        var target = abort.Target ?? Ladder.PinnedTo;
        Ladder = Ladder with
        {
            Attempts = attempts,
            CountedMigration = abort.Counted ?? abort.MigrationUid ?? Ladder.CountedMigration,
            WithdrawnMigration = null,

            // As long as the mark stays, KubeVirt owes another.
            AskedAt = withdrawn.Verdict == Verdict.Refused && attempts < Policy.MaxAttempts ? context.Now() : null,
            RetryAt = context.Now() + VmLadder.Pause(Policy, attempts),
            ClockFor = null,
            ClockSince = null,
            LastAnswer = withdrawn.Verdict == Verdict.Refused ? $"{abort.Why} {withdrawn.Message}" : abort.Why,
            FailedTargets = target is null ? Ladder.FailedTargets : [.. Ladder.FailedTargets.Append(target).Distinct()],
            PinnedTo = null,
            CannotWithdraw = withdrawn.Verdict == Verdict.Refused,
            WhyNotWithdrawn = withdrawn.Verdict == Verdict.Refused ? withdrawn.Message : null,
        };
    }

    /// <summary>Another target than the one that failed. The migration is a person's, as KubeVirt sees it: it is not made again by itself.</summary>
    private async Task MigrateAsync(VmStep.MigrateTo step, VmObservation seen)
    {
        if (HasNews)
        {
            return;
        }

        Tell(VmProgress.Requested, $"It is migrated {step.Why}.", null);
        Ladder = Ladder with { PinnedTo = step.Target.Node };
        (_isAsking, _endsIt) = (true, false);
        var asked = await AskAsync<ActResult>(
            Activities.MigrateVm,
            new MigrateVmInput(
                input.Node, input.Holder, input.Vm, seen.Instance!.Uid, step.Target.Hostname, seen.Migration?.Uid, Policy.MaxInboundPerNode),
            isEviction: input.EndsPromptly);
        if (asked is null)
        {
            BookUnanswered();
            return;
        }

        _isAsking = false;
        if (asked.Kind == Answers.InboundLimit)
        {
            // Our own limit, as where it is evicted: it waits its turn.
            Ladder = Ladder with { PinnedTo = null };
            _notBefore = context.Now() + VmLadder.AskAgainAfter;
            Tell(VmProgress.Queued, asked.Message!, _notBefore);
            return;
        }

        Ladder = IsDone(asked)
            ? Ladder with { Asked = Ladder.Asked + 1, AskedAt = context.Now(), LastAnswer = null }
            : Ladder with { PinnedTo = null };
    }

    private bool IsDone(ActResult act, bool refusedIsDone = false)
    {
        var wasLost = _state.IsLeaseLost;
        _state = _state with { IsLeaseLost = act.Verdict == Verdict.LeaseLost };
        if (act.Verdict == Verdict.Done || (refusedIsDone && act.Verdict == Verdict.Refused))
        {
            return true;
        }

        if (_state.IsLeaseLost && !wasLost)
        {
            context.LookAtLease(input.Holder);
        }

        _notBefore = context.Now() + (act.Verdict == Verdict.LeaseLost ? LeaseRetry : VmLadder.AskAgainAfter);
        Tell(
            VmProgress.Blocked, act.Message ?? act.Verdict.ToString(), _notBefore, Kebab.Of(act.Verdict.ToString()),
            _state.IsLeaseLost ? $"lease/medik8s-leases/node-{input.Node}" : null,
            _state.IsLeaseLost ? "It goes on by itself when the lease is ours again; see whoever holds it to its end, or cancel this maintenance."
                : "It is tried again every ten seconds; look at its events and at the log of virt-api.");
        return false;
    }

    private MoveVmResult Finish(VmOutcome outcome, string message, string? node, bool isFailure, bool tell = true)
    {
        if (tell)
        {
            Tell(outcome is VmOutcome.StillThere or VmOutcome.Skipped ? VmProgress.Blocked : VmProgress.Gone, message, null);
        }

        var attempts = Ladder.Attempts + (outcome == VmOutcome.Migrated ? 1 : 0);
        return new(new VmResult(input.Vm, outcome, attempts, message, _state.StoppedStrategy) { Node = node }, isFailure)
        {
            LeftBehind = outcome is VmOutcome.StillThere or VmOutcome.Skipped ? _leftBehind : null,
            IsStillAsked = _isStillAsked,
            Stopped = _state.StoppedLedger is { } ledger ? new StoppedVm(input.Vm, ledger) : null,
        };
    }

    private void Tell(VmStep.Wait wait, VmObservation seen)
    {
        var late = wait.Blocker == Answers.StuckTerminating ? seen.Launcher : null;
        Tell(
            wait.Progress, wait.Message, wait.Deadline ?? wait.Until, wait.Blocker, late is null ? wait.LookAt : $"pod/{late.Pod}", wait.NextStep,
            seen.Migration is { IsFinished: false } moving ? moving.Phase : null, late?.LeavingSince, (wait.NextTry, wait.Decides));
    }

    // By the drain alone: past its deadline under Wait, down already, or late on a held node, nothing is decided by that.
    private DateTimeOffset? DrainDecides => _deadline.IsSuspended || Ladder.GoneSince is not null || (input.FailsNothing && input.OnTimeout == DeadlinePolicy.Wait) ? null
        : !_deadline.IsOver(context.Now()) ? _deadline.Deadline
        : ForceEnd;

    private void Tell(
        VmProgress progress, string message, DateTimeOffset? deadline, string? blocker = null, string? lookAt = null, string? nextStep = null,
        string? phase = null, DateTimeOffset? from = null, (DateTimeOffset? NextTry, DateTimeOffset? Decides)? times = null)
    {
        // Else it is asked for again then.
        var (nextTry, decides) = times ?? (deadline, null);
        var since = from ?? (_state.Told is { } told && told.Progress == progress && told.Message == message ? told.Since : context.Now());
        var status = new VmStatus(input.Vm, progress, message)
        {
            MigrationPhase = phase,
            Attempts = Ladder.Attempts,
            Since = since,
            Deadline = deadline,
            Blocker = blocker is null ? null : new Blocker(
                blocker, input.Vm.ToString(), lookAt ?? $"virtualmachineinstance/{input.Vm}", message, since, Ladder.Attempts, nextTry,
                DrainDecides is { } end && !(decides < end) ? end : decides, nextStep ?? Answers.NextStep(blocker, lookAt)),
        };
        _state = _state with { Told = status };
        context.SetCustomStatus(status);
    }
}

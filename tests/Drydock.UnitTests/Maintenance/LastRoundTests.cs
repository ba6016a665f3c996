using Drydock.DurableTask;
using Drydock.DurableTask.Converters;
using Drydock.DurableTask.Protobuf;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Actions;
using Drydock.Maintenance.Approvals;
using Drydock.Maintenance.Drain;
using Drydock.Maintenance.Lease;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.VirtualMachines;
using Drydock.UnitTests.DurableTask.Execution;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>
/// Children of a maintenance that are told to end while the last activity of a generation runs: they end, and do not go on with a fresh
/// history that has never heard of it.
/// </summary>
public sealed class LastRoundTests
{
    private const int MoreThanAGeneration = 300;

    private static readonly DateTimeOffset Begin = new(History.Begin, TimeSpan.Zero);

    [Fact]
    public void The_lease_is_not_renewed_for_ever() => EndsWhereverItIsTold(
        new HoldLeaseOrchestrator().RunAsync,
        new HoldLeaseInput(new LeaseInput("node-1", "u", "drydock/h/m1", TimeSpan.FromMinutes(1)), "m1"),
        static _ => new LeaseOutcome(true, "drydock/h/m1", Begin.AddYears(1), false));

    [Fact]
    public void The_marks_are_not_put_back_for_ever() => EndsWhereverItIsTold(
        new HoldNodeOrchestrator().RunAsync,
        new HoldNodeInput("node-1", "drydock/h/m1", "m1", new NodePrior(false, [], null), []) { LooksForNew = true },
        static activity => activity switch
        {
            Activities.AwaitMarks => new MarksSeen([], "c"),
            Activities.WakeWaits => true,
            _ => ActResult.Done,
        });

    [Fact]
    public void Nobody_is_reminded_for_ever() => EndsWhereverItIsTold(
        new RemindOrchestrator().RunAsync,
        new RemindInput(new NodeEvent("node-1", null, false, "Waits", "It waits.", "m1"), TimeSpan.FromSeconds(1)),
        static _ => true);

    [Theory]
    [InlineData(ChildEvents.End, ActionOutcome.Cancelled)]
    [InlineData(ActionEvents.Callback, ActionOutcome.Done)]
    public void Whoever_ends_a_call_that_is_never_accepted_is_heard(string name, ActionOutcome outcome)
    {
        object payload = name == ActionEvents.Callback ? new WebhookCallback(true) : "end";
        foreach (var isLate in new[] { false, true })
        {
            EndsWhereverItIsTold(
                new ActionOrchestrator().RunAsync,
                new ActionInput("node-1", "drydock/h/m1", "m1", "action", new(MaintenanceAction.Webhook, new ActionOptions { Template = "change" }), Begin.AddYears(1))
                {
                    Webhook = new WebhookTemplate("https://hooks.example", "key"), RetriesGoOn = true,
                },
                static _ => new WebhookCalled(new(Verdict.Refused, "It answered 503."), TryAgain: true),
                name, payload, isLate, end => Read<ActionResult>(end).Outcome.ShouldBe(outcome));
        }
    }

    [Fact]
    public void A_change_is_not_tried_for_ever() => EndsWhereverItIsTold(
        new ActionOrchestrator().RunAsync,
        new ActionInput("node-1", "drydock/h/m1", "m1", "action", new(MaintenanceAction.Job, new ActionOptions { Template = "firmware" }), Begin.AddYears(1))
        {
            Job = new JobTemplate("default", "{}"), RetriesGoOn = true,
        },
        static activity => activity == Activities.EndJob ? true : new ActResult(Verdict.LeaseLost, "The lease is not ours."));

    [Theory]
    [InlineData("accepted")]
    [InlineData("refused")]
    [InlineData("throttled")]
    [InlineData("untried")]
    [InlineData("lease-lost")]
    public void What_an_eviction_was_answered_in_the_turn_that_continues_as_new_is_not_lost(string answer)
    {
        var (_, last) = Drain(static _ => "refused");
        var (next, evictions) = Drain(eviction => eviction == last ? answer : "refused");

        evictions.ShouldBe(last);
        last.ShouldBeGreaterThan(30, "a generation has many rounds");
        var (state, pod) = (next.State, next.State.Pods.ShouldHaveSingleItem());
        var now = Begin.AddMinutes(2 * last);
        switch (answer)
        {
            case "accepted":
                (pod.IsLeaving, pod.AcceptedAt, pod.Attempts).ShouldBe((true, now, last));
                break;
            case "refused":
                (pod.HeldBy, pod.NextTry, pod.Attempts).ShouldBe(("webhook-denied", now.AddSeconds(10), last));
                break;
            case "throttled":
                (pod.HeldBy, state.ThrottledUntil).ShouldBe((Answers.Throttled, now.AddSeconds(40)));
                break;
            case "untried":
                (pod.NextTry, pod.Attempts).ShouldBe((now.AddSeconds(1), last - 1));
                break;
            default:
                (state.LeaseRetryAt, pod.Attempts).ShouldBe((now.AddSeconds(5), last - 1));
                break;
        }

        // What follows asks for nothing before that, nor ever again for what was accepted.
        var look = Turns.Executor<DrainInput, DrainResult>(new DrainOrchestrator().RunAsync).Run(History.Start(Json(next))).Actions
            .Single(static action => action.ScheduleTask is not null).ScheduleTask;
        look.Name.ShouldBe(Activities.AwaitPods);
        Read<AwaitPodsInput[]>(look.Input).Single().Codes.ShouldBe([pod.Code]);
    }

    /// <summary>A whole generation of a drain with one pod, which is asked to go in each round; and how often it was asked.</summary>
    private static (DrainInput Next, int Evictions) Drain(Func<int, string> answer)
    {
        var input = new DrainInput(
            "node-1", "drydock/h/m1", "m1", new DrainPolicy { OnTimeout = DeadlinePolicy.Wait }, Begin.AddYears(1), KeepsEmpty: false, new DrainState());
        var drain = Turns.Executor<DrainInput, DrainResult>(new DrainOrchestrator().RunAsync);
        var turn = drain.Run(History.Start(Json(input)));
        var evictions = 0;
        for (var step = 1; turn.Completion is null; step++)
        {
            step.ShouldBeLessThan(MoreThanAGeneration, "it neither ends nor goes on");
            var next = turn.Actions.Single(static action => action.ScheduleTask is not null);
            var result = next.ScheduleTask.Name == Activities.AwaitPods ? Json(Look(step)) : Json(Evicted(answer(++evictions)));
            turn = drain.Run(History.Later(step * 60).ActivityCompleted(next.Id, result));
        }

        turn.Completion.OrchestrationStatus.ShouldBe(OrchestrationStatus.ContinuedAsNew);
        return (Read<DrainInput>(turn.Completion.Result), evictions);
    }

    private static PodsSeen Look(int step) =>
        new("c", Begin.AddMinutes(step), [], step == 1 ? [new PodEntry("shop", "web-0", "u0")] : [], [], 0, 1, new Dictionary<string, int>());

    private static PodsEvicted Evicted(string answer) => answer switch
    {
        "accepted" => new(Verdict.Done, ["u0"], []),
        "refused" => new(Verdict.Done, [], [new PodTry("u0", "webhook-denied", "no", null, null)]),
        "throttled" => new(Verdict.Done, [], [new PodTry("u0", Answers.Throttled, "busy", null, TimeSpan.FromSeconds(40))]),
        "untried" => new(Verdict.Done, [], []) { Untried = ["u0"] },
        _ => new(Verdict.LeaseLost, [], []),
    };

    [Fact]
    public void A_machine_is_not_moved_after_the_maintenance_was_told_to_end()
    {
        var input = new MoveVmInput(
            "node-1", "drydock/h/m1", new("vms", "one"), new VirtualMachinePolicy(), null, Begin.AddHours(1), DeadlinePolicy.Wait, new MoveVmState());
        var seen = new VmObservation(Begin)
        {
            Instance = new ObservedInstance("vmi", "node-1", "Running", "LiveMigrate", true),
            Launcher = new ObservedLauncher(new("vms", "virt-launcher-one"), "pod", false),
            Machine = new ObservedMachine("Always", "Running"),
        };
        var move = Turns.Executor<MoveVmInput, MoveVmResult>(static (context, input) => new MoveVmRun(context, input).RunAsync(rounds: 1));
        var look = move.Run(History.Start(Json(input))).Actions.Single(static action => action.ScheduleTask is not null);
        var evict = move.Run(History.Later(1).ActivityCompleted(look.Id, Json(seen))).Actions.Single(static action => action.ScheduleTask is not null);
        evict.ScheduleTask.Name.ShouldBe(Activities.EvictLauncher);

        var turn = move.Run(History.Later(2).Raised(ChildEvents.End, Json("end"))
            .ActivityCompleted(evict.Id, Json(new LauncherEvicted(ActResult.Done, "vm-migrating", null, null))));

        // What waits for its turn to evict is told to stop; here it has just answered.
        turn.Actions.Single().ScheduleTask.Name.ShouldBe(Activities.WakeWaits);
        turn = move.Run(History.Later(2).ActivityCompleted(turn.Actions.Single().Id, Json(true)));
        turn.Completion.ShouldBeNull("it looks where the machine is before it ends");
        turn.Actions.Select(static action => action.ScheduleTask?.Name).OfType<string>().ShouldBe([Activities.AwaitVm, Activities.WakeWaits]);
    }

    /// <summary>One run for each activity of a generation: the end comes while that one is under way.</summary>
    private static void EndsWhereverItIsTold<TInput, TOutput>(
        Func<TaskOrchestrationContext, TInput, Task<TOutput>> orchestrator, TInput input, Func<string, object> answer,
        string name = ChildEvents.End, object? payload = null, bool isLate = false, Action<string>? check = null)
    {
        var told = Json(payload ?? "end");
        for (var last = 1; last < MoreThanAGeneration; last++)
        {
            var child = Turns.Executor(orchestrator);
            var turn = child.Run(History.Start(Json(input)));
            var activity = 0;
            var pending = new List<OrchestratorAction>(turn.Actions);
            for (var step = 1; turn.Completion is null; step++)
            {
                step.ShouldBeLessThan(MoreThanAGeneration * 2, "it neither ends nor goes on");
                var next = pending.Find(static action => action.ScheduleTask is not null) ?? pending[^1];
                pending.Remove(next);
                var history = History.Later(step * 60);
                if (next.CreateTimer is not null)
                {
                    turn = child.Run(history.TimerFired(next.Id));
                }
                else
                {
                    var isTold = ++activity == last;
                    history = isTold && !isLate ? history.Raised(name, told) : history;
                    history = history.ActivityCompleted(next.Id, Json(answer(next.ScheduleTask.Name)));
                    turn = child.Run(isTold && isLate ? history.Raised(name, told) : history);
                }

                pending.AddRange(turn.Actions);
            }

            if (activity >= last)
            {
                turn.Completion.OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed, $"told during activity {last}");
                check?.Invoke(turn.Completion.Result);
            }
            else
            {
                turn.Completion.OrchestrationStatus.ShouldBe(OrchestrationStatus.ContinuedAsNew);
                last.ShouldBeGreaterThan(30, "a generation has many rounds");
                return;
            }
        }
    }

    private static T Read<T>(string json) => JsonDataConverter.Default.Deserialize<T>(json)!;

    private static string Json(object? value) => JsonDataConverter.Default.Serialize(value)!;
}

using System.Text.Json.Serialization;
using Drydock.Maintenance.Actions;
using Drydock.Maintenance.Steering;

namespace Drydock.Maintenance.Health;

/// <summary>A probe by its name in the policy.</summary>
/// <param name="Name">The name.</param>
/// <param name="Template">What it asks.</param>
/// <param name="Job">The job it runs, for <see cref="ProbeKind.Job"/>.</param>
/// <param name="ReadyBefore">How many pods were Ready before, for <see cref="ProbeKind.Pods"/>.</param>
internal sealed record NamedProbe(string Name, ProbeTemplate Template, JobTemplate? Job = null, int ReadyBefore = 0);

/// <summary>A node to check: the input of <c>node.health-gate</c>.</summary>
/// <param name="Node">The node.</param>
/// <param name="Holder">Whose maintenance it is.</param>
/// <param name="Maintenance">Its instance id.</param>
/// <param name="Demand">What must be true.</param>
/// <param name="Probes">What must pass besides, in order.</param>
/// <param name="Deadline">By when.</param>
internal sealed record HealthGateInput(
    string Node, string Holder, string Maintenance, HealthDemand Demand, IReadOnlyList<NamedProbe> Probes, DateTimeOffset Deadline)
{
    /// <summary>Probes by jobs that have passed: each job runs once.</summary>
    public IReadOnlyList<string> Passed { get; init; } = [];

    /// <summary>The maintenance is suspended since then: the deadline does not run.</summary>
    public DateTimeOffset? SuspendedAt { get; init; }

    /// <summary>It ends as soon as it is told to or its time is over, also between two tries; false in what was stored before it did: its history must replay.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool EndsPromptly { get; init; }

    /// <summary>The same after that.</summary>
    public HealthGateInput After(IReadOnlyList<ChildSteer> steers)
    {
        var after = steers.Aggregate(new SteeredDeadline(Deadline, SuspendedAt), static (deadline, steer) => deadline.After(steer));
        return this with { Deadline = after.Deadline, SuspendedAt = after.SuspendedAt };
    }
}

/// <summary>How a health gate ended.</summary>
/// <param name="IsHealthy">Everything passed.</param>
/// <param name="Failing">What did not, with what it saw.</param>
internal sealed record HealthResult(bool IsHealthy, IReadOnlyList<FailedCheck> Failing);

/// <summary>Waits until a node is healthy and its probes pass, by a deadline.</summary>
internal sealed class HealthGateOrchestrator : TaskOrchestrator<HealthGateInput, HealthResult>
{
    private const int RoundsBeforeNew = 40;

    private const string NotSeen = "not-seen";

    private static readonly TimeSpan BetweenProbes = TimeSpan.FromSeconds(10);

    public override async Task<HealthResult> RunAsync(TaskOrchestrationContext context, HealthGateInput input)
    {
        var end = context.WaitForExternalEvent<string>(ChildEvents.End);
        var steers = new SteerInbox(context);
        HealthSeen? seen = null;
        for (var round = 0; round < RoundsBeforeNew; round++)
        {
            input = await WhileSuspendedAsync(input, steers, end);
            seen = await LookAsync(context, input, seen, Task.WhenAny(end, steers.News));
            if (steers.News.IsCompleted && !end.IsCompleted)
            {
                // Once it goes on, all is looked at again.
                seen = null;
                continue;
            }

            var (failing, passed) = (seen.Failing, input.Passed.Count);
            if (failing.Count == 0 && !end.IsCompleted)
            {
                (input, failing) = await ProbeAsync(context, input, steers, end);
            }

            if (input.EndsPromptly && failing.Count == 0 && input.Passed.Count > passed && !end.IsCompleted)
            {
                // A job may have taken long: what was healthy before it need not be any more.
                seen = null;
                continue;
            }

            if (end.IsCompleted || failing.Count == 0 || (context.Now() >= input.Deadline && input.SuspendedAt is null) || failing.Any(check => check.IsFinal))
            {
                return new HealthResult(failing.Count == 0 && !end.IsCompleted, failing);
            }

            Tell(context, failing);
            if (seen.Failing.Count == 0 || seen.Failing[0].Check == NotSeen)
            {
                seen = null;
                await PauseAsync(context, Earlier(context.Now() + BetweenProbes, input.Deadline), Task.WhenAny(end, steers.News));
            }
        }

        input = await WhileSuspendedAsync(input, steers, end);
        if (end.IsCompleted)
        {
            // It came in the last pause and would be lost with this generation.
            return new HealthResult(false, seen?.Failing ?? []);
        }

        context.ContinueAsNew(input);
        return new HealthResult(false, []);
    }

    // A node that could not be looked at is not healthy, and may be seen before the deadline: the API server was away, or did not know us yet.
    private static async Task<HealthSeen> LookAsync(TaskOrchestrationContext context, HealthGateInput input, HealthSeen? before, Task end)
    {
        var look = new AwaitHealthInput(input.Node, input.Demand, before?.Fingerprint(), before?.Cursor, input.Deadline);
        try
        {
            return await context.Await<HealthSeen>(Activities.AwaitHealth, look, input.Node, end, isTriedOn: !input.EndsPromptly, input.Deadline);
        }
        catch (TaskFailedException failure)
        {
            return new HealthSeen([new FailedCheck(NotSeen, $"The node could not be looked at: {failure.Sentence()}")], null);
        }
    }

    private static async Task<ProbeSeen> AskAsync(TaskOrchestrationContext context, HealthGateInput input, NamedProbe probe, Task stop)
    {
        var asked = new ProbeInput(input.Node, input.Maintenance, probe);
        try
        {
            return input.EndsPromptly
                ? await context.Do<ProbeSeen>(Activities.Probe, asked, stop, input.Deadline)
                : await context.Do<ProbeSeen>(Activities.Probe, asked);
        }
        catch (TaskFailedException failure)
        {
            return new ProbeSeen(false, failure.Sentence());
        }
    }

    /// <summary>All probes in order; the first that fails is told.</summary>
    private static async Task<(HealthGateInput Input, IReadOnlyList<FailedCheck> Failing)> ProbeAsync(
        TaskOrchestrationContext context, HealthGateInput input, SteerInbox steers, Task end)
    {
        foreach (var probe in input.Probes)
        {
            if (probe.Template.Kind != ProbeKind.Job)
            {
                var seen = await AskAsync(context, input, probe, Task.WhenAny(end, steers.News));
                if (!seen.Passes)
                {
                    return (input, [new FailedCheck($"probe-{probe.Name}", $"Probe {probe.Name}: {seen.Saw}")]);
                }
            }
            else if (!input.Passed.Contains(probe.Name))
            {
                (input, var failed) = await RunJobAsync(context, input, probe, steers, end);
                if (failed is not null)
                {
                    return (input, [failed]);
                }

                input = input with { Passed = [.. input.Passed, probe.Name] };
            }
        }

        return (input, []);
    }

    // As an action of its own: one job, seen through, whatever dies meanwhile.
    private static async Task<(HealthGateInput Input, FailedCheck? Failed)> RunJobAsync(
        TaskOrchestrationContext context, HealthGateInput input, NamedProbe probe, SteerInbox steers, Task end)
    {
        var key = $"probe-{probe.Name}";
        var left = input.Deadline - context.Now();
        if (input is { EndsPromptly: true, SuspendedAt: null } && left <= TimeSpan.Zero)
        {
            return (input, new FailedCheck(key, $"Probe {probe.Name}: its Job was not started, as the node was healthy too late for it.", IsFinal: true));
        }

        var action = new ActionInput(
            input.Node, input.Holder, input.Maintenance, key, new ActionStep(MaintenanceAction.Job, new ActionOptions { Template = probe.Template.Job }), input.Deadline)
        {
            Timeout = left,
            Job = probe.Job,
            SuspendedAt = input.SuspendedAt,
            RetriesGoOn = true,
            LooksOn = true,
            EndsPromptly = input.EndsPromptly,
        };
        var id = InstanceIds.Action(input.Maintenance, key);
        var running = context.CallSubOrchestratorAsync<ActionResult>(Orchestrations.Action, action, new TaskOptions().WithInstanceId(id));
        Task first;
        while ((first = await Task.WhenAny(running, end, steers.News)) == steers.News)
        {
            var taken = await steers.TakeAsync();
            input = input.After(taken);
            foreach (var steer in taken)
            {
                context.SendEvent(id, ChildEvents.Steer, steer);
            }
        }

        if (first != running)
        {
            context.SendEvent(id, ChildEvents.End, "end");
        }

        var result = await running;
        return (input, result.Outcome == ActionOutcome.Done ? null : new FailedCheck($"probe-{probe.Name}", $"Probe {probe.Name}: {result.Message}", IsFinal: true));
    }

    /// <summary>Takes what came of suspend, resume and extend, and waits for as long as the maintenance is suspended, unless it is to end.</summary>
    private static async Task<HealthGateInput> WhileSuspendedAsync(HealthGateInput input, SteerInbox steers, Task end)
    {
        input = input.After(await steers.TakeAsync());
        while (input.SuspendedAt is not null && !end.IsCompleted)
        {
            await Task.WhenAny(end, steers.News);
            input = input.After(await steers.TakeAsync());
        }

        return input;
    }

    private static void Tell(TaskOrchestrationContext context, IReadOnlyList<FailedCheck> failing)
    {
        var sentences = failing.Take(5).Select(check => check.Saw).ToList();
        context.SetCustomStatus(new HealthStatus($"Waiting until the node is healthy: {string.Join(" ", sentences)}", sentences));
    }

    private static async Task PauseAsync(TaskOrchestrationContext context, DateTimeOffset until, Task end)
    {
        using var woken = new CancellationTokenSource();
        if (await Task.WhenAny(context.CreateTimer(until, woken.Token), end) == end)
        {
            woken.Cancel();
        }
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;
}

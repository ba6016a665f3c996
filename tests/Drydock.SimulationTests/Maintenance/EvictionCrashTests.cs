using System.Text.Json.Nodes;
using Drydock.DurableTask.TaskHub;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// The process dies just before and just after every eviction and every delete by force, whatever is answered, at each of them in turn, at
/// one after the other, and at commits between. Each pod leaves once, what came in its place is not touched, no budget is spent twice, and
/// what is told is what was: attempts, since when, until when.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class EvictionCrashTests
{
    private const int MostDeaths = 6;

    private static readonly TimeSpan LetGoAfter = TimeSpan.FromSeconds(45);

    /// <summary>Long enough for a pod to be gone and another to stand in its place when the process is back.</summary>
    private static readonly TimeSpan Away = TimeSpan.FromSeconds(5);

    /// <summary>How the pods leave.</summary>
    public enum Leaving
    {
        /// <summary>At once; one comes back elsewhere under its name.</summary>
        Accepted,

        /// <summary>One after the other, as their budget allows.</summary>
        OneByOne,

        /// <summary>Their budget allows nothing (429) until somebody raises it.</summary>
        Held,

        /// <summary>Two budgets cover them (500) until somebody deletes one.</summary>
        SeveralBudgets,

        /// <summary>The server is too busy (429 with Retry-After) at first.</summary>
        Throttled,

        /// <summary>By force at the deadline of the drain; the first delete is refused.</summary>
        Forced,

        /// <summary>By force at the pod's own deadline.</summary>
        ForcedAtItsOwnDeadline,
    }

    public static TheoryData<Leaving> Everything => [.. Enum.GetValues<Leaving>()];

    public static TheoryData<Leaving, bool> EverythingOnBothSides
    {
        get
        {
            var data = new TheoryData<Leaving, bool>();
            foreach (var leaving in Enum.GetValues<Leaving>())
            {
                data.Add(leaving, false);
                data.Add(leaving, true);
            }

            return data;
        }
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(EverythingOnBothSides))]
    public async Task Each_pod_leaves_once_wherever_the_process_dies(Leaving leaving, bool after)
    {
        var wrong = new List<string>();
        var undisturbed = await RunAsync(leaving, _ => { });
        undisturbed.Wrong.ShouldBeEmpty();
        undisturbed.TellsOfHeldPods.ShouldBe(leaving is not (Leaving.Accepted or Leaving.OneByOne));
        for (var nth = 1; ; nth++)
        {
            var run = await RunAsync(leaving, world => world.KillAtRequest(IsOfDrain, nth, after), away: after ? Away : TimeSpan.Zero);
            wrong.AddRange(run.Wrong.Concat(run.DiffersFrom(undisturbed)).Select(what => $"killed {(after ? "after" : "before")} {nth}: {what}"));
            if (run.Deaths == 0)
            {
                nth.ShouldBeGreaterThan(2, "there were calls to die at");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Everything))]
    public async Task Each_pod_leaves_once_although_the_process_dies_at_one_call_after_the_other(Leaving leaving)
    {
        var undisturbed = await RunAsync(leaving, _ => { });
        var run = await RunAsync(
            leaving,
            world => world.KillAtRequest(IsOfDrain, 1, after: true),
            world => world.KillAtRequest(IsOfDrain, 1 + (world.Deaths % 2), after: world.Deaths % 3 != 0));

        run.Deaths.ShouldBeGreaterThan(1);
        run.Wrong.Concat(run.DiffersFrom(undisturbed)).ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(Leaving.OneByOne)]
    [InlineData(Leaving.Forced)]
    public async Task Each_pod_leaves_once_when_the_process_dies_between_the_calls(Leaving leaving)
    {
        var wrong = new List<string>();
        var undisturbed = await RunAsync(leaving, _ => { });
        for (var commit = 10; ; commit += 9)
        {
            var run = await RunAsync(leaving, world => world.KillAt(commit % 2 == 0 ? CrashPoints.CommitBeforeCommit : CrashPoints.CommitAfterCommit, commit));
            wrong.AddRange(run.Wrong.Concat(run.DiffersFrom(undisturbed)).Select(what => $"killed at commit {commit}: {what}"));
            if (run.Deaths == 0)
            {
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    private static async Task<Run> RunAsync(Leaving leaving, Action<World> arm, Action<World>? armAgain = null, TimeSpan away = default)
    {
        var (scenario, policy) = Rows(leaving);
        await using var world = await World.StartAsync(scenario);
        var run = new Run(world);
        using var faults = leaving switch
        {
            Leaving.Throttled => world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Code = 429, RetryAfterSeconds = 7, Count = 2 }),
            Leaving.Forced => world.Api.Fail(new Fault { Verb = "delete", Resource = "pods", Namespace = "shop", Code = 503, Count = 1 }),
            _ => null,
        };
        await using var somebody = world.Time.CreateTimer(_ => LetGo(world, leaving), null, LetGoAfter, Timeout.InfiniteTimeSpan);
        arm(world);
        await world.BeginAsync(world.Request() with { Drain = policy, Health = new HealthPolicy { StableFor = TimeSpan.Zero } });
        await run.ToTheEndAsync(armAgain, away);
        return run;
    }

    /// <summary>What a person does after a while.</summary>
    private static void LetGo(World world, Leaving leaving)
    {
        if (leaving == Leaving.Held)
        {
            world.Cluster.Store.Update(ResourceTypes.PodDisruptionBudgets, "shop", "web", budget =>
            {
                budget["spec"]!["maxUnavailable"] = 1;
                return true;
            });
        }
        else if (leaving == Leaving.SeveralBudgets)
        {
            world.Cluster.Store.Delete(ResourceTypes.PodDisruptionBudgets, "shop", "too", new Deletion());
        }
    }

    private static (Scenario Scenario, DrainPolicy Policy) Rows(Leaving leaving)
    {
        var web = new WorkloadSpec("deployment", "shop", "web")
        {
            Replicas = 2, On = ["node-1"], StartAfter = TimeSpan.FromSeconds(2), TerminateAfter = TimeSpan.FromSeconds(1),
        };
        BudgetSpec Budget(string most, string name = "web") => new("shop", name, "web") { MaxUnavailable = most };
        var hour = new DrainPolicy { Timeout = TimeSpan.FromHours(1) };
        var force = hour with { OnTimeout = DeadlinePolicy.Force };
        (IReadOnlyList<WorkloadSpec> Workloads, IReadOnlyList<BudgetSpec> Budgets, DrainPolicy Policy) row = leaving switch
        {
            Leaving.Accepted => ([web, new WorkloadSpec("statefulSet", "shop", "queue") { On = ["node-1"], StartAfter = TimeSpan.FromSeconds(1) }], [], hour),
            Leaving.OneByOne => ([web with { Replicas = 3 }], [Budget("1")], hour),
            Leaving.Held => ([web], [Budget("0")], hour),
            Leaving.SeveralBudgets => ([web], [Budget("100%"), Budget("100%", "too")], hour),
            Leaving.Throttled => ([web], [], hour),
            Leaving.Forced => ([web], [Budget("0")], force with { Timeout = TimeSpan.FromSeconds(40) }),
            _ => ([web], [Budget("0")], force with { PodTimeout = TimeSpan.FromSeconds(30) }),
        };
        return (new Scenario
        {
            Name = "leaving",
            Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}"))],
            Workloads = row.Workloads,
            Budgets = row.Budgets,
            Maintain = "node-1",
        }, row.Policy);
    }

    private static bool IsOfDrain(HttpRequestMessage request) =>
        (request.Method == HttpMethod.Post && request.RequestUri!.AbsolutePath.EndsWith("/eviction", StringComparison.Ordinal))
        || (request.Method == HttpMethod.Delete && request.RequestUri!.AbsolutePath.Contains("/pods/", StringComparison.Ordinal));

    /// <summary>One maintenance, looked at every two seconds.</summary>
    private sealed class Run
    {
        private readonly World _world;
        private readonly HashSet<string> _first;
        private readonly List<string> _wrong = [];
        private readonly List<DrainStatus> _told = [];
        private int _toldBefore;

        public Run(World world)
        {
            _world = world;
            _first = [.. Pods().Where(pod => (string?)pod["spec"]!["nodeName"] == "node-1").Select(Uid)];
            world.Api.Intercept = request =>
            {
                See(request);
                return Task.CompletedTask;
            };
        }

        public IReadOnlyList<string> Wrong => _wrong;

        public int Deaths { get; private set; }

        public bool TellsOfHeldPods => Held.Any();

        private IEnumerable<DateTimeOffset> Deadlines => _told.Select(status => status.Deadline).OfType<DateTimeOffset>().Distinct();

        // What holds a pod after somebody has let go begins anew.
        private IEnumerable<(string Pod, string Kind, DateTimeOffset Since)> Held =>
            _told.Take(_toldBefore).SelectMany(status => status.Blockers).Select(blocker => (blocker.Pod, blocker.Kind, blocker.Since)).Distinct();

        private List<DateTimeOffset> Deletions { get; set; } = [];

        public async Task ToTheEndAsync(Action<World>? armAgain, TimeSpan away)
        {
            while (true)
            {
                var until = _world.Time.GetUtcNow() + TimeSpan.FromSeconds(2);
                await using var look = _world.Time.CreateTimer(_ => { }, null, TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);
                await _world.RunUntilAsync(() => _world.IsDead || _world.Time.GetUtcNow() >= until);
                if (_world.IsDead)
                {
                    await _world.CrashAsync(away: away);
                    if (_world.Deaths < MostDeaths)
                    {
                        armAgain?.Invoke(_world);
                    }

                    continue;
                }

                if (await _world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")) is { } status)
                {
                    _told.Add(status);
                    _toldBefore = _world.Time.GetUtcNow() < World.Start + LetGoAfter ? _told.Count : _toldBefore;
                }

                if (await _world.Client.GetInstanceAsync("m1", true, CancellationToken.None) is { IsCompleted: true } end)
                {
                    Deaths = _world.Deaths;
                    _wrong.AddRange(WhatIsWrong(end.ReadOutputAs<MaintenanceReport>()!));
                    return;
                }
            }
        }

        /// <summary>What was told otherwise than without a death, or done later.</summary>
        public IEnumerable<string> DiffersFrom(Run undisturbed)
        {
            if (!Deadlines.SequenceEqual(undisturbed.Deadlines))
            {
                yield return $"deadlines told: {string.Join(", ", Deadlines)}, not {string.Join(", ", undisturbed.Deadlines)}";
            }

            foreach (var group in Held.GroupBy(held => (held.Pod, held.Kind)).Where(group => group.Count() > 1))
            {
                yield return $"{group.Key} was told to be held since {string.Join(" and ", group.Select(held => held.Since))}";
            }

            foreach (var (one, other) in Deletions.Zip(undisturbed.Deletions).Where(pair => (pair.First - pair.Second).Duration() > TimeSpan.FromSeconds(11) + Away))
            {
                yield return $"deleted at {one}, not {other}";
            }
        }

        private void See(InterceptedRequest request)
        {
            if (request is { Resource: "pods", IsDone: false } and ({ Verb: "delete" } or { Subresource: "eviction" })
                && _world.Cluster.Store.Get(ResourceTypes.Pods, request.Namespace, request.Name!) is { } pod
                && !_first.Contains(Uid(pod)) && pod["metadata"]!["deletionTimestamp"] is null)
            {
                lock (_wrong)
                {
                    _wrong.Add($"{request.Verb} of {request.Name}, which came in the place of another");
                }
            }
        }

        private IEnumerable<string> WhatIsWrong(MaintenanceReport report)
        {
            var asked = _world.Api.RequestLog.All.Where(request => request is { Resource: "pods", User: not "system:kubelet" }
                && (request is { Verb: "create", Subresource: "eviction" } || request is { Verb: "delete", Subresource: null })).ToList();
            Deletions = [.. asked.Where(request => request is { Verb: "delete", Code: 200 }).Select(request => request.Time)];
            var left = asked.Where(request => request.Code is 200 or 201).Select(request => request.Name!).ToList();
            return
            [
                .. report.Outcome == MaintenanceOutcome.Completed ? [] : new[] { $"{report.Outcome}: {report.Message}" },
                .. report.LeftBehind,
                .. _world.WhatIsWrong(),
                .. left.CountBy(name => name).Where(pod => pod.Value > 1).Select(pod => $"{pod.Key} was made to leave {pod.Value} times"),
                .. left.Count == _first.Count ? [] : new[] { $"{left.Count} of {_first.Count} pods were made to leave" },

                // What a server answers so has cost budget.
                .. asked.Where(request => request.Code == 409).Select(request => $"{request.Name} was refused for its uid"),
                .. report.Pods.Where(pod => !pod.IsGone).Select(pod => $"{pod.Pod} is told to be there"),

                // Of one that went while no process was there to see it, nobody knows when it was let go.
                .. report.Pods.Where(pod => pod.GoneAt is null || pod.GoneAt < pod.AcceptedAt || (pod.AcceptedAt is null && _world.Deaths == 0)).Select(pod => $"{pod.Pod} left at {pod.AcceptedAt} and was gone at {pod.GoneAt}"),
                .. report.Pods.Select(pod => (pod.Pod, pod.Attempts, Sent: asked.Count(request => request.Name == pod.Pod.Name)))
                    .Where(pod => pod.Attempts > pod.Sent || pod.Sent > pod.Attempts + _world.Deaths).Select(pod => $"{pod.Attempts} attempts of {pod.Pod} are told, {pod.Sent} were made"),
                .. _told.Zip(_told.Skip(1)).SelectMany(pair => pair.Second.Blockers.Where(blocker => pair.First.Blockers.Any(
                    before => before.Pod == blocker.Pod && before.Attempts > blocker.Attempts))).Select(blocker => $"{blocker.Pod} was tried less often all at once: {blocker.Attempts}"),
            ];
        }

        private IEnumerable<JsonObject> Pods() => _world.Cluster.Store.List(ResourceTypes.Pods, "shop");

        private static string Uid(JsonObject pod) => (string)pod["metadata"]!["uid"]!;
    }
}

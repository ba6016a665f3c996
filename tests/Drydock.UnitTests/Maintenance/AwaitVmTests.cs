using System.Reflection;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.VirtualMachines;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>The wait for news of a machine in a queue of migrations, and the wait for its turn among those of ours.</summary>
public sealed class AwaitVmTests
{
    private const string Node = "node-1";

    private static readonly ObjectRef One = new("vms", "one");

    private static readonly ObjectRef Two = new("vms", "two");

    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 2, 3, 0, 0, TimeSpan.Zero));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(4, false, 60)]
    [InlineData(4, true, 60)]
    [InlineData(6, false, 8)]
    [InlineData(60, false, 8)]
    public async Task A_slot_that_is_free_for_a_moment_between_two_migrations_of_others_is_no_news(int secondsFree, bool ownIsMade, int newsAfter)
    {
        var since = _clock.GetUtcNow();
        var cluster = QueueCluster.With((method, _) => method switch
        {
            nameof(ICluster.WaitForMachineChangeAsync) => Later(),
            nameof(ICluster.GetVmiAsync) => Task.FromResult<VmiSnapshot?>(Vmi(One) with { EvacuationNode = Node }),
            nameof(ICluster.GetVmAsync) => Task.FromResult<VmSnapshot?>(new VmSnapshot(One, "vm", "1") { RunStrategy = "Always" }),
            nameof(ICluster.GetKubeVirtAsync) => Task.FromResult<KubeVirtSnapshot?>(new KubeVirtSnapshot(new("kubevirt", "kubevirt"), "LiveMigrate", 5, 1, "v1.9.0", false)),
            nameof(ICluster.ListMigrationsAsync) => Task.FromResult(Migrations()),
            nameof(ICluster.ListLaunchersOnNodeAsync) => Task.FromResult<IReadOnlyList<PodSnapshot>>([]),
            nameof(ICluster.ListEventsAsync) => Task.FromResult<IReadOnlyList<EventSnapshot>>([]),
            _ => null,
        });
        var activity = new AwaitVmActivity(cluster, _clock, new Wakeups(_clock, CancellationToken.None));
        var known = (await activity.RunAsync(null!, new AwaitVmInput(Node, One, null, null, since))).Fingerprint();

        var seen = await activity.RunAsync(null!, new AwaitVmInput(Node, One, known, "cursor", since.AddSeconds(60)));

        (_clock.GetUtcNow() - since).ShouldBe(TimeSpan.FromSeconds(newsAfter), TimeSpan.FromSeconds(1));
        (newsAfter == 60 || seen.HasFreeSlot).ShouldBeTrue();

        // A neighbour migrates for three seconds, then the slot is free for a while.
        IReadOnlyList<MigrationSnapshot> Migrations()
        {
            List<MigrationSnapshot> all = ownIsMade ? [new MigrationSnapshot(new("vms", "m"), "m", One) { Phase = "Pending", CreatedAt = since }] : [];
            return (_clock.GetUtcNow() - since).TotalSeconds % (3 + secondsFree) < 3
                ? [.. all, new MigrationSnapshot(new("vms", "other"), "other", Two) { Phase = "Running", SourceNode = Node, CreatedAt = since }]
                : all;
        }

        Task<string> Later()
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            return Task.FromResult("cursor");
        }
    }

    [Fact]
    public async Task A_slot_that_is_taken_is_told_at_once_so_that_the_time_of_whoever_waits_for_it_stands_still()
    {
        var since = _clock.GetUtcNow();
        var cluster = QueueCluster.With((method, _) => method switch
        {
            nameof(ICluster.WaitForMachineChangeAsync) => Later(),
            nameof(ICluster.GetVmiAsync) => Task.FromResult<VmiSnapshot?>(Vmi(One) with { EvacuationNode = Node }),
            nameof(ICluster.GetVmAsync) => Task.FromResult<VmSnapshot?>(null),
            nameof(ICluster.GetKubeVirtAsync) => Task.FromResult<KubeVirtSnapshot?>(new KubeVirtSnapshot(new("kubevirt", "kubevirt"), "LiveMigrate", 5, 1, "v1.9.0", false)),
            nameof(ICluster.ListMigrationsAsync) => Task.FromResult<IReadOnlyList<MigrationSnapshot>>(
                _clock.GetUtcNow() - since < TimeSpan.FromSeconds(10) ? [] : [new MigrationSnapshot(new("vms", "other"), "other", Two) { Phase = "Running", SourceNode = Node, CreatedAt = since }]),
            nameof(ICluster.ListLaunchersOnNodeAsync) => Task.FromResult<IReadOnlyList<PodSnapshot>>([]),
            _ => null,
        });
        var activity = new AwaitVmActivity(cluster, _clock, new Wakeups(_clock, CancellationToken.None));
        var known = (await activity.RunAsync(null!, new AwaitVmInput(Node, One, null, null, since))).Fingerprint();

        var seen = await activity.RunAsync(null!, new AwaitVmInput(Node, One, known, "cursor", since.AddSeconds(60)));

        (seen.HasFreeSlot, _clock.GetUtcNow() - since).ShouldBe((false, TimeSpan.FromSeconds(10)));

        Task<string> Later()
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            return Task.FromResult("cursor");
        }
    }

    [Fact]
    public async Task What_KubeVirt_says_of_a_migration_that_it_has_not_made_is_read_where_that_is_waited_for()
    {
        var backoff = new EventSnapshot(true, "MigrationBackoff", "backoff migrating vmi vms/one", _clock.GetUtcNow());
        var cluster = QueueCluster.With((method, _) => method switch
        {
            nameof(ICluster.GetVmiAsync) => Task.FromResult<VmiSnapshot?>(Vmi(One) with { EvacuationNode = Node }),
            nameof(ICluster.GetVmAsync) => Task.FromResult<VmSnapshot?>(null),
            nameof(ICluster.GetKubeVirtAsync) => Task.FromResult<KubeVirtSnapshot?>(null),
            nameof(ICluster.ListMigrationsAsync) => Task.FromResult<IReadOnlyList<MigrationSnapshot>>([]),
            nameof(ICluster.ListLaunchersOnNodeAsync) => Task.FromResult<IReadOnlyList<PodSnapshot>>([]),
            nameof(ICluster.ListEventsAsync) => Task.FromResult<IReadOnlyList<EventSnapshot>>([backoff]),
            _ => null,
        });
        var look = new AwaitVmInput(Node, One, null, null, _clock.GetUtcNow());

        (await new VmObserver(cluster, _clock).ReadAsync(look, Token)).PendingReason.ShouldBeNull();
        (await new VmObserver(cluster, _clock).ReadAsync(look with { ReadsBackoffs = true }, Token))
            .PendingReason.ShouldBe("backoff migrating vmi vms/one (MigrationBackoff).");
    }

    [Fact]
    public async Task Between_two_looks_it_rests_longer_than_looking_takes_however_often_it_is_woken()
    {
        var looks = 0;
        var cluster = QueueCluster.With((method, _) => method switch
        {
            nameof(ICluster.WaitForMachineChangeAsync) => Task.FromResult("cursor"),
            nameof(ICluster.GetVmiAsync) => Look(),
            nameof(ICluster.GetVmAsync) => Task.FromResult<VmSnapshot?>(null),
            nameof(ICluster.GetKubeVirtAsync) => Task.FromResult<KubeVirtSnapshot?>(null),
            nameof(ICluster.ListMigrationsAsync) => Task.FromResult<IReadOnlyList<MigrationSnapshot>>([]),
            nameof(ICluster.ListLaunchersOnNodeAsync) => Task.FromResult<IReadOnlyList<PodSnapshot>>([]),
            _ => null,
        });
        var activity = new AwaitVmActivity(cluster, _clock, new Wakeups(_clock, CancellationToken.None));
        var since = _clock.GetUtcNow();
        var known = (await activity.RunAsync(null!, new AwaitVmInput(Node, One, null, null, since))).Fingerprint();
        (looks, since) = (0, _clock.GetUtcNow());

        var seen = activity.RunAsync(null!, new AwaitVmInput(Node, One, known, "cursor", since.AddSeconds(10)));
        while (!seen.IsCompleted)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        await seen;
        looks.ShouldBeLessThanOrEqualTo(34);

        Task<VmiSnapshot?> Look()
        {
            looks++;
            _clock.Advance(TimeSpan.FromMilliseconds(100));
            return Task.FromResult<VmiSnapshot?>(Vmi(One));
        }
    }

    [Fact]
    public async Task Who_is_ahead_in_the_queue_is_taken_from_the_watch_and_only_the_migrations_of_the_machine_are_read()
    {
        var read = new List<ObjectRef?>();
        var cluster = QueueCluster.With((method, args) => method switch
        {
            nameof(ICluster.GetVmiAsync) => Task.FromResult<VmiSnapshot?>(Vmi(One) with { EvacuationNode = Node }),
            nameof(ICluster.GetVmAsync) => Task.FromResult<VmSnapshot?>(null),
            nameof(ICluster.GetKubeVirtAsync) => Task.FromResult<KubeVirtSnapshot?>(new KubeVirtSnapshot(new("kubevirt", "kubevirt"), "LiveMigrate", 5, 1, "v1.9.0", false)),
            "get_" + nameof(ICluster.WatchedMigrations) => (IReadOnlyList<MigrationSnapshot>)
                [Migration("other", Two) with { Phase = "Running", SourceNode = Node }, Migration("stale", One) with { Phase = "Running", SourceNode = Node }],
            nameof(ICluster.ListMigrationsAsync) => Read((ObjectRef?)args[0]),
            nameof(ICluster.ListLaunchersOnNodeAsync) => Task.FromResult<IReadOnlyList<PodSnapshot>>([]),
            _ => null,
        });

        var seen = await new VmObserver(cluster, _clock).ReadAsync(new AwaitVmInput(Node, One, null, null, _clock.GetUtcNow()), Token);

        seen.Ahead.ShouldBe(["vms/two"]);
        (seen.HasFreeSlot, seen.Migration?.Name, seen.Migration?.Phase).ShouldBe((false, "own", "Pending"));
        read.ShouldBe([One]);

        Task<IReadOnlyList<MigrationSnapshot>> Read(ObjectRef? vm)
        {
            read.Add(vm);
            return Task.FromResult<IReadOnlyList<MigrationSnapshot>>([Migration("own", One) with { Phase = "Pending" }]);
        }

        MigrationSnapshot Migration(string name, ObjectRef vm) => new(new("vms", name), name, vm) { CreatedAt = _clock.GetUtcNow() };
    }

    [Fact]
    public async Task One_that_waits_for_its_turn_to_go_to_another_node_is_cut_short()
    {
        var turn = new TaskCompletionSource<LeaseOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        var cluster = QueueCluster.With((method, args) => method switch
        {
            nameof(ICluster.GetVmiAsync) => Task.FromResult<VmiSnapshot?>(Vmi((ObjectRef)args[0]!)),
            nameof(ICluster.ListMigrationsAsync) => Task.FromResult<IReadOnlyList<MigrationSnapshot>>([]),
            nameof(ICluster.AcquireTurnAsync) => turn.Task,
            _ => null,
        });
        var wakeups = new Wakeups(_clock, CancellationToken.None);
        var activity = new MigrateVmActivity(cluster, _clock, new InboundGate(_clock), wakeups);
        var first = activity.RunAsync(null!, new MigrateVmInput(Node, "drydock/hub/m1", Two, "uid", "node-2", null, 1));
        var second = activity.RunAsync(null!, new MigrateVmInput(Node, "drydock/hub/m1", One, "uid", "node-2", null, 1));
        second.IsCompleted.ShouldBeFalse();

        await wakeups.WakeAsync(Wakeups.EvictionsOf(Node), Token);

        (await second.WaitAsync(TimeSpan.FromSeconds(30), Token)).ShouldSatisfyAllConditions(
            static act => act.Verdict.ShouldBe(Verdict.Refused), static act => act.Kind.ShouldBe("inbound-limit"));
        first.IsCompleted.ShouldBeFalse("it has its turn");
        turn.SetException(new InvalidOperationException("The test is over."));
        await Should.ThrowAsync<InvalidOperationException>(first);
    }

    private static VmiSnapshot Vmi(ObjectRef name) => new(name, "uid", Node)
    {
        Phase = "Running",
        EvictionStrategy = "LiveMigrate",
        LiveMigratable = new Condition("LiveMigratable", "True", null, null, null),
    };
}

/// <summary>A cluster that answers what a test gives it, and nothing else.</summary>
public class QueueCluster : DispatchProxy
{
    private Func<string, object?[], object?> _answer = static (_, _) => null;

    /// <summary>Answers by the name of the method and its arguments.</summary>
    internal static ICluster With(Func<string, object?[], object?> answer)
    {
        var proxy = Create<ICluster, QueueCluster>();
        ((QueueCluster)(object)proxy)._answer = answer;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _answer(targetMethod!.Name, args ?? []);
}

using Drydock.DurableTask.Protobuf;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>The clock of the machine is set while work waits: forward, and back.</summary>
public sealed class ClockJumpTests : IDisposable
{
    private readonly HubFolder _folder = new HubFolder().Create();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_timer_fires_when_the_clock_passes_it_however_the_clock_moves()
    {
        var clock = new SetClock();
        await using var hub = await _folder.OpenAsync(clock);
        await using var worker = new HandWorker(hub);
        await StartAsync(hub);
        await worker.DoTurnAsync(Act.Timer(0, clock.GetUtcNow().AddMinutes(30)));

        clock.Now -= TimeSpan.FromHours(1);
        await WakeAsync(hub);
        worker.Waiting.ShouldBe(0);

        clock.Now += TimeSpan.FromHours(1);
        await WakeAsync(hub);
        worker.Waiting.ShouldBe(0);

        clock.Now += TimeSpan.FromHours(1);
        await hub.HelloAsync(CancellationToken.None);
        var (fired, _) = await worker.TurnAsync();
        fired.NewEvents.Count(e => e.TimerFired is not null).ShouldBe(1);
    }

    [Fact]
    public async Task Turns_never_go_back_in_time()
    {
        var clock = new SetClock();
        await using var hub = await _folder.OpenAsync(clock);
        await using var worker = new HandWorker(hub);
        await StartAsync(hub);
        var first = await worker.DoTurnAsync(Act.Schedule(0, "A"));
        clock.Now -= TimeSpan.FromHours(1);
        await worker.DoActivityAsync("1");

        var second = await worker.DoTurnAsync(Act.Schedule(1, "A"));
        await worker.DoActivityAsync("2");
        var (third, _) = await worker.TurnAsync();

        TimeOf(second).ShouldBeGreaterThanOrEqualTo(TimeOf(first));
        TimeOf(third).ShouldBeGreaterThanOrEqualTo(TimeOf(second));
    }

    [Fact]
    public async Task An_execution_that_continues_as_new_begins_later_than_the_one_before_though_the_clock_stands()
    {
        var clock = new SetClock();
        await using var hub = await _folder.OpenAsync(clock);
        await using var worker = new HandWorker(hub);
        await StartAsync(hub);
        List<DateTime> begins = [];
        for (var generation = 0; generation < 3; generation++)
        {
            begins.Add(TimeOf(await worker.DoTurnAsync(Act.ContinueAsNew(0, "again"))));
        }

        // Guids of an orchestrator come from that time.
        begins.ShouldBeUnique();
        begins.ShouldBeInOrder();
    }

    [Fact]
    public async Task A_restart_with_the_clock_set_back_keeps_deadlines()
    {
        var clock = new SetClock();
        var due = clock.GetUtcNow().AddMinutes(30);
        await using (var hub = await _folder.OpenAsync(clock))
        {
            await using var worker = new HandWorker(hub);
            await StartAsync(hub);
            await worker.DoTurnAsync(Act.Timer(0, due));
        }

        clock.Now -= TimeSpan.FromHours(1);
        await using var again = await _folder.OpenAsync(clock);
        await using var other = new HandWorker(again);
        (await again.WhenIdleAsync(CancellationToken.None)).ShouldBe(due);
    }

    private static DateTime TimeOf(OrchestratorRequest request) =>
        request.NewEvents.Single(e => e.OrchestratorStarted is not null).Timestamp.ToDateTime();

    private static Task StartAsync(Drydock.DurableTask.ITaskHub hub) =>
        hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "i", Name = "O" }, CancellationToken.None);

    /// <summary>Any call makes the hub look at its clock; when the second is answered, what the first made ready was handed out.</summary>
    private static async Task WakeAsync(Drydock.DurableTask.ITaskHub hub)
    {
        await hub.HelloAsync(CancellationToken.None);
        await hub.HelloAsync(CancellationToken.None);
    }

    /// <summary>A clock that the administrator sets. Its alarms never ring: the hub must not need them to be right.</summary>
    private sealed class SetClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new NoTimer();

        private sealed class NoTimer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}

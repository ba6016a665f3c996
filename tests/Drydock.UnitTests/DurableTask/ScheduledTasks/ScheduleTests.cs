using Drydock.DurableTask.Entities;
using Drydock.DurableTask.ScheduledTasks;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.ScheduledTasks;

/// <summary>Schedules on the engine, in virtual time: made, changed, paused, deleted, found again, and late.</summary>
public sealed class ScheduleTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2026, 3, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private readonly FakeTimeProvider _clock = new(Start);
    private ScheduleHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await ScheduleHost.StartAsync(_clock);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Every_run_of_an_interval_is_started_when_it_is_due_with_its_input()
    {
        var schedule = await _host.Schedules.CreateScheduleAsync(new ScheduleCreationOptions("hourly", "Job", Hour) { OrchestrationInput = "x" });

        await _host.RunUntilAsync(Start + (3.5 * Hour));

        (await _host.RunsAsync()).ShouldBe([(Start + Hour, "x"), (Start + (2 * Hour), "x"), (Start + (3 * Hour), "x")]);
        var described = await schedule.DescribeAsync();
        described.Status.ShouldBe(ScheduleStatus.Active);
        described.LastRunAt.ShouldBe(Start + (3 * Hour));
        described.NextRunAt.ShouldBe(Start + (4 * Hour));
        described.Interval.ShouldBe(Hour);
        described.CreatedAt.ShouldBe(Start);
    }

    [Fact]
    public async Task A_nightly_run_comes_once_in_the_night_of_the_missing_hour_and_in_the_night_of_the_hour_that_comes_twice()
    {
        await CreateAsync(new ScheduleCreationOptions("nightly", "Job", "30 2 * * *", "Europe/Berlin") { StartAt = new DateTimeOffset(2026, 3, 28, 20, 0, 0, TimeSpan.Zero) });
        await _host.RunUntilAsync(new DateTimeOffset(2026, 3, 31, 0, 0, 0, TimeSpan.Zero));

        (await TimesAsync()).ShouldBe([new DateTimeOffset(2026, 3, 29, 1, 0, 0, TimeSpan.Zero), new DateTimeOffset(2026, 3, 30, 0, 30, 0, TimeSpan.Zero)]);

        _clock.AdjustTime(new DateTimeOffset(2026, 10, 24, 12, 0, 0, TimeSpan.Zero));
        await _host.RunUntilAsync(new DateTimeOffset(2026, 10, 26, 12, 0, 0, TimeSpan.Zero));

        (await TimesAsync()).Skip(2).ShouldBe(
        [
            // One for all those of a summer without us.
            new DateTimeOffset(2026, 10, 24, 12, 0, 0, TimeSpan.Zero),
            new DateTimeOffset(2026, 10, 25, 0, 30, 0, TimeSpan.Zero), new DateTimeOffset(2026, 10, 26, 1, 30, 0, TimeSpan.Zero),
        ]);
    }

    [Fact]
    public async Task It_begins_at_its_start_and_ends_at_its_end()
    {
        await CreateAsync(new ScheduleCreationOptions("s", "Job", Hour) { StartAt = Start + (0.5 * Hour), EndAt = Start + (2.5 * Hour) });

        await _host.RunUntilAsync(Start + (9 * Hour));

        (await TimesAsync()).ShouldBe([Start + (0.5 * Hour), Start + (1.5 * Hour), Start + (2.5 * Hour)]);
        (await _host.Schedules.GetScheduleAsync("s"))!.NextRunAt.ShouldBeNull();
    }

    [Fact]
    public async Task A_start_that_has_passed_is_made_up_for_only_if_that_was_said()
    {
        await CreateAsync(new ScheduleCreationOptions("late", "Job", Hour) { StartAt = Start - (0.5 * Hour), StartImmediatelyIfLate = true, OrchestrationInput = "late" });
        await CreateAsync(new ScheduleCreationOptions("next", "Job", Hour) { StartAt = Start - (0.5 * Hour), OrchestrationInput = "next" });
        await CreateAsync(new ScheduleCreationOptions("now", "Job", Hour) { StartImmediatelyIfLate = true, OrchestrationInput = "now" });

        await _host.RunUntilAsync(Start + Hour);

        (await _host.RunsAsync()).ShouldBe(
        [
            (Start, "late"), (Start, "now"), (Start + (0.5 * Hour), "late"), (Start + (0.5 * Hour), "next"), (Start + Hour, "now"),
        ]);
    }

    [Fact]
    public async Task What_became_due_while_nobody_was_there_is_one_late_run()
    {
        await CreateAsync(new ScheduleCreationOptions("s", "Job", Hour));

        _clock.AdjustTime(Start + (5.25 * Hour));
        await _host.RunUntilAsync(Start + (6 * Hour));

        (await TimesAsync()).ShouldBe([Start + (5.25 * Hour), Start + (6 * Hour)]);
    }

    [Fact]
    public async Task A_clock_that_is_set_back_doubles_no_run()
    {
        await CreateAsync(new ScheduleCreationOptions("s", "Job", Hour));
        await _host.RunUntilAsync(Start + (1.25 * Hour));

        _clock.AdjustTime(Start + (0.5 * Hour));
        await _host.RunUntilAsync(Start + (2.5 * Hour));

        (await TimesAsync()).ShouldBe([Start + Hour, Start + (2 * Hour)]);
    }

    [Fact]
    public async Task A_signal_of_what_was_planned_before_starts_nothing()
    {
        await CreateAsync(new ScheduleCreationOptions("s", "Job", Hour));
        var before = await _host.Schedules.GetScheduleAsync("s");

        await _host.Client.Entities.SignalEntityAsync(new EntityInstanceId("Schedule", "s"), "RunSchedule", "a token of before");
        await _host.Client.Entities.SignalEntityAsync(new EntityInstanceId("Schedule", "none"), "RunSchedule", "a token");
        await _host.RunUntilAsync(Start + (0.5 * Hour));

        (await _host.Schedules.GetScheduleAsync("s")).ShouldBe(before);
        (await _host.Client.Entities.GetEntityAsync(new EntityInstanceId("Schedule", "none"))).ShouldBeNull();
        (await TimesAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Paused_it_starts_nothing_and_resumed_it_goes_on_in_its_rhythm()
    {
        var schedule = await _host.Schedules.CreateScheduleAsync(new ScheduleCreationOptions("s", "Job", Hour));
        await _host.RunUntilAsync(Start + (1.5 * Hour));

        await schedule.PauseAsync();
        await _host.RunUntilAsync(Start + (3.5 * Hour));
        var paused = await schedule.DescribeAsync();
        (await Should.ThrowAsync<InvalidOperationException>(schedule.PauseAsync())).Message.ShouldContain("is Paused");
        await schedule.ResumeAsync();
        await _host.RunUntilAsync(Start + (4.5 * Hour));

        paused.Status.ShouldBe(ScheduleStatus.Paused);
        paused.NextRunAt.ShouldBeNull();
        (await TimesAsync()).ShouldBe([Start + Hour, Start + (4 * Hour)]);
        (await Should.ThrowAsync<InvalidOperationException>(schedule.ResumeAsync())).Message.ShouldContain("is Active");
    }

    [Fact]
    public async Task An_update_changes_what_is_given_and_plans_anew_only_if_a_time_changed()
    {
        var schedule = await _host.Schedules.CreateScheduleAsync(new ScheduleCreationOptions("s", "Job", Hour) { OrchestrationInput = "one" });
        var token = (await schedule.DescribeAsync()).ExecutionToken;

        await schedule.UpdateAsync(new ScheduleUpdateOptions { OrchestrationInput = "two" });
        (await schedule.DescribeAsync()).ExecutionToken.ShouldBe(token);
        await _host.RunUntilAsync(Start + Hour);
        await schedule.UpdateAsync(new ScheduleUpdateOptions { CronExpression = "15 * * * *", TimeZone = "Europe/Berlin" });
        await _host.RunUntilAsync(Start + (2.5 * Hour));
        var byCron = await schedule.DescribeAsync();
        await schedule.UpdateAsync(new ScheduleUpdateOptions { Interval = 2 * Hour });
        await _host.RunUntilAsync(Start + (4 * Hour));

        (await _host.RunsAsync()).ShouldBe([(Start + Hour, "two"), (Start + (1.25 * Hour), "two"), (Start + (2.25 * Hour), "two"), (Start + (4 * Hour), "two")]);
        (byCron.CronExpression, byCron.TimeZone, byCron.Interval).ShouldBe(("15 * * * *", "Europe/Berlin", null));
        (await schedule.DescribeAsync()).CronExpression.ShouldBeNull();
    }

    [Fact]
    public async Task Made_once_more_and_the_same_it_does_not_begin_anew()
    {
        var options = new ScheduleCreationOptions("s", "Job", Hour) { OrchestrationInput = "x" };
        await CreateAsync(options);
        await _host.RunUntilAsync(Start + (0.5 * Hour));

        await CreateAsync(options);
        await _host.RunUntilAsync(Start + (1.25 * Hour));
        await CreateAsync(options with { OrchestrationInput = "y" });
        await _host.RunUntilAsync(Start + (2.25 * Hour));

        (await _host.RunsAsync()).ShouldBe([(Start + Hour, "x"), (Start + (2.25 * Hour), "y")]);
    }

    [Fact]
    public async Task Made_once_more_and_the_same_one_that_is_paused_stays_paused()
    {
        var options = new ScheduleCreationOptions("s", "Job", Hour);
        var schedule = await _host.Schedules.CreateScheduleAsync(options);
        await schedule.PauseAsync();

        await CreateAsync(options);
        await _host.RunUntilAsync(Start + (3 * Hour));

        (await schedule.DescribeAsync()).Status.ShouldBe(ScheduleStatus.Paused);
        (await _host.RunsAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Calls_leave_no_orchestrations_behind_whether_they_succeed_or_not()
    {
        var schedule = await _host.Schedules.CreateScheduleAsync(new ScheduleCreationOptions("s", "Job", Hour));
        await schedule.PauseAsync();
        await Should.ThrowAsync<InvalidOperationException>(schedule.PauseAsync());
        await schedule.DeleteAsync();
        await Should.ThrowAsync<ScheduleNotFoundException>(schedule.PauseAsync());

        await foreach (var instance in _host.Client.GetAllInstancesAsync())
        {
            Assert.Fail($"The orchestration '{instance.Name}' was left behind.");
        }
    }

    [Fact]
    public async Task Deleted_it_is_gone_and_nothing_of_it_comes_back()
    {
        var schedule = await _host.Schedules.CreateScheduleAsync(new ScheduleCreationOptions("s", "Job", Hour));
        await schedule.DeleteAsync();
        await schedule.DeleteAsync();

        await _host.RunUntilAsync(Start + (3 * Hour));

        (await TimesAsync()).ShouldBeEmpty();
        (await _host.Schedules.GetScheduleAsync("s")).ShouldBeNull();
        await Should.ThrowAsync<ScheduleNotFoundException>(schedule.DescribeAsync());
        await Should.ThrowAsync<ScheduleNotFoundException>(schedule.PauseAsync());
        await Should.ThrowAsync<ScheduleNotFoundException>(schedule.UpdateAsync(new ScheduleUpdateOptions { Interval = Hour }));
        await foreach (var left in _host.Client.Entities.GetAllEntitiesAsync())
        {
            left.ShouldBeNull();
        }
    }

    [Fact]
    public async Task With_an_instance_id_of_its_own_no_run_is_started_beside_one_that_goes_on()
    {
        await CreateAsync(new ScheduleCreationOptions("s", "Long", Hour) { OrchestrationInstanceId = "only" });
        await _host.RunUntilAsync(Start + (2.5 * Hour));
        (await _host.RunsAsync("Long")).Select(run => run.At).ShouldBe([Start + Hour]);

        await _host.Client.RaiseEventAsync("only", "end", "x");
        await _host.RunUntilAsync(Start + (3.5 * Hour));

        (await _host.RunsAsync("Long")).Select(run => run.At).ShouldBe([Start + (3 * Hour)]);
    }

    [Fact]
    public async Task What_makes_no_sense_is_refused_with_the_reason()
    {
        var schedule = await _host.Schedules.CreateScheduleAsync(new ScheduleCreationOptions("s", "Job", Hour) { StartAt = Start + Hour });

        (await RefusedAsync(CreateAsync(new ScheduleCreationOptions("t", "Job", Hour) { StartAt = Start + Hour, EndAt = Start }))).ShouldContain("before its start");
        (await RefusedAsync(schedule.UpdateAsync(new ScheduleUpdateOptions { EndAt = Start }))).ShouldContain("before its start");
        (await RefusedAsync(schedule.UpdateAsync(new ScheduleUpdateOptions { Interval = Hour, CronExpression = "* * * * *" }))).ShouldContain("either");
        (await RefusedAsync(schedule.UpdateAsync(new ScheduleUpdateOptions { CronExpression = "* * *" }))).ShouldContain("'* * *' is no cron expression");
        (await RefusedAsync(schedule.UpdateAsync(new ScheduleUpdateOptions { CronExpression = "* * * * *", TimeZone = "Moon" }))).ShouldContain("'Moon'");
        Should.Throw<ArgumentException>(() => schedule.CreateAsync(new ScheduleCreationOptions("other", "Job", Hour))).Message.ShouldContain("'other'");
        (await schedule.DescribeAsync()).NextRunAt.ShouldBe(Start + Hour);
        (await _host.Schedules.GetScheduleAsync("t")).ShouldBeNull();
    }

    [Fact]
    public async Task Schedules_are_found_by_status_prefix_and_time_page_by_page()
    {
        foreach (var id in new[] { "a1", "a2", "a3", "b1" })
        {
            await CreateAsync(new ScheduleCreationOptions(id, "Job", Hour));
        }

        await _host.Schedules.GetScheduleClient("a2").PauseAsync();
        await _host.RunUntilAsync(Start + (0.5 * Hour));
        await CreateAsync(new ScheduleCreationOptions("a4", "Job", Hour));

        (await IdsAsync(null)).ShouldBe(["a1", "a2", "a3", "a4", "b1"]);
        (await IdsAsync(new ScheduleQuery { ScheduleIdPrefix = "a", PageSize = 2 })).ShouldBe(["a1", "a2", "a3", "a4"]);
        (await IdsAsync(new ScheduleQuery { Status = ScheduleStatus.Paused })).ShouldBe(["a2"]);
        (await IdsAsync(new ScheduleQuery { CreatedFrom = Start })).ShouldBe(["a4"]);
        (await IdsAsync(new ScheduleQuery { CreatedTo = Start + (0.5 * Hour), Status = ScheduleStatus.Active })).ShouldBe(["a1", "a3", "b1"]);
    }

    private static async Task<string> RefusedAsync(Task operation) => (await Should.ThrowAsync<InvalidOperationException>(operation)).Message;

    private Task CreateAsync(ScheduleCreationOptions options) => _host.Schedules.CreateScheduleAsync(options);

    private async Task<List<DateTimeOffset>> TimesAsync() => [.. (await _host.RunsAsync()).Select(run => run.At)];

    private async Task<List<string>> IdsAsync(ScheduleQuery? query)
    {
        List<string> ids = [];
        await foreach (var schedule in _host.Schedules.ListSchedulesAsync(query))
        {
            ids.Add(schedule.ScheduleId);
        }

        ids.Sort(StringComparer.Ordinal);
        return ids;
    }
}

using System.Globalization;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Growth;

/// <summary>
/// What lives long or is there in great numbers does not cost more and more: histories, instances that wait, orchestrations that never
/// end. Memory is measured, so nothing else runs meanwhile.
/// </summary>
[Collection(Alone.Name)]
public sealed class GrowthTests(ITestOutputHelper output)
{
    [Fact]
    public void A_step_costs_the_same_after_a_hundred_thousand_events_and_the_end_comes()
    {
        const int steps = 25_000;
        using var worker = new SteadyWorker(FuncTaskOrchestrator.Create<object?, int>(static async (context, _) =>
        {
            for (var i = 0; i < steps; i++)
            {
                await context.CallActivityAsync<int>("Step", i);
            }

            return steps;
        }));
        worker.Start("long");
        Steps(worker, 1000);
        var early = Allocated(() => Steps(worker, 4000));
        var memory = GC.GetTotalMemory(forceFullCollection: true);
        Steps(worker, 40_000);
        var late = Allocated(() => Steps(worker, 4000));
        memory = GC.GetTotalMemory(forceFullCollection: true) - memory;

        // A process that has to replay all of it comes to the same.
        worker.Restart();
        while (worker.Step())
        {
        }

        var state = worker.Store.Instance("long")!;
        var events = worker.Store.History("long").Count;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{events} events; allocated for 4,000 rounds: {early >> 10} KiB after 1,000, {late >> 10} KiB after 45,000; {memory >> 10} KiB of memory more than after 5,000; {worker.Store.Bytes() / events} bytes on disk for each event"));
        state.OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
        state.Output.ShouldBe("25000");
        events.ShouldBeGreaterThan(100_000);
        worker.Replays.ShouldBe(2);
        late.ShouldBeLessThan(early * 5 / 4);
        memory.ShouldBeLessThan(8 * 1024 * 1024);
    }

    [Fact]
    public void Ten_thousand_instances_that_wait_take_little_on_disk_and_in_memory()
    {
        const int count = 10_000;
        using var worker = new SteadyWorker(FuncTaskOrchestrator.Create<object?, string>(static (context, _) => context.WaitForExternalEvent<string>("go")));
        var (memory, disk) = (GC.GetTotalMemory(forceFullCollection: true), worker.Store.Bytes());
        for (var i = 0; i < count; i++)
        {
            worker.Start($"i{i.ToString(CultureInfo.InvariantCulture)}");
            worker.Step();
        }

        while (worker.Step())
        {
        }

        memory = (GC.GetTotalMemory(forceFullCollection: true) - memory) / count;
        disk = (worker.Store.Bytes() - disk) / count;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{count} instances wait; each takes {disk} bytes on disk and, with its live orchestrator, {memory} in memory"));
        worker.Live.ShouldBe(count);
        worker.Store.Instances().Count(instance => !instance.IsFinished).ShouldBe(count);
        disk.ShouldBeLessThan(4 * 1024);
        memory.ShouldBeLessThan(32 * 1024);
    }

    [Fact]
    public void An_orchestration_that_continues_as_new_every_minute_for_seven_days_leaves_nothing_behind()
    {
        using var worker = new SteadyWorker(FuncTaskOrchestrator.Create<int, int>(static async (context, minute) =>
        {
            await context.CallActivityAsync<int>("Look", minute);
            await context.CreateTimer(context.CurrentUtcDateTime.AddMinutes(1), CancellationToken.None);
            context.ContinueAsNew(minute + 1);
            return minute;
        }));
        var begin = worker.Now;
        worker.Start("eternal");
        RunUntil(worker, begin.AddDays(1));
        var (rows, disk, memory) = (worker.Store.Rows(), worker.Store.Bytes(), GC.GetTotalMemory(forceFullCollection: true));

        RunUntil(worker, begin.AddDays(7));

        var grown = GC.GetTotalMemory(forceFullCollection: true) - memory;
        var minute = int.Parse(worker.Store.Instance("eternal")!.Input, CultureInfo.InvariantCulture);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{minute} generations; {worker.Store.Bytes()} bytes on disk, {disk} after a day; {grown} bytes of memory more than after a day"));
        minute.ShouldBeInRange(10_079, 10_081);
        worker.Store.Rows().ShouldBe(rows, ignoreOrder: true);
        worker.Store.Bytes().ShouldBe(disk);
        worker.Live.ShouldBe(1);
        grown.ShouldBeLessThan(1024 * 1024);
    }

    private static void Steps(SteadyWorker worker, int count)
    {
        for (var i = 0; i < count; i++)
        {
            worker.Step().ShouldBeTrue();
        }
    }

    /// <summary>Runs until the orchestration waits for the first timer after that time.</summary>
    private static void RunUntil(SteadyWorker worker, DateTime end)
    {
        while (worker.Hub.NextDue is not { } due || due <= end || !worker.Hub.IsIdle)
        {
            worker.Step().ShouldBeTrue("It has ended.");
        }
    }

    private static long Allocated(Action action)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}

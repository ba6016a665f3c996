using System.Diagnostics;
using System.Globalization;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>
/// Random orchestrations on the real hub and executor, with clients, faults of the store, crashes and a clock that jumps, all from one
/// seed: once over a store in memory, once over the SQLite store. The seeds are always the same ones;
/// <c>DRYDOCK_SIMULATION_MINUTES</c> goes on for so long with others, and <c>DRYDOCK_SIMULATION_SEED</c> repeats one run.
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("memory", 100)]
    [InlineData("file", 15)]
    public void Whatever_fails_every_orchestration_comes_to_its_end(string store, int runs)
    {
        var seeds = Seeds(runs);
        var (total, orchestrations, turns, before, after, crashes) = (0, 0, 0, 0, 0, 0);
        foreach (var seed in seeds)
        {
            using var simulation = Run(store, seed);
            total++;
            orchestrations += simulation.Orchestrations;
            turns += simulation.Turns;
            before += simulation.Faults.Before;
            after += simulation.Faults.After;
            crashes += simulation.Crashes;
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{total} runs over a {store}: {orchestrations} orchestrations, {turns} turns, {before} transactions refused, {after} committed and said to be refused, {crashes} crashes"));
        if (total >= runs)
        {
            orchestrations.ShouldBeGreaterThan(total * 20);
            before.ShouldBeGreaterThan(total);
            after.ShouldBeGreaterThan(total);
            crashes.ShouldBeGreaterThan(total);
        }
    }

    // A worker came back with a turn whose timer waited again, since the clock had been set back: its other messages were lost.
    [Fact]
    public void A_turn_that_comes_back_after_the_clock_was_set_back_loses_nothing()
    {
        using var simulation = Run("file", 2072288704);

        simulation.Orchestrations.ShouldBePositive();
    }

    // An orchestration was rewound twice: of a step that a retry handler had tried again, the second time forgot the first attempt.
    [Fact]
    public void An_orchestration_that_is_rewound_twice_keeps_the_attempts_it_went_on_from()
    {
        using var simulation = Run("file", 804098433);

        simulation.Orchestrations.ShouldBePositive();
    }

    // The clock was set back: every generation of an orchestration began at the same time, had the same guids, and so did the same.
    [Fact]
    public void Generations_differ_although_the_clock_was_set_back()
    {
        using var simulation = Run("memory", 966820723);

        simulation.Orchestrations.ShouldBePositive();
    }

    [Theory]
    [InlineData("memory")]
    [InlineData("file")]
    public void A_seed_repeats_a_run(string store)
    {
        using var first = Run(store, 1);
        using var second = Run(store, 1);

        second.Trace.ShouldBe(first.Trace);
    }

    private static IEnumerable<int> Seeds(int runs)
    {
        if (Environment.GetEnvironmentVariable("DRYDOCK_SIMULATION_SEED") is { } seed)
        {
            return [int.Parse(seed, CultureInfo.InvariantCulture)];
        }

        if (Environment.GetEnvironmentVariable("DRYDOCK_SIMULATION_MINUTES") is not { } minutes)
        {
            return Enumerable.Range(1, runs);
        }

        var time = TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture));
        var from = Stopwatch.GetTimestamp();
        return Enumerable.Repeat(0, int.MaxValue).TakeWhile(_ => Stopwatch.GetElapsedTime(from) < time).Select(static _ => Random.Shared.Next());
    }

    private static SimulationRun Run(string store, int seed)
    {
        var simulation = new SimulationRun(seed, inMemory: store == "memory");
        try
        {
            simulation.Run();
            return simulation;
        }
        catch (Exception e)
        {
            simulation.Dispose();
            throw new InvalidOperationException(
                $"DRYDOCK_SIMULATION_SEED={seed.ToString(CultureInfo.InvariantCulture)} repeats this, over a {store}: {e.Message}", e);
        }
    }
}

using CsCheck;
using Drydock.DurableTask.Execution;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Execution;

/// <summary>An orchestrator that lives from turn to turn does what one does that replays its history at each turn.</summary>
public sealed class LiveOrchestratorTests
{
    [Theory]
    [InlineData("0N0XIzNsQ0O2")]
    public void Whatever_the_orchestrator_and_the_hub_do_a_live_one_asks_for_the_same_as_a_replayed_one(string? seed) =>
        Gen.Select(Gen.Int, Gen.Int, Gen.Bool).Sample(
            (code, hub, drydock) => Run(new RandomOrchestration(code), new RandomHub(hub, drydock)).ShouldBeNull(),
            iter: seed is null ? 20_000 : 2000,
            seed: seed,
            threads: 1);

    [Fact(Explicit = true)]
    public void And_so_it_is_with_other_ones_in_each_run() =>
        Whatever_the_orchestrator_and_the_hub_do_a_live_one_asks_for_the_same_as_a_replayed_one(null);

    [Fact]
    public void The_random_orchestrations_of_this_test_mostly_come_to_an_end()
    {
        var ended = Enumerable.Range(0, 200).Count(seed =>
        {
            var live = Turns.Executor(new RandomOrchestration(seed).RunAsync);
            Run(live, new RandomOrchestration(seed), new RandomHub(seed, drydock: true)).ShouldBeNull();
            return live.IsFinished;
        });

        ended.ShouldBeGreaterThan(150);
    }

    private static string? Run(RandomOrchestration code, RandomHub hub) => Run(Turns.Executor(code.RunAsync), code, hub);

    private static string? Run(OrchestrationExecutor live, RandomOrchestration code, RandomHub hub)
    {
        for (var turn = 0; turn < 60 && !live.IsFinished; turn++)
        {
            var newEvents = hub.Next();
            var result = live.Run(newEvents);
            var replayed = Turns.Executor(code.RunAsync).Run(hub.Past, newEvents);
            if (TurnComparison.Difference(result, replayed) is { } difference)
            {
                return $"turn {turn}: {difference}";
            }

            hub.Commit(newEvents, result);
        }

        return null;
    }
}

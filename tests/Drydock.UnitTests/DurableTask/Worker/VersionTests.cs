using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.Worker;
using Shouldly;
using Xunit;
using Failure = Drydock.DurableTask.Worker.DurableTaskWorkerOptions.VersionFailureStrategy;
using Match = Drydock.DurableTask.Worker.DurableTaskWorkerOptions.VersionMatchStrategy;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>Which versions a worker runs, what becomes of the others, and how an orchestration goes on in a newer one.</summary>
public sealed class VersionTests
{
    private const string Refused = "VersionMismatch";

    [Theory]
    [InlineData(Match.None, "", true)]
    [InlineData(Match.None, "1.0", true)]
    [InlineData(Match.None, "3.0", true)]
    [InlineData(Match.Strict, "", false)]
    [InlineData(Match.Strict, "1.0", false)]
    [InlineData(Match.Strict, "2.0", true)]
    [InlineData(Match.Strict, "2.0.1", false)]
    [InlineData(Match.Strict, "3.0", false)]
    [InlineData(Match.CurrentOrOlder, "", true)]
    [InlineData(Match.CurrentOrOlder, "1.0", true)]
    [InlineData(Match.CurrentOrOlder, "1.10", true)]
    [InlineData(Match.CurrentOrOlder, "2.0", true)]
    [InlineData(Match.CurrentOrOlder, "2.0.1", false)]
    [InlineData(Match.CurrentOrOlder, "3.0", false)]
    public void A_worker_of_version_2_runs(Match match, string version, bool runs)
    {
        var objection = VersionRule.Objection(Versioning("2.0", match, Failure.Reject), version);

        (objection is null).ShouldBe(runs);
        (objection ?? $"'{version}'").ShouldContain($"'{version}'");
    }

    // What a worker rejects waits for another that runs it; what it fails has failed.
    [Theory]
    [InlineData(Match.None, Failure.Reject, "1.0", "any")]
    [InlineData(Match.None, Failure.Fail, "2.0", "any")]
    [InlineData(Match.Strict, Failure.Reject, "1.0", "old")]
    [InlineData(Match.Strict, Failure.Reject, "2.0", "new")]
    [InlineData(Match.CurrentOrOlder, Failure.Reject, "1.0", "any")]
    [InlineData(Match.CurrentOrOlder, Failure.Reject, "2.0", "new")]
    public async Task Of_two_workers_the_one_that_may_runs_it(Match match, Failure failure, string version, string runner)
    {
        await using var engine = await EngineHost.StartAsync(Code("old"), services: services =>
        {
            services.AddDurableTaskWorker().UseVersioning(Versioning("1.0", match, failure));
            services.AddDurableTaskWorker("new", worker => worker.AddTasks(Code("new")).UseTaskHub().UseVersioning(Versioning("2.0", match, failure)));
        });

        var end = await engine.RunAsync("Who", options: new StartOrchestrationOptions { Version = version });

        end.ReadOutputAs<string>().ShouldBeOneOf(runner == "any" ? ["old", "new"] : [runner]);
    }

    [Theory]
    [InlineData(Match.None, "3.0", false)]
    [InlineData(Match.Strict, "2.0", false)]
    [InlineData(Match.Strict, "1.0", true)]
    [InlineData(Match.CurrentOrOlder, "1.0", false)]
    [InlineData(Match.CurrentOrOlder, "3.0", true)]
    public async Task A_worker_that_is_to_fail_what_it_may_not_run_does_so_and_says_which_versions(Match match, string version, bool fails)
    {
        await using var engine = await EngineHost.StartAsync(
            Code("it"), services: services => services.AddDurableTaskWorker().UseVersioning(Versioning("2.0", match, Failure.Fail)));

        var end = await engine.RunAsync("Who", options: new StartOrchestrationOptions { Version = version });

        end.RuntimeStatus.ShouldBe(fails ? OrchestrationRuntimeStatus.Failed : OrchestrationRuntimeStatus.Completed);
        end.FailureDetails?.ErrorType.ShouldBe(Refused);
        (end.FailureDetails?.ErrorMessage ?? $"'{version}' '2.0'").ShouldContain($"'{version}'");
    }

    [Fact]
    public async Task An_activity_of_a_version_that_the_worker_may_not_run_fails_whatever_the_strategy()
    {
        await using var engine = await EngineHost.StartAsync(
            tasks => tasks
                .AddActivityFunc<string>("Step", static _ => Task.FromResult("done"))
                .AddOrchestratorFunc<string>("Who", static context => context.CallActivityAsync<string>("Step", new TaskOptions { Version = "2.0" })),
            services: services => services.AddDurableTaskWorker().UseVersioning(Versioning("1.0", Match.Strict, Failure.Reject)));

        var end = await engine.RunAsync("Who", options: new StartOrchestrationOptions { Version = "1.0" });

        end.FailureDetails!.InnerFailure!.ErrorType.ShouldBe(Refused);
    }

    [Theory]
    [InlineData(Replaying.Seldom)]
    [InlineData(Replaying.Always)]
    [InlineData(Replaying.Compared)]
    public async Task An_orchestration_continues_as_new_in_a_newer_version(Replaying replaying)
    {
        await using var engine = await EngineHost.StartAsync(
            tasks => tasks
                .AddOrchestratorFunc<string, string>("Loop", "1.0", static (context, input) =>
                {
                    context.ContinueAsNew(new ContinueAsNewOptions { NewInput = $"{input} {context.Version}", NewVersion = "2.0" });
                    return Task.FromResult("never");
                })
                .AddOrchestratorFunc<string, string>("Loop", "2.0", static (context, input) => Task.FromResult($"{input} {context.Version}")),
            replaying);

        var end = await engine.RunAsync("Loop", "from", new StartOrchestrationOptions { Version = "1.0" });

        end.ReadOutputAs<string>().ShouldBe("from 1.0 2.0");
    }

    private static Action<DurableTaskRegistry> Code(string name) => tasks => tasks.AddOrchestratorFunc<string>("Who", _ => Task.FromResult(name));

    private static DurableTaskWorkerOptions.VersioningOptions Versioning(string version, Match match, Failure failure) =>
        new() { Version = version, MatchStrategy = match, FailureStrategy = failure };
}

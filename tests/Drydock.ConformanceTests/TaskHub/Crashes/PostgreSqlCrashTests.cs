using Drydock.DurableTask.TaskHub;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>
/// The crash matrix on PostgreSQL: the same work and the same points, as far as that store passes them. Each point is met by some of the
/// workloads, one after the other by all of them; by hand, each by each.
/// </summary>
public sealed class PostgreSqlCrashTests(PostgreSqlCrashPaths paths) : IClassFixture<PostgreSqlCrashPaths>
{
    private const int Share = 5;

    // What only a store of one process does: messages that get no row, and turns inside the transaction that caused them.
    private static readonly string[] Others = [CrashPoints.CommitAfterMessages, CrashPoints.CommitAfterSpeculation];

    public static TheoryData<string> Points => [.. CrashPoints.All.Except(Others)];

    [Theory]
    [MemberData(nameof(Points))]
    public Task Work_goes_on_after_a_kill_at(string point)
    {
        var turn = CrashPoints.All.ToList().IndexOf(point);
        return CrashAsync(point, Passing(point).Where((_, index) => (index + turn) % Share == 0 || Passing(point).Count == 1));
    }

    /// <summary>By hand: every workload at every point.</summary>
    [Theory(Explicit = true)]
    [MemberData(nameof(Points))]
    public Task All_work_goes_on_after_a_kill_at(string point) => CrashAsync(point, Passing(point));

    [Fact]
    public void Points_that_only_the_other_store_has_are_not_passed() => Others.ShouldAllBe(point => Passing(point).Count == 0);

    private List<CrashWorkload> Passing(string point) => [.. CrashWorkload.All.Where(workload => paths.Passages(workload.Name, point) > 0)];

    private Task CrashAsync(string point, IEnumerable<CrashWorkload> workloads)
    {
        var crashed = workloads.ToList();
        crashed.ShouldNotBeEmpty($"No workload passes '{point}': the matrix has a hole.");

        // At the same time, since each waits for the lease of the process that was killed.
        return Task.WhenAll(crashed.Select(workload => HubCrashTests.CrashAsync(
            workload, point, 1 + (paths.Passages(workload.Name, point) / 2), onPostgreSql: true)));
    }
}

/// <summary>How often each workload passes each crash point on PostgreSQL.</summary>
public sealed class PostgreSqlCrashPaths : CrashPaths
{
    private protected override bool IsOnPostgreSql => true;
}

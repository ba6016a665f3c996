using Drydock.DurableTask.TaskHub;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>The crash matrix on PostgreSQL: the same work and the same points, as far as that store passes them.</summary>
public sealed class PostgreSqlCrashTests(PostgreSqlCrashPaths paths) : IClassFixture<PostgreSqlCrashPaths>
{
    // What only a store of one process does: messages that get no row, and turns inside the transaction that caused them.
    private static readonly string[] Others = [CrashPoints.CommitAfterMessages, CrashPoints.CommitAfterSpeculation];

    public static TheoryData<string> Points => [.. CrashPoints.All.Except(Others)];

    [Theory]
    [MemberData(nameof(Points))]
    public async Task Work_goes_on_after_a_kill_at(string point)
    {
        var passing = Passing(point);
        passing.ShouldNotBeEmpty($"No workload passes '{point}': the matrix has a hole.");
        await HubCrashTests.CrashAsync(point, passing, workload => 1 + (paths.Passages(workload.Name, point) / 2), onPostgreSql: true);
    }

    [Fact]
    public void Points_that_only_the_other_store_has_are_not_passed() => Others.ShouldAllBe(point => Passing(point).Count == 0);

    private List<CrashWorkload> Passing(string point) => [.. CrashWorkload.All.Where(workload => paths.Passages(workload.Name, point) > 0)];
}

/// <summary>How often each workload passes each crash point on PostgreSQL.</summary>
public sealed class PostgreSqlCrashPaths : CrashPaths
{
    private protected override bool IsOnPostgreSql => true;
}

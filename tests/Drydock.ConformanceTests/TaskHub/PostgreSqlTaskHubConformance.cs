using System.Globalization;
using Drydock.DurableTask;
using Npgsql;

namespace Drydock.ConformanceTests.TaskHub;

public sealed class PostgreSqlTaskHubTurns : TaskHubTurns
{
    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) =>
        await PostgreSqlHubs.OpenAsync(PostgreSqlServer.Shared.NewDatabase(), clock);
}

public sealed class PostgreSqlTaskHubLife : TaskHubLife
{
    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) =>
        await PostgreSqlHubs.OpenAsync(PostgreSqlServer.Shared.NewDatabase(), clock);
}

public sealed class PostgreSqlTaskHubReads : TaskHubReads
{
    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) =>
        await PostgreSqlHubs.OpenAsync(PostgreSqlServer.Shared.NewDatabase(), clock);
}

public sealed class PostgreSqlTaskHubRepairs : TaskHubRepairs
{
    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) =>
        await PostgreSqlHubs.OpenAsync(PostgreSqlServer.Shared.NewDatabase(), clock);
}

public sealed class PostgreSqlTaskHubEntities : TaskHubEntities
{
    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) =>
        await PostgreSqlHubs.OpenAsync(PostgreSqlServer.Shared.NewDatabase(), clock);
}

public sealed class PostgreSqlTaskHubPayloads : TaskHubPayloads
{
    private const string Rows =
        """
        SELECT (SELECT coalesce(sum(length(payload)), 0) FROM drydock.history) + (SELECT coalesce(sum(length(payload)), 0) FROM drydock.inbox)
          + (SELECT coalesce(sum(length(payload)), 0) FROM drydock.tasks) + (SELECT coalesce(sum(length(custom_status)), 0) FROM drydock.instances)
          + (SELECT coalesce(sum(coalesce(length(input), 0) + coalesce(length(output), 0)), 0) FROM drydock.instance_values)
        """;

    private readonly string _address = PostgreSqlServer.Shared.NewDatabase();

    protected override long Payloads => Number("SELECT count(*) FROM drydock.payloads");

    protected override long CharactersInRows => Number(Rows);

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await PostgreSqlHubs.OpenAsync(_address, clock);

    private long Number(string sql) => Convert.ToInt64(
        PostgreSqlServer.Shared.Execute(new NpgsqlConnectionStringBuilder(_address).Database!, sql), CultureInfo.InvariantCulture);
}

/// <summary>The life of instances again, with every payload stored apart.</summary>
public sealed class PostgreSqlTaskHubLifeWithPayloadsApart : TaskHubLife
{
    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) =>
        await PostgreSqlHubs.OpenAsync(PostgreSqlServer.Shared.NewDatabase(), clock, options => options.LargePayloadThreshold = 0);
}

using Drydock.DurableTask;

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

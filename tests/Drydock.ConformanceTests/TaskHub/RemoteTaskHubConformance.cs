using Drydock.DurableTask;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>The suite over gRPC: client, wire, endpoint and hub together owe what the hub alone owes.</summary>
public sealed class RemoteTaskHubTurns : TaskHubTurns
{
    private ServedHub? _served;

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => (_served = await ServedHub.StartAsync(clock)).Connect();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _served!.DisposeAsync();
    }
}

public sealed class RemoteTaskHubLife : TaskHubLife
{
    private ServedHub? _served;

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => (_served = await ServedHub.StartAsync(clock)).Connect();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _served!.DisposeAsync();
    }
}

public sealed class RemoteTaskHubReads : TaskHubReads
{
    private ServedHub? _served;

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => (_served = await ServedHub.StartAsync(clock)).Connect();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _served!.DisposeAsync();
    }
}

public sealed class RemoteTaskHubRepairs : TaskHubRepairs
{
    private ServedHub? _served;

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => (_served = await ServedHub.StartAsync(clock)).Connect();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _served!.DisposeAsync();
    }
}

public sealed class RemoteTaskHubEntities : TaskHubEntities
{
    private ServedHub? _served;

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => (_served = await ServedHub.StartAsync(clock)).Connect();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _served!.DisposeAsync();
    }
}

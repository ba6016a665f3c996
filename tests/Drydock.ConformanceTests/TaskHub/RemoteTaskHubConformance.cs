using Drydock.DurableTask;
using Drydock.DurableTask.Testing;
using Shouldly;

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

/// <summary>Large payloads over gRPC: the client and the worker get all of each, and so does an exported history. To reopen is to connect anew.</summary>
public sealed class RemoteTaskHubPayloads : TaskHubPayloads
{
    private ServedHub? _served;

    protected override long Payloads => HubRows.Payloads(Path.Combine(_served!.Folder, "hub.db"));

    protected override long CharactersInRows => HubRows.Characters(Path.Combine(_served!.Folder, "hub.db"));

    [Fact]
    public async Task An_exported_history_has_every_payload_in_full()
    {
        var large = new string('x', 20_000);
        await using var worker = new HandWorker(Hub);
        await StartAsync("a", large);
        await worker.DoTurnAsync(Act.Schedule(0, "Work", large));
        await worker.DoActivityAsync(large);
        await worker.DoTurnAsync(Act.Complete(1, large));
        Payloads.ShouldBe(1);

        var exported = (await StoredHistory.ReadAsync(Hub, "a", Token)).ToJson();

        var read = StoredHistory.FromJson(exported).ShouldHaveSingleItem().Events;
        read.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Input.ShouldBe(large);
        read.Single(e => e.TaskScheduled is not null).TaskScheduled.Input.ShouldBe(large);
        read.Single(e => e.TaskCompleted is not null).TaskCompleted.Result.ShouldBe(large);
        read.Single(e => e.ExecutionCompleted is not null).ExecutionCompleted.Result.ShouldBe(large);
    }

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => (_served ??= await ServedHub.StartAsync(clock)).Connect();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _served!.DisposeAsync();
    }
}

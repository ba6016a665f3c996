using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>
/// What every hub owes a worker and a client. A new hub is one subclass of each part of the suite. The clock starts at a fixed time and
/// moves only when the test says so.
/// </summary>
public abstract class TaskHubConformance : IAsyncLifetime
{
    private static readonly DateTimeOffset Beginning = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private ITaskHub? _hub;

    private readonly FakeTimeProvider _clock = new(Beginning);

    /// <summary>What the clock says at first.</summary>
    protected DateTimeOffset Start => IsInRealTime ? throw new NeedsOurClockException() : Beginning;

    /// <summary>Moves only when the test says so.</summary>
    protected FakeTimeProvider Clock => IsInRealTime ? throw new NeedsOurClockException() : _clock;

    /// <summary>The hub is somebody else's and lives in real time: what needs to move the clock cannot be asked of it.</summary>
    protected virtual bool IsInRealTime => false;

    protected ITaskHub Hub => _hub!;

    protected ITaskHubExtensions Extensions => (ITaskHubExtensions)_hub!;

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>An empty hub that is open.</summary>
    protected abstract Task<ITaskHub> CreateAsync(TimeProvider clock);

    public async ValueTask InitializeAsync() => _hub = await CreateAsync(_clock);

    /// <summary>Closes the hub and opens it anew, with nothing in memory.</summary>
    protected async Task ReopenAsync()
    {
        await CloseAsync();
        _hub = await CreateAsync(_clock);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await CloseAsync();
    }

    private async ValueTask CloseAsync()
    {
        switch (_hub)
        {
            case IAsyncDisposable disposable:
                await disposable.DisposeAsync();
                break;
            case IDisposable disposable:
                disposable.Dispose();
                break;
        }
    }

    protected Task<CreateInstanceResponse> StartAsync(
        string id, string? input = null, OrchestrationIdReusePolicy? policy = null, DateTimeOffset? at = null) => Hub.StartInstanceAsync(
        new CreateInstanceRequest
        {
            InstanceId = id,
            Name = "Orchestrator",
            Input = input,
            OrchestrationIdReusePolicy = policy,
            ScheduledStartTimestamp = at is { } time ? Timestamp.FromDateTimeOffset(time) : null,
        },
        Token);

    protected Task RaiseAsync(string id, string name, string? data = null) =>
        Hub.RaiseEventAsync(new RaiseEventRequest { InstanceId = id, Name = name, Input = data }, Token);

    protected Task TerminateAsync(string id, string? output = null, bool recursive = false) =>
        Hub.TerminateInstanceAsync(new TerminateRequest { InstanceId = id, Output = output, Recursive = recursive }, Token);

    protected async Task<OrchestrationState?> StateAsync(string id)
    {
        var response = await Hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = true }, Token);
        response.Exists.ShouldBe(response.OrchestrationState is not null);
        return response.OrchestrationState;
    }

    protected async Task<OrchestrationStatus?> StatusAsync(string id) => (await StateAsync(id))?.OrchestrationStatus;

    protected async Task<List<HistoryEvent>> HistoryAsync(string id, bool forWork = false)
    {
        var events = new List<HistoryEvent>();
        var request = new StreamInstanceHistoryRequest { InstanceId = id, ForWorkItemProcessing = forWork };
        await foreach (var chunk in Hub.StreamInstanceHistoryAsync(request, Token))
        {
            events.AddRange(chunk.Events);
        }

        return events;
    }

    /// <summary>Nothing was handed out beyond what the test knows of, and nothing is about to be.</summary>
    protected async Task NothingMoreAsync(int outstanding = 0)
    {
        // The first passes through the hub; when the second is answered, what the first made ready was handed out.
        await Hub.HelloAsync(Token);
        await Hub.HelloAsync(Token);
        (await Extensions.GetCountsAsync(Token)).OutstandingItems.ShouldBe(outstanding);
    }

    protected static IEnumerable<string> Kinds(IEnumerable<HistoryEvent> events) => events.Select(e => e.EventTypeCase.ToString());

    protected static IEnumerable<string> Events(OrchestratorRequest request) => request.NewEvents
        .Where(e => e.EventRaised is not null)
        .Select(e => e.EventRaised.Name);

    protected static async Task RefusedAsync(Grpc.Core.StatusCode status, Func<Task> action) =>
        (await Should.ThrowAsync<TaskHubException>(action)).Status.ShouldBe(status);
}

/// <summary>A case that only a hub with the test's clock can be asked.</summary>
public sealed class NeedsOurClockException() : Exception("This case needs a hub whose clock the test moves.");

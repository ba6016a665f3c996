using System.Threading.Channels;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>A worker whose every answer the test gives by hand.</summary>
internal sealed class HandWorker : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly ITaskHub _hub;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<WorkItem> _items = Channel.CreateUnbounded<WorkItem>();
    private readonly Task _pump;

    public HandWorker(ITaskHub hub, GetWorkItemsRequest? request = null, bool keepsOrchestrators = false)
    {
        _hub = hub;
        _pump = PumpAsync(request ?? new GetWorkItemsRequest(), keepsOrchestrators);
    }

    public int Waiting => _items.Reader.Count;

    public async Task<WorkItem> NextAsync(TimeSpan? patience = null) => await _items.Reader.ReadAsync().AsTask().WaitAsync(patience ?? Patience);

    /// <summary>An item if there is one before the signal, else null.</summary>
    public async Task<WorkItem?> NextUnlessAsync(Task signal)
    {
        var available = _items.Reader.WaitToReadAsync().AsTask();
        await Task.WhenAny(available, signal).WaitAsync(Patience);
        return _items.Reader.TryRead(out var item) ? item : null;
    }

    /// <summary>The next item, which must be a turn.</summary>
    public async Task<(OrchestratorRequest Request, string Token)> TurnAsync(TimeSpan? patience = null)
    {
        var item = await NextAsync(patience);
        return (item.OrchestratorRequest ?? throw new InvalidOperationException($"Expected a turn, got {item}"), item.CompletionToken);
    }

    /// <summary>The next item, which must be an activity.</summary>
    public async Task<(ActivityRequest Request, string Token)> ActivityAsync()
    {
        var item = await NextAsync();
        return (item.ActivityRequest ?? throw new InvalidOperationException($"Expected an activity, got {item}"), item.CompletionToken);
    }

    /// <summary>Takes the next turn and answers it with these actions.</summary>
    public async Task<OrchestratorRequest> DoTurnAsync(params OrchestratorAction[] actions)
    {
        var (request, token) = await TurnAsync();
        await CompleteAsync(token, actions);
        return request;
    }

    public Task CompleteAsync(string token, params OrchestratorAction[] actions) =>
        _hub.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse { CompletionToken = token, Actions = { actions } }, CancellationToken.None);

    /// <summary>Takes the next activity and answers it.</summary>
    public async Task<ActivityRequest> DoActivityAsync(string? result)
    {
        var (request, token) = await ActivityAsync();
        await _hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = token, Result = result }, CancellationToken.None);
        return request;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _pump;
        _stop.Dispose();
    }

    private async Task PumpAsync(GetWorkItemsRequest request, bool keepsOrchestrators)
    {
        try
        {
            await foreach (var item in _hub.GetWorkItemsAsync(request, keepsOrchestrators, _stop.Token))
            {
                if (item.HealthPing is null)
                {
                    _items.Writer.TryWrite(item);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }
}

using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Worker.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Drydock.DurableTask.Worker;

/// <summary>
/// The worker of a task hub. It opens its stream of work items again for as long as the host runs; on stop it takes no more, lets
/// what runs end for a bounded time, and gives back the rest.
/// </summary>
internal sealed class TaskHubWorker : DurableTaskWorker
{
    private static readonly TimeSpan _firstReconnectDelay = TimeSpan.FromSeconds(1);

    // What was told to end gets this long to do so, so that it can be given back in order.
    private static readonly TimeSpan _interruptTimeout = TimeSpan.FromSeconds(2);

    private readonly ITaskHub _hub;
    private readonly TaskHubWorkerOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly WorkItemFilters? _filters;
    private readonly OrchestrationTurns _turns;
    private readonly ActivityRuns _activities;
    private readonly EntityRuns? _entities;
    private readonly RunningItems _running = new();
    private readonly CancellationTokenSource _ended = new();

    public TaskHubWorker(
        string name,
        DurableTaskFactory factory,
        ITaskHub hub,
        IOptionsMonitor<TaskHubWorkerOptions> options,
        IOptionsMonitor<WorkItemFilterOptions> filters,
        IServiceScopeFactory scopes,
        TimeProvider clock,
        ILoggerFactory loggers,
        IExceptionPropertiesProvider? exceptionProperties = null)
        : base(name, factory)
    {
        _hub = hub;
        _options = options.Get(name);
        _options.ExceptionProperties = ExceptionPropertiesProvider = exceptionProperties;
        _filters = filters.Get(name).For(factory.Registry, _options)?.ToProtocol();
        _clock = clock;
        _logger = loggers.CreateLogger<TaskHubWorker>();
        var calls = new HubCalls(clock, _logger);
        _turns = new OrchestrationTurns(hub, factory, scopes, _options, calls, loggers);
        _entities = _options.EnableEntitySupport ? new EntityRuns(hub, factory, scopes, _options, calls, _logger) : null;
        _activities = new ActivityRuns(hub, factory, scopes, _options, calls, _logger);
    }

    public override void Dispose()
    {
        // Not disposed: a host that did not wait for the drain leaves work behind that still looks at it, and is told to end here.
        _ended.Cancel();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var delay = _firstReconnectDelay;
        while (!stoppingToken.IsCancellationRequested)
        {
            var gotItems = false;
            try
            {
                await _hub.HelloAsync(stoppingToken);
                gotItems = await ReadAsync(stoppingToken);
                Log.StreamEnded(_logger);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception exception)
            {
                Log.StreamLost(_logger, exception);
            }

            delay = gotItems ? _firstReconnectDelay : Shorter(delay * 2, _options.MaximumReconnectDelay);
            await PauseAsync(delay * Random.Shared.NextDouble(), stoppingToken);
        }

        // Without a stream there is nobody to give items back to; what runs may still end.
        await DrainAsync();
    }

    /// <summary>Reads one stream to its end, or until the host stops; then drains while the stream is still open.</summary>
    /// <returns>Whether anything came.</returns>
    private async Task<bool> ReadAsync(CancellationToken stoppingToken)
    {
        using var streamEnd = new CancellationTokenSource();
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stoppingToken.Register(() => stopped.TrySetResult());
        await using var items = Open(streamEnd.Token).GetAsyncEnumerator(streamEnd.Token);

        var lost = _activities.WatchLostAsync(streamEnd.Token);
        try
        {
            return await ReadAsync(items, stopped.Task, streamEnd, stoppingToken);
        }
        finally
        {
            await streamEnd.CancelAsync();
            await lost;
        }
    }

    private IAsyncEnumerable<WorkItem> Open(CancellationToken streamEnd)
    {
        var keeps = _options.MaximumLiveOrchestrators > 0;
        return keeps && _hub is ISpeculativeTaskHub speculative
            ? speculative.GetSpeculativeWorkItemsAsync(Request(), streamEnd)
            : _hub.GetWorkItemsAsync(Request(), keeps, streamEnd);
    }

    private async Task<bool> ReadAsync(
        IAsyncEnumerator<WorkItem> items, Task stopped, CancellationTokenSource streamEnd, CancellationToken stoppingToken)
    {
        var any = false;
        while (true)
        {
            var next = items.MoveNextAsync().AsTask();
            await Task.WhenAny(next, stopped);
            if (stoppingToken.IsCancellationRequested)
            {
                // To end the stream now would make the hub hand out again what still runs.
                await DrainAsync();
                await streamEnd.CancelAsync();

                // Whatever a stream that we ended says no longer matters; an item in it goes back to the hub.
                await Task.WhenAny(next);
                return any;
            }

            if (!await next)
            {
                return any;
            }

            any = true;
            Dispatch(items.Current);
        }
    }

    private GetWorkItemsRequest Request()
    {
        var request = new GetWorkItemsRequest
        {
            MaxConcurrentOrchestrationWorkItems = _options.Concurrency.MaximumConcurrentOrchestrationWorkItems,
            MaxConcurrentActivityWorkItems = _options.Concurrency.MaximumConcurrentActivityWorkItems,
            MaxConcurrentEntityWorkItems = _options.Concurrency.MaximumConcurrentEntityWorkItems,
            WorkItemFilters = _filters,
        };
        request.Capabilities.Add(WorkerCapability.HistoryStreaming);
        return request;
    }

    private void Dispatch(WorkItem item)
    {
        var ended = _ended.Token;
        switch (item.RequestCase)
        {
            case WorkItem.RequestOneofCase.OrchestratorRequest:
                _running.Start(() => _turns.RunAsync(item.OrchestratorRequest, item.CompletionToken, ended));
                break;
            case WorkItem.RequestOneofCase.ActivityRequest:
                _running.Start(() => _activities.RunAsync(item.ActivityRequest, item.CompletionToken, ended));
                break;
            case WorkItem.RequestOneofCase.EntityRequest or WorkItem.RequestOneofCase.EntityRequestV2 when _entities is { } entities:
                _running.Start(() => entities.RunAsync(item, ended));
                break;
            case WorkItem.RequestOneofCase.EntityRequest or WorkItem.RequestOneofCase.EntityRequestV2:
                Log.EntityRefused(_logger);
                _running.Start(() => _hub.AbandonEntityTaskAsync(
                    new AbandonEntityTaskRequest { CompletionToken = item.CompletionToken }, ended));
                break;
        }
    }

    private async Task DrainAsync()
    {
        if (!await _running.WaitAsync(_options.DrainTimeout, _clock))
        {
            Log.DrainTimedOut(_logger, _running.Count, _options.DrainTimeout);
            await _ended.CancelAsync();
            await _running.WaitAsync(_interruptTimeout, _clock);
        }
    }

    private async Task PauseAsync(TimeSpan delay, CancellationToken stoppingToken)
    {
        try
        {
            await Task.Delay(delay, _clock, stoppingToken);
        }
        catch (OperationCanceledException)
        {
            // The loop sees it.
        }
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;
}

using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Drydock.DurableTask.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.Worker;

/// <summary>Runs activities, each in a scope of its own, and reports what became of them.</summary>
internal sealed class ActivityRuns(
    ITaskHub hub, DurableTaskFactory factory, IServiceScopeFactory scopes, TaskHubWorkerOptions options, HubCalls calls, ILogger logger)
{
    // What the feed of lost activities may be ahead of the work items by.
    private const int MostRemembered = 1000;

    private readonly ConcurrentDictionary<string, CancellationTokenSource> _running = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte> _lost = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _lostInOrder = new();

    /// <summary>Trips the tokens of activities whose result nobody waits for any more; ends with the stream, or at once if the hub does not say.</summary>
    public async Task WatchLostAsync(CancellationToken cancellationToken)
    {
        if (hub is not ITaskHubExtensions extensions)
        {
            return;
        }

        try
        {
            await foreach (var token in extensions.WatchLostActivitiesAsync(cancellationToken))
            {
                await LoseAsync(token);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The worker stops.
        }
        catch (TaskHubException refusal)
        {
            // The hub has gone; with its stream of work this feed begins again.
            Log.LostFeedEnded(logger, refusal);
        }
    }

    /// <summary>Runs an activity; returns when the hub knows the result, or has the item back.</summary>
    /// <param name="request">The activity.</param>
    /// <param name="completionToken">The token of the item.</param>
    /// <param name="ended">The worker does not wait any longer.</param>
    public async Task RunAsync(ActivityRequest request, string completionToken, CancellationToken ended)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(ended);
        _running[completionToken] = end;
        if (_lost.ContainsKey(completionToken))
        {
            await CancelAsync(end);
        }

        try
        {
            var response = await ExecuteAsync(request, completionToken, end);
            response.InstanceId = request.OrchestrationInstance.InstanceId;
            response.TaskId = request.TaskId;
            response.CompletionToken = completionToken;
            await calls.CallAsync(token => hub.CompleteActivityTaskAsync(response, token), ended);
            return;
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.NotFound)
        {
            Log.ActivityResultStale(logger, request.Name, request.OrchestrationInstance.InstanceId);
            return;
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested && !ended.IsCancellationRequested)
        {
            // The hub counts it as in hand until it is given back.
            Log.ActivityUnwanted(logger, request.Name, request.OrchestrationInstance.InstanceId);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            Log.ActivityInterrupted(logger, request.Name, request.OrchestrationInstance.InstanceId);
        }
        catch (Exception exception)
        {
            Log.ItemFailed(logger, exception, request.Name, request.OrchestrationInstance.InstanceId);
        }
        finally
        {
            _running.TryRemove(completionToken, out _);
        }

        await calls.AbandonAsync(
            token => hub.AbandonActivityTaskAsync(new AbandonActivityTaskRequest { CompletionToken = completionToken }, token),
            CancellationToken.None);
    }

    /// <summary>The input as the activity's author wrote it: without the array of one that the official SDK puts around it.</summary>
    internal static string? Unwrap(string? input)
    {
        if (input is null || !input.AsSpan().TrimStart().StartsWith("["))
        {
            return input;
        }

        var text = Encoding.UTF8.GetBytes(input);
        var reader = new Utf8JsonReader(text);
        reader.Read();
        if (!reader.Read() || reader.TokenType == JsonTokenType.EndArray)
        {
            return input;
        }

        var begin = (int)reader.TokenStartIndex;
        reader.Skip();
        var end = (int)reader.BytesConsumed;

        // Other SDKs write plain values: an array of several is one of them.
        return reader.Read() && reader.TokenType == JsonTokenType.EndArray ? Encoding.UTF8.GetString(text, begin, end - begin) : input;
    }

    private async Task<ActivityResponse> ExecuteAsync(ActivityRequest request, string completionToken, CancellationTokenSource end)
    {
        if (VersionRule.Objection(options.Versioning, request.Version) is { } objection)
        {
            return Failure(VersionRule.ErrorType, objection);
        }

        await using var scope = scopes.CreateAsyncScope();
        using var span = Tracing.StartActivityTask(request);
        using var lines = logger.BeginScope(new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["Instance"] = request.OrchestrationInstance.InstanceId,
            ["Task"] = request.Name,
        });
        try
        {
            if (!factory.TryCreateActivity(request.Name, request.Version, scope.ServiceProvider, out var activity))
            {
                var version = string.IsNullOrEmpty(request.Version) ? string.Empty : $" with version '{request.Version}'";
                return Failure("ActivityTaskNotFound", $"No activity task named '{request.Name}'{version} was found.");
            }

            var input = options.DataConverter.Deserialize(Unwrap(request.Input), activity.InputType);
            var context = new ActivityContext(request, completionToken, hub, options.DataConverter, end, logger);
            var output = await activity.RunAsync(context, input);
            return new ActivityResponse { Result = options.DataConverter.Serialize(output) };
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception exception)
        {
            span?.SetStatus(System.Diagnostics.ActivityStatusCode.Error, exception.Message);
            Log.ActivityFailed(logger, exception, request.Name, request.OrchestrationInstance.InstanceId);
            return new ActivityResponse { FailureDetails = options.Describe(exception) };
        }
    }

    /// <summary>The feed and the items are two streams: what is lost may not have begun here yet, or may be another worker's.</summary>
    private async Task LoseAsync(string token)
    {
        _lost[token] = 0;
        _lostInOrder.Enqueue(token);
        if (_lostInOrder.Count > MostRemembered && _lostInOrder.TryDequeue(out var oldest))
        {
            _lost.TryRemove(oldest, out _);
        }

        if (_running.TryGetValue(token, out var end))
        {
            await CancelAsync(end);
        }
    }

    private static async Task CancelAsync(CancellationTokenSource end)
    {
        try
        {
            await end.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself just now.
        }
    }

    private static ActivityResponse Failure(string type, string message) => new()
    {
        FailureDetails = new() { ErrorType = type, ErrorMessage = message, IsNonRetriable = true },
    };
}

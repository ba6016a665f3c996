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
    /// <summary>Runs an activity; returns when the hub knows the result, or has the item back.</summary>
    /// <param name="request">The activity.</param>
    /// <param name="completionToken">The token of the item.</param>
    /// <param name="ended">The worker does not wait any longer.</param>
    public async Task RunAsync(ActivityRequest request, string completionToken, CancellationToken ended)
    {
        try
        {
            var response = await ExecuteAsync(request, ended);
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
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            Log.ActivityInterrupted(logger, request.Name, request.OrchestrationInstance.InstanceId);
        }
        catch (Exception exception)
        {
            Log.ItemFailed(logger, exception, request.Name, request.OrchestrationInstance.InstanceId);
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

    private async Task<ActivityResponse> ExecuteAsync(ActivityRequest request, CancellationToken ended)
    {
        if (VersionRule.Objection(options.Versioning, request.Version) is { } objection)
        {
            return Failure(VersionRule.ErrorType, objection);
        }

        await using var scope = scopes.CreateAsyncScope();
        try
        {
            if (!factory.TryCreateActivity(request.Name, request.Version, scope.ServiceProvider, out var activity))
            {
                var version = string.IsNullOrEmpty(request.Version) ? string.Empty : $" with version '{request.Version}'";
                return Failure("ActivityTaskNotFound", $"No activity task named '{request.Name}'{version} was found.");
            }

            var input = options.DataConverter.Deserialize(Unwrap(request.Input), activity.InputType);
            var output = await activity.RunAsync(new Context(request, ended), input);
            return new ActivityResponse { Result = options.DataConverter.Serialize(output) };
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception exception)
        {
            Log.ActivityFailed(logger, exception, request.Name, request.OrchestrationInstance.InstanceId);
            return new ActivityResponse { FailureDetails = TaskFailureDetails.FromException(exception).ToProtocol() };
        }
    }

    private static ActivityResponse Failure(string type, string message) => new()
    {
        FailureDetails = new() { ErrorType = type, ErrorMessage = message, IsNonRetriable = true },
    };

    private sealed class Context(ActivityRequest request, CancellationToken ended) : TaskActivityContext, ICancellableActivityContext
    {
        public override TaskName Name { get; } = request.Name;

        public override string InstanceId { get; } = request.OrchestrationInstance.InstanceId;

        public override string Version { get; } = request.Version ?? string.Empty;

        public CancellationToken CancellationToken { get; } = ended;
    }
}

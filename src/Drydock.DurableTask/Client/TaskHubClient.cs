using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Drydock.DurableTask.Client;

/// <summary>
/// A client of a task hub. What the protocol answers with a status is thrown as the exception that callers of the official client
/// know.
/// </summary>
public sealed class TaskHubClient(
    string name, ITaskHub hub, IOptionsMonitor<DurableTaskClientOptions> options, TimeProvider clock) : DurableTaskClient(name)
{
    private readonly DurableTaskClientOptions _options = options.Get(name);
    private TaskHubEntityClient? _entities;

    /// <inheritdoc/>
    public override Entities.DurableEntityClient Entities => _options.EnableEntitySupport
        ? _entities ??= new TaskHubEntityClient(Name, hub, Converter, clock)
        : throw new NotSupportedException("Durable entities are disabled because DurableTaskClientOptions.EnableEntitySupport=false");

    internal DataConverter Converter => _options.DataConverter;

    /// <summary>The hub's other half, if it has one.</summary>
    internal ITaskHubExtensions? Extensions => hub as ITaskHubExtensions;

    /// <inheritdoc/>
    public override async Task<string> ScheduleNewOrchestrationInstanceAsync(
        TaskName orchestratorName,
        object? input = null,
        StartOrchestrationOptions? options = null,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(orchestratorName.Name, nameof(orchestratorName));
        var version = options?.Version?.Version ?? _options.DefaultVersion;
        var request = new CreateInstanceRequest
        {
            InstanceId = options?.InstanceId ?? Guid.NewGuid().ToString("N"),
            Name = orchestratorName,
            Version = string.IsNullOrEmpty(version) ? null : version,
            Input = Converter.Serialize(input),
            ScheduledStartTimestamp = options?.StartAt?.ToTimestamp(),
            RequestTime = clock.GetUtcNow().ToTimestamp(),
            OrchestrationIdReusePolicy = InstanceMessages.ReusePolicy(options?.DedupeStatuses),
        };
        request.Tags[Semantics.Tag] = Semantics.Current;
        foreach (var (key, value) in options?.Tags ?? new Dictionary<string, string>())
        {
            request.Tags[key] = value;
        }

        using var span = Tracing.StartNewOrchestration(request);
        try
        {
            return (await hub.StartInstanceAsync(request, cancellation)).InstanceId;
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.AlreadyExists)
        {
            throw new OrchestrationAlreadyExistsException(refusal.Message, refusal);
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.InvalidArgument)
        {
            throw new ArgumentException(refusal.Message, nameof(options), refusal);
        }
    }

    /// <inheritdoc/>
    public override async Task RaiseEventAsync(
        string instanceId, string eventName, object? eventPayload = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        ArgumentException.ThrowIfNullOrEmpty(eventName);
        using var span = Tracing.StartEvent(eventName, instanceId);
        await hub.RaiseEventAsync(
            new RaiseEventRequest { InstanceId = instanceId, Name = eventName, Input = Converter.Serialize(eventPayload) }, cancellation);
    }

    /// <inheritdoc/>
    public override async Task<OrchestrationMetadata> WaitForInstanceStartAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default)
    {
        var response = await hub.WaitForInstanceStartAsync(Get(instanceId, getInputsAndOutputs), cancellation);
        return InstanceMessages.ToMetadata(response.OrchestrationState, Converter, getInputsAndOutputs);
    }

    /// <inheritdoc/>
    public override async Task<OrchestrationMetadata> WaitForInstanceCompletionAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default)
    {
        while (true)
        {
            try
            {
                var response = await hub.WaitForInstanceCompletionAsync(Get(instanceId, getInputsAndOutputs), cancellation);
                return InstanceMessages.ToMetadata(response.OrchestrationState, Converter, getInputsAndOutputs);
            }
            catch (TaskHubException refusal) when (refusal.Status == StatusCode.DeadlineExceeded)
            {
                // A hub may bound how long one call waits; the caller's bound is the token.
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    /// <inheritdoc/>
    public override Task TerminateInstanceAsync(
        string instanceId, TerminateInstanceOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        var request = new TerminateRequest
        {
            InstanceId = instanceId,
            Output = Converter.Serialize(options?.Output),
            Recursive = options?.Recursive ?? false,
        };
        return hub.TerminateInstanceAsync(request, cancellation);
    }

    /// <inheritdoc/>
    public override Task SuspendInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        return hub.SuspendInstanceAsync(new SuspendRequest { InstanceId = instanceId, Reason = reason }, cancellation);
    }

    /// <inheritdoc/>
    public override Task ResumeInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        return hub.ResumeInstanceAsync(new ResumeRequest { InstanceId = instanceId, Reason = reason }, cancellation);
    }

    /// <inheritdoc/>
    public override async Task<OrchestrationMetadata?> GetInstancesAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default)
    {
        var response = await hub.GetInstanceAsync(Get(instanceId, getInputsAndOutputs), cancellation);
        return response.Exists ? InstanceMessages.ToMetadata(response.OrchestrationState, Converter, getInputsAndOutputs) : null;
    }

    /// <inheritdoc/>
    public override AsyncPageable<OrchestrationMetadata> GetAllInstancesAsync(OrchestrationQuery? filter = null)
    {
        var query = filter ?? new OrchestrationQuery();
        return Pageable.Create(async (token, pageSize, cancellation) =>
        {
            var request = InstanceMessages.ToProtocol(query, token ?? query.ContinuationToken, pageSize ?? query.PageSize);
            var response = await hub.QueryInstancesAsync(request, cancellation);
            List<OrchestrationMetadata> values =
            [
                .. response.OrchestrationState.Select(
                    state => InstanceMessages.ToMetadata(state, Converter, query.FetchInputsAndOutputs)),
            ];
            return new Page<OrchestrationMetadata>(values, response.ContinuationToken);
        });
    }

    /// <inheritdoc/>
    public override async Task<Page<string>> ListInstanceIdsAsync(
        IEnumerable<OrchestrationRuntimeStatus>? runtimeStatus = null,
        DateTimeOffset? completedTimeFrom = null,
        DateTimeOffset? completedTimeTo = null,
        int pageSize = OrchestrationQuery.DefaultPageSize,
        string? lastInstanceKey = null,
        CancellationToken cancellation = default)
    {
        var request = new ListInstanceIdsRequest
        {
            CompletedTimeFrom = completedTimeFrom?.ToTimestamp(),
            CompletedTimeTo = completedTimeTo?.ToTimestamp(),
            PageSize = pageSize,
            LastInstanceKey = lastInstanceKey ?? string.Empty,
        };
        request.RuntimeStatus.Add(InstanceMessages.ToProtocol(runtimeStatus));
        var response = await hub.ListInstanceIdsAsync(request, cancellation);
        return new Page<string>([.. response.InstanceIds], response.LastInstanceKey);
    }

    /// <inheritdoc/>
    public override Task<PurgeResult> PurgeInstanceAsync(
        string instanceId, PurgeInstanceOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        return PurgeAsync(
            new PurgeInstancesRequest { InstanceId = instanceId, Recursive = options?.Recursive ?? false, IsOrchestration = true },
            cancellation);
    }

    /// <inheritdoc/>
    public override Task<PurgeResult> PurgeAllInstancesAsync(
        PurgeInstancesFilter filter, PurgeInstanceOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        var wanted = new PurgeInstanceFilter
        {
            CreatedTimeFrom = filter.CreatedFrom?.ToTimestamp(),
            CreatedTimeTo = filter.CreatedTo?.ToTimestamp(),
            Timeout = filter.Timeout?.ToDuration(),
        };
        wanted.RuntimeStatus.Add(InstanceMessages.ToProtocol(filter.Statuses));
        return PurgeAsync(
            new PurgeInstancesRequest { PurgeInstanceFilter = wanted, Recursive = options?.Recursive ?? false }, cancellation);
    }

    /// <inheritdoc/>
    public override async Task<string> RestartAsync(
        string instanceId, bool restartWithNewInstanceId = false, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        var request = new RestartInstanceRequest { InstanceId = instanceId, RestartWithNewInstanceId = restartWithNewInstanceId };
        return (await WithKnownRefusalsAsync(hub.RestartInstanceAsync(request, cancellation), nameof(instanceId))).InstanceId;
    }

    /// <inheritdoc/>
    public override Task RewindInstanceAsync(string instanceId, string reason, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        var request = new RewindInstanceRequest { InstanceId = instanceId, Reason = reason };
        return WithKnownRefusalsAsync(hub.RewindInstanceAsync(request, cancellation), nameof(instanceId));
    }

    /// <summary>Does nothing: the hub belongs to the services.</summary>
    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static GetInstanceRequest Get(string instanceId, bool getInputsAndOutputs)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        return new GetInstanceRequest { InstanceId = instanceId, GetInputsAndOutputs = getInputsAndOutputs };
    }

    private static async Task<T> WithKnownRefusalsAsync<T>(Task<T> call, string parameter)
    {
        try
        {
            return await call;
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.NotFound)
        {
            throw new ArgumentException(refusal.Message, parameter, refusal);
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.FailedPrecondition)
        {
            throw new InvalidOperationException(refusal.Message, refusal);
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.Unimplemented)
        {
            throw new NotSupportedException(refusal.Message, refusal);
        }
    }

    private async Task<PurgeResult> PurgeAsync(PurgeInstancesRequest request, CancellationToken cancellation)
    {
        var response = await hub.PurgeInstancesAsync(request, cancellation);
        return new PurgeResult(response.DeletedInstanceCount, response.IsComplete);
    }
}

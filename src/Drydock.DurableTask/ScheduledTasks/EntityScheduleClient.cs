using Drydock.DurableTask.Client;
using Drydock.DurableTask.Client.Entities;
using Drydock.DurableTask.Entities;

namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>Schedules over the entities of a hub: read from them, changed by orchestrations that call them.</summary>
internal sealed class EntityScheduledTaskClient(DurableTaskClient client) : ScheduledTaskClient
{
    public override ScheduleClient GetScheduleClient(string scheduleId) => new EntityScheduleClient(client, scheduleId);

    public override async Task<ScheduleClient> CreateScheduleAsync(
        ScheduleCreationOptions creationOptions, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(creationOptions);
        var schedule = GetScheduleClient(creationOptions.ScheduleId);
        await schedule.CreateAsync(creationOptions, cancellation);
        return schedule;
    }

    public override async Task<ScheduleDescription?> GetScheduleAsync(string scheduleId, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(scheduleId);
        var entity = await client.Entities.GetEntityAsync<ScheduleState>(EntityScheduleClient.EntityOf(scheduleId), cancellation);
        return entity is { State.ScheduleConfiguration: not null } ? entity.State.Describe(scheduleId) : null;
    }

    public override AsyncPageable<ScheduleDescription> ListSchedulesAsync(ScheduleQuery? filter = null)
    {
        var wanted = filter ?? new ScheduleQuery();
        var query = new EntityQuery
        {
            InstanceIdStartsWith = EntityScheduleClient.EntityOf(wanted.ScheduleIdPrefix ?? "").ToString(),
            PageSize = wanted.PageSize ?? ScheduleQuery.DefaultPageSize,
        };
        return Pageable.Create(async (token, pageSize, cancellation) =>
        {
            var pages = client.Entities.GetAllEntitiesAsync<ScheduleState>(query).AsPages(token ?? wanted.ContinuationToken, pageSize);
            await foreach (var page in pages.WithCancellation(cancellation))
            {
                var found = page.Values
                    .Where(entity => entity.State.ScheduleConfiguration is not null)
                    .Select(entity => entity.State.Describe(entity.Id.Key))
                    .Where(schedule => IsWanted(schedule, wanted));
                return new Page<ScheduleDescription>([.. found], page.ContinuationToken);
            }

            return new Page<ScheduleDescription>([]);
        });
    }

    private static bool IsWanted(ScheduleDescription schedule, ScheduleQuery query) =>
        (query.Status is null || schedule.Status == query.Status)
        && (query.CreatedFrom is null || schedule.CreatedAt > query.CreatedFrom)
        && (query.CreatedTo is null || schedule.CreatedAt < query.CreatedTo);
}

/// <summary>One schedule, likewise.</summary>
internal sealed class EntityScheduleClient(DurableTaskClient client, string scheduleId) : ScheduleClient(scheduleId)
{
    private const string Delete = "delete";

    public static EntityInstanceId EntityOf(string scheduleId) => new(nameof(Schedule), scheduleId);

    public override Task CreateAsync(ScheduleCreationOptions creationOptions, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(creationOptions);
        return creationOptions.ScheduleId == ScheduleId
            ? RunAsync("created", nameof(Schedule.CreateSchedule), creationOptions, cancellation)
            : throw new ArgumentException($"These options are for the schedule '{creationOptions.ScheduleId}', not for '{ScheduleId}'.", nameof(creationOptions));
    }

    public override async Task<ScheduleDescription> DescribeAsync(CancellationToken cancellation = default) =>
        await new EntityScheduledTaskClient(client).GetScheduleAsync(ScheduleId, cancellation) ?? throw new ScheduleNotFoundException(ScheduleId);

    public override Task DeleteAsync(CancellationToken cancellation = default) => RunAsync("deleted", Delete, null, cancellation);

    public override Task PauseAsync(CancellationToken cancellation = default) => RunAsync("paused", nameof(Schedule.PauseSchedule), null, cancellation);

    public override Task ResumeAsync(CancellationToken cancellation = default) => RunAsync("resumed", nameof(Schedule.ResumeSchedule), null, cancellation);

    public override Task UpdateAsync(ScheduleUpdateOptions updateOptions, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(updateOptions);
        return RunAsync("updated", nameof(Schedule.UpdateSchedule), updateOptions, cancellation);
    }

    private async Task RunAsync(string what, string operation, object? input, CancellationToken cancellation)
    {
        var id = await client.ScheduleNewOrchestrationInstanceAsync(
            nameof(ExecuteScheduleOperationOrchestrator), new ScheduleOperationRequest(EntityOf(ScheduleId), operation, input), cancellation);
        var end = await client.WaitForInstanceCompletionAsync(id, getInputsAndOutputs: true, cancellation);
        await ForgetAsync(id, cancellation);
        if (end.RuntimeStatus == OrchestrationRuntimeStatus.Completed)
        {
            return;
        }

        var cause = end.FailureDetails;
        while (cause?.InnerFailure is { } inner)
        {
            cause = inner;
        }

        throw cause?.IsCausedBy<ScheduleNotFoundException>() == true
            ? new ScheduleNotFoundException(ScheduleId)
            : new InvalidOperationException(
                $"The schedule '{ScheduleId}' was not {what}: {cause?.ErrorMessage ?? $"the orchestration '{id}' that was to do it ended as {end.RuntimeStatus}."}");
    }

    /// <summary>What became of the operation is known; what it was done with must not pile up.</summary>
    private async Task ForgetAsync(string id, CancellationToken cancellation)
    {
        try
        {
            await client.PurgeInstanceAsync(id, cancellation);
        }
        catch (Exception exception) when (exception is TaskHubException or OperationCanceledException)
        {
            // The operation itself is done, and that is what the caller is to know; the rest is left to the hub's retention.
        }
    }
}

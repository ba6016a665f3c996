using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Enum = System.Enum;

namespace Drydock.DurableTask.Client;

/// <summary>The client's records and the protocol's messages.</summary>
internal static class InstanceMessages
{
    /// <summary>The state of an instance as callers see it.</summary>
    public static OrchestrationMetadata ToMetadata(OrchestrationState state, DataConverter converter, bool withTexts) =>
        new(state.Name, state.InstanceId)
        {
            DataConverter = converter,
            RuntimeStatus = (OrchestrationRuntimeStatus)state.OrchestrationStatus,
            CreatedAt = state.CreatedTimestamp.ToDateTimeOffset(),
            LastUpdatedAt = state.LastUpdatedTimestamp.ToDateTimeOffset(),
            SerializedInput = withTexts ? state.Input : null,
            SerializedOutput = withTexts ? state.Output : null,
            SerializedCustomStatus = withTexts ? state.CustomStatus : null,
            FailureDetails = withTexts ? state.FailureDetails?.ToDetails() : null,
            Tags = state.Tags
                .Where(static tag => tag.Key != Execution.Semantics.Tag)
                .ToDictionary(static tag => tag.Key, static tag => tag.Value),
        };

    /// <summary>A query.</summary>
    public static QueryInstancesRequest ToProtocol(OrchestrationQuery query, string? continuationToken, int pageSize)
    {
        var wanted = new InstanceQuery
        {
            CreatedTimeFrom = query.CreatedFrom?.ToTimestamp(),
            CreatedTimeTo = query.CreatedTo?.ToTimestamp(),
            MaxInstanceCount = pageSize,
            ContinuationToken = continuationToken,
            InstanceIdPrefix = query.InstanceIdPrefix,
            FetchInputsAndOutputs = query.FetchInputsAndOutputs,
        };
        wanted.RuntimeStatus.Add(ToProtocol(query.Statuses));
        wanted.TaskHubNames.Add(query.TaskHubNames ?? []);
        return new QueryInstancesRequest { Query = wanted };
    }

    /// <summary>States; none means all.</summary>
    public static IEnumerable<OrchestrationStatus> ToProtocol(IEnumerable<OrchestrationRuntimeStatus>? statuses) =>
        statuses?.Select(static status => (OrchestrationStatus)status) ?? [];

    /// <summary>What may be replaced: every state but those that forbid it. Null leaves it to the hub.</summary>
    /// <exception cref="ArgumentException">A name is not the name of a state.</exception>
    public static OrchestrationIdReusePolicy? ReusePolicy(IReadOnlyList<string>? dedupeStatuses)
    {
        if (dedupeStatuses is null)
        {
            return null;
        }

        var forbidden = dedupeStatuses.Select(ParseStatus).ToHashSet();
        var policy = new OrchestrationIdReusePolicy();
        policy.ReplaceableStatus.Add(ToProtocol(
            StartOrchestrationOptionsExtensions.ValidDedupeStatuses.Where(status => !forbidden.Contains(status))));
        return policy;
    }

    private static OrchestrationRuntimeStatus ParseStatus(string name) =>
        Enum.TryParse<OrchestrationRuntimeStatus>(name, ignoreCase: true, out var status)
        && StartOrchestrationOptionsExtensions.ValidDedupeStatuses.Contains(status)
            ? status
            : throw new ArgumentException($"'{name}' is not a state that can forbid to replace an instance.", nameof(name));
}

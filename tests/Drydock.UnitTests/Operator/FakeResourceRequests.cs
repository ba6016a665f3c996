using System.Text.Json;
using Drydock.Maintenance;
using Drydock.Operator.Resources;

namespace Drydock.UnitTests.Operator;

/// <summary>Reads every rollout as one of two nodes, and of a window the field <c>cron</c>.</summary>
internal sealed class FakeResourceRequests : IResourceRequests
{
    /// <summary>One of the two left the cluster.</summary>
    public bool IsNodeGone { get; set; }

    public Task<SpecReading<RolloutRequest>> ReadRolloutAsync(JsonElement spec, string requestedBy, bool mustExist, CancellationToken cancellationToken) =>
        Task.FromResult(mustExist && IsNodeGone ? new(null, "There is no node-2.") : new SpecReading<RolloutRequest>(Rollout(requestedBy), null));

    public Task<SpecReading<WindowRequest>> ReadWindowAsync(string name, JsonElement spec, string requestedBy, bool mustExist, CancellationToken cancellationToken) =>
        Task.FromResult(mustExist && IsNodeGone ? new(null, "There is no node-2.") : new SpecReading<WindowRequest>(
            new WindowRequest(Rollout(requestedBy)) { Cron = spec.GetProperty("cron").GetString(), Duration = TimeSpan.FromHours(1) }, null));

    public string? PolicyProblem(string name, JsonElement spec) => throw new NotSupportedException();

    private static RolloutRequest Rollout(string requestedBy) =>
        new(["node-1", "node-2"]) { Template = new MaintenanceRequest("") { RequestedBy = requestedBy } };
}

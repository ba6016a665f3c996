using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;

namespace Drydock.Kubernetes.Changes;

/// <summary>
/// Writes the lifecycle conditions of nodes. The list is written whole, and only if the node still has the version that was read: what the
/// kubelet wrote meanwhile is never lost.
/// </summary>
internal sealed class NodeConditions(ApiClient api) : INodeConditions
{
    private const int MostTries = 5;

    public async Task SetAsync(string node, string owner, IReadOnlyList<LifecycleCondition> wanted, CancellationToken cancellationToken)
    {
        for (var left = MostTries; ; left--)
        {
            if (await api.GetAsync(Resource.Nodes, @namespace: null, node, cancellationToken) is not { } found
                || Change(JsonNode.Parse(found.GetRawText())!, owner, wanted) is not { } patch)
            {
                return;
            }

            var answer = await api.SendAsync(
                new ApiCall("patch", Resource.Nodes) { Name = node, Subresource = "status", Body = patch.ToJsonString() }, cancellationToken);
            if (answer.IsSuccess || answer.Code == 404)
            {
                return;
            }

            if (answer.Code != 409 || left == 1)
            {
                throw ApiErrors.From(answer);
            }
        }
    }

    private JsonObject? Change(JsonNode node, string owner, IReadOnlyList<LifecycleCondition> wanted)
    {
        var conditions = node["status"]?["conditions"]?.AsArray().Select(static each => each!.DeepClone().AsObject()).ToList() ?? [];
        var isChanged = false;
        foreach (var each in wanted)
        {
            var before = conditions.FirstOrDefault(condition => (string?)condition["type"] == each.Type);
            var isOurs = ((string?)before?["message"])?.Contains(owner, StringComparison.Ordinal) == true;
            var isTrue = (string?)before?["status"] == "True";
            if (each.IsTrue ? isTrue && isOurs && (string?)before!["reason"] == each.Reason : !(isTrue && isOurs))
            {
                continue;
            }

            isChanged = true;
            conditions.RemoveAll(condition => (string?)condition["type"] == each.Type);
            conditions.Add(Write(each, owner, isTrue == each.IsTrue ? (string?)before?["lastTransitionTime"] : null));
        }

        return isChanged
            ? new JsonObject
            {
                ["metadata"] = new JsonObject { ["resourceVersion"] = (string?)node["metadata"]!["resourceVersion"] },
                ["status"] = new JsonObject { ["conditions"] = new JsonArray([.. conditions]) },
            }
            : null;
    }

    private JsonObject Write(LifecycleCondition condition, string owner, string? since)
    {
        var now = api.Clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return new JsonObject
        {
            ["type"] = condition.Type,
            ["status"] = condition.IsTrue ? "True" : "False",
            ["reason"] = condition.Reason,
            ["message"] = $"{condition.Message} ({owner})",
            ["lastHeartbeatTime"] = now,
            ["lastTransitionTime"] = since ?? now,
        };
    }
}

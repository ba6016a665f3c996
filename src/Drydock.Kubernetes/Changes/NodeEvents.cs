using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;
using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes.Changes;

/// <summary>The object an Event is about; it has no namespace.</summary>
internal sealed record EventSubject(string ApiVersion, string Kind, string Name, string Uid)
{
    /// <summary>As the kubelet does: uid = name. kubectl describe node finds these in every version, those with the real uid only in some.</summary>
    public static EventSubject Node(string name) => new("v1", "Node", name, name);
}

/// <summary>
/// Kubernetes Events on nodes and on our resources. The same event of the same instance is one object that counts, so that a rerun adds
/// no second.
/// </summary>
internal sealed partial class NodeEvents(ApiClient api, ILogger<NodeEvents> logger)
{
    private const string Component = "drydock";

    /// <summary>Objects without a namespace have their events in this one.</summary>
    private const string Namespace = "default";

    private static readonly string Host = Environment.MachineName;

    public Task RecordAsync(NodeEvent nodeEvent, CancellationToken cancellationToken) =>
        RecordAsync(EventSubject.Node(nodeEvent.Node), nodeEvent, cancellationToken);

    public async Task RecordAsync(EventSubject subject, NodeEvent nodeEvent, CancellationToken cancellationToken)
    {
        try
        {
            var name = NameOf(subject, nodeEvent);
            var create = new ApiCall("create", Resource.Events) { Namespace = Namespace, Body = New(name, subject, nodeEvent).ToJsonString() };
            var answer = await api.SendAsync(create, cancellationToken);
            if (answer.Code == 409)
            {
                await CountAsync(name, cancellationToken);
            }
            else if (!answer.IsSuccess)
            {
                throw ApiErrors.From(answer);
            }
        }
        catch (ClusterException exception)
        {
            LogLost(nodeEvent.Reason, subject.Kind, subject.Name, exception.Message);
        }
    }

    private async Task CountAsync(string name, CancellationToken cancellationToken)
    {
        if (await api.GetAsync(Resource.Events, Namespace, name, cancellationToken) is not { } found)
        {
            return;
        }

        var patch = new JsonObject { ["count"] = (found.Number("count") ?? 1) + 1, ["lastTimestamp"] = Now() };
        await api.DoAsync(
            new ApiCall("patch", Resource.Events) { Namespace = Namespace, Name = name, Body = patch.ToJsonString() }, cancellationToken);
    }

    private JsonObject New(string name, EventSubject subject, NodeEvent nodeEvent) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Event",
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["namespace"] = Namespace,
            ["annotations"] = new JsonObject { ["drydock.dev/instance"] = nodeEvent.InstanceId },
        },
        ["involvedObject"] = new JsonObject
        {
            ["apiVersion"] = subject.ApiVersion, ["kind"] = subject.Kind, ["name"] = subject.Name, ["uid"] = subject.Uid,
        },
        ["type"] = nodeEvent.IsWarning ? "Warning" : "Normal",
        ["reason"] = nodeEvent.Reason,
        ["message"] = nodeEvent.Message,
        ["source"] = new JsonObject { ["component"] = Component },
        ["reportingComponent"] = Component,
        ["reportingInstance"] = Host,
        ["firstTimestamp"] = Now(),
        ["lastTimestamp"] = Now(),
        ["count"] = 1,
    };

    private string Now() => api.Clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string NameOf(EventSubject subject, NodeEvent nodeEvent)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{nodeEvent.InstanceId}\n{nodeEvent.Reason}\n{nodeEvent.Message}"));
        return $"{subject.Name}.{Convert.ToHexStringLower(hash.AsSpan(0, 8))}";
    }

    [LoggerMessage(3101, LogLevel.Warning, "The event {Reason} on {Kind} {Name} was not recorded: {Why}")]
    private partial void LogLost(string reason, string kind, string name, string why);
}

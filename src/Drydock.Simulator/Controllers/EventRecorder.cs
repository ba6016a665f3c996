using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Writes Events; a repeated one raises the count of the first, as the recorder of real controllers does.</summary>
internal sealed class EventRecorder(IObjectStore store, TimeProvider clock)
{
    private readonly Dictionary<(string Uid, string Reason, string Message), string> _written = [];
    private readonly Dictionary<string, (string Uid, string Reason, string Message)> _keys = [];
    private long _count;

    /// <summary>Whether no Events are written.</summary>
    public bool IsSilent { get; set; }

    public void Normal(ResourceType type, JsonObject about, string reason, string message, string component) =>
        Record(type, about, "Normal", reason, message, component);

    public void Warning(ResourceType type, JsonObject about, string reason, string message, string component) =>
        Record(type, about, "Warning", reason, message, component);

    /// <summary>An Event is gone: should it happen again, it is a new one.</summary>
    public void Forget(JsonObject item)
    {
        if (_keys.Remove(item.NameOf(), out var key))
        {
            _written.Remove(key);
        }
    }

    private void Record(ResourceType type, JsonObject about, string kind, string reason, string message, string component)
    {
        if (IsSilent)
        {
            return;
        }

        var now = clock.GetUtcNow().Timestamp();
        var space = about.NamespaceOf() ?? "default";
        var key = (about.UidOf(), reason, message);
        if (_written.TryGetValue(key, out var name) && Repeat(space, name, now))
        {
            return;
        }

        var written = store.Create(ResourceTypes.Events, NewEvent(type, about, kind, reason, message, component, now, space));
        _written[key] = written.NameOf();
        _keys[written.NameOf()] = key;
    }

    private bool Repeat(string space, string name, string now) =>
        store.Update(ResourceTypes.Events, space, name, existing =>
        {
            existing["count"] = (int)(existing.Number("count") ?? 1) + 1;
            existing["lastTimestamp"] = now;
            return true;
        }) is not null;

    private JsonObject NewEvent(
        ResourceType type, JsonObject about, string kind, string reason, string message, string component, string now, string space) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Event",
        ["metadata"] = new JsonObject
        {
            ["name"] = $"{about.NameOf()}.{clock.GetUtcNow().UtcTicks + _count++:x}",
            ["namespace"] = space,
        },
        ["involvedObject"] = new JsonObject
        {
            ["kind"] = type.Kind,
            ["namespace"] = about.NamespaceOf(),
            ["name"] = about.NameOf(),
            ["uid"] = type.Kind == "Node" ? about.NameOf() : about.UidOf(),
            ["apiVersion"] = type.ApiVersion,
            ["resourceVersion"] = about.VersionOf(),
        },
        ["reason"] = reason,
        ["message"] = message,
        ["source"] = new JsonObject { ["component"] = component },
        ["firstTimestamp"] = now,
        ["lastTimestamp"] = now,
        ["count"] = 1,
        ["type"] = kind,
        ["eventTime"] = null,
        ["reportingComponent"] = component,
        ["reportingInstance"] = string.Empty,
    };
}

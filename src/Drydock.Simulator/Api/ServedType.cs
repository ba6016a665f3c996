using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>A type as a path names it: another version, or the other name of the same storage (events).</summary>
internal sealed record ServedType(ResourceType Type, string ApiVersion)
{
    /// <summary>Whether objects look different here than in the store.</summary>
    public bool Converts => ApiVersion != Type.ApiVersion;

    public bool IsNewEvent => ApiVersion == "events.k8s.io/v1";

    /// <summary>A stored object as this version shows it.</summary>
    public JsonObject Show(JsonObject stored)
    {
        if (!Converts)
        {
            return stored;
        }

        if (IsNewEvent)
        {
            return EventConversion.ToNew(stored);
        }

        var shown = stored.Copy();
        shown["apiVersion"] = ApiVersion;

        return shown;
    }

    /// <summary>An object of this version as it is stored.</summary>
    public JsonObject Take(JsonObject given)
    {
        if (IsNewEvent)
        {
            return EventConversion.ToCore(given);
        }

        return given;
    }
}

/// <summary>Between <c>events.k8s.io/v1</c> and the core event it is stored as.</summary>
internal static class EventConversion
{
    private static readonly (string New, string Core)[] _names =
    [
        ("note", "message"), ("regarding", "involvedObject"), ("reportingController", "reportingComponent"),
        ("deprecatedSource", "source"), ("deprecatedFirstTimestamp", "firstTimestamp"), ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
    ];

    public static JsonObject ToNew(JsonObject core) => Rename(core, "events.k8s.io/v1", n => (n.Core, n.New));

    public static JsonObject ToCore(JsonObject given) => Rename(given, "v1", n => (n.New, n.Core));

    private static JsonObject Rename(JsonObject source, string apiVersion, Func<(string New, string Core), (string From, string To)> direction)
    {
        var result = source.Copy();
        result["apiVersion"] = apiVersion;
        foreach (var (from, to) in _names.Select(direction))
        {
            if (result.ContainsKey(from))
            {
                var value = result[from];
                result.Remove(from);
                result[to] = value;
            }
        }

        return result;
    }
}

using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>
/// Generated names and hashes are chance: which of the replay stands for which of the recording is learnt from the objects in answers, and
/// holds from then on, in requests as in comparisons.
/// </summary>
internal sealed class GeneratedNames
{
    private static readonly string[] _hashes = ["pod-template-hash", "controller-revision-hash"];
    private readonly Dictionary<string, string> _replayed = [];

    /// <summary>A recorded text with the names of the replay.</summary>
    public string Translate(string recorded) => _replayed
        .OrderByDescending(pair => pair.Key.Length)
        .Aggregate(recorded, (text, pair) => text.Replace(pair.Key, pair.Value, StringComparison.Ordinal));

    /// <summary>Learns from an object and its counterpart.</summary>
    public void Learn(JsonObject recorded, JsonObject replayed)
    {
        foreach (var hash in _hashes)
        {
            Learn(recorded.Text("metadata", "labels", hash), replayed.Text("metadata", "labels", hash));
        }

        Learn(recorded.Text("status", "currentRevision"), replayed.Text("status", "currentRevision"));
        if (recorded.Text("metadata", "generateName") is { Length: > 0 } prefix
            && recorded.NameOf().StartsWith(prefix, StringComparison.Ordinal)
            && replayed.Text("metadata", "generateName") == Translate(prefix))
        {
            Learn(recorded.NameOf(), replayed.NameOf());
        }
    }

    /// <summary>Puts what was replayed in the order of what was recorded, as far as names tell; the rest as it comes.</summary>
    public List<JsonObject> InOrderOf(IEnumerable<JsonObject> recorded, IEnumerable<JsonObject> replayed)
    {
        var left = replayed.ToList();
        var ordered = new List<JsonObject>();
        foreach (var each in recorded)
        {
            var name = Translate(each.NameOf());
            var found = left.Find(other => other.NameOf() == name && other.NamespaceOf() == each.NamespaceOf())
                ?? left.Find(other => each.Text("metadata", "generateName") is { } prefix && !_replayed.ContainsValue(other.NameOf())
                    && other.Text("metadata", "generateName") is { } own && (own == Translate(prefix) || IsOfSameOwner(each, other)));
            if (found is not null)
            {
                left.Remove(found);
                ordered.Add(found);
            }
        }

        return [.. ordered, .. left];
    }

    private static bool IsOfSameOwner(JsonObject recorded, JsonObject replayed) =>
        recorded.Text("metadata", "labels", "app") is { } app && replayed.Text("metadata", "labels", "app") == app
        && recorded.Text("spec", "nodeName") == replayed.Text("spec", "nodeName");

    /// <summary>Whether a name of the replay stands for one of the recording already.</summary>
    public bool IsTaken(string replayed) => _replayed.ContainsValue(replayed);

    /// <summary>Learns a name, unless it is known.</summary>
    public void Learn(string? recorded, string? replayed)
    {
        if (recorded is { Length: > 0 } && replayed is { Length: > 0 } && recorded != replayed)
        {
            _replayed.TryAdd(recorded, replayed);
        }
    }
}

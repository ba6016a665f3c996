using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Api;
using Drydock.Simulator.Store;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>Recorded answers and watches beside those of the replay.</summary>
internal sealed partial class Placeholders
{
    /// <summary>
    /// Compares the events of each object in their order; how the events of several objects mix is chance. A budget and a node are written
    /// by controllers in as many steps as they happened to need: each step of the replay has to be one of the recording, and the last one
    /// that of the recording.
    /// </summary>
    public string CompareWatch(JsonObject expected, int code, IReadOnlyList<JsonObject> lines)
    {
        if (expected.Number("status") != code)
        {
            return $"answered {code}, not {expected.Number("status")}";
        }

        var wanted = Grouped(expected.Objects("lines").Select(line => line["event"]!.AsObject()));
        var got = Grouped(lines);
        var order = replayer.Names.InOrderOf(wanted.Select(each => each.First), got.Select(each => each.First));
        var differences = new StringBuilder();
        foreach (var (index, group) in wanted.Index())
        {
            var counterpart = index < order.Count ? got.Find(each => ReferenceEquals(each.First, order[index])) : default;
            CompareEvents(group.Events, counterpart.Events ?? [], differences);
        }

        foreach (var more in order.Skip(wanted.Count))
        {
            differences.AppendLine($"got, and not expected: {Shapes(got.Find(each => ReferenceEquals(each.First, more)).Events)}");
        }

        return differences.ToString();
    }

    private void CompareEvents(List<JsonObject> recorded, List<JsonObject> replayed, StringBuilder differences)
    {
        var kind = ObjectOf(recorded[0]).Text("kind");
        if (kind is "PodDisruptionBudget" or "Node" && replayed.Count <= recorded.Count)
        {
            CompareSteps(recorded, replayed, differences);

            return;
        }

        if (recorded.Count != replayed.Count)
        {
            differences.AppendLine($"expected {Shapes(recorded)}").AppendLine($"got      {Shapes(replayed)}");
        }

        for (var i = 0; i < Math.Min(recorded.Count, replayed.Count); i++)
        {
            CompareNode(recorded[i], replayed[i], $"[{i}]", differences);
        }
    }

    private void CompareSteps(List<JsonObject> recorded, List<JsonObject> replayed, StringBuilder differences)
    {
        var at = 0;
        foreach (var (index, step) in replayed.Index())
        {
            var tries = Enumerable.Range(at, recorded.Count - at).Select(i => (Index: i, Difference: Try(recorded[i], step, i))).ToList();
            var found = tries.FindIndex(each => each.Difference.Length == 0);
            if (found < 0)
            {
                differences.AppendLine($"step {index} of the replay is none of the recording from {at} on; nearest: "
                    + tries.Select(each => each.Difference).DefaultIfEmpty("none is left").MinBy(each => each.Length));

                return;
            }

            at = tries[found].Index + 1;
        }

        if (replayed.Count == 0 || Try(recorded[^1], replayed[^1], recorded.Count - 1) is { Length: > 0 } last && at < recorded.Count)
        {
            differences.AppendLine($"the replay does not end as the recording: {Shapes(recorded)} | {Shapes(replayed)}");
        }
    }

    /// <summary>Compares without keeping what the placeholders would stand for.</summary>
    private string Try(JsonObject recorded, JsonObject replayed, int index)
    {
        var (before, differences) = (_known.ToDictionary(), new StringBuilder());
        foreach (var version in _known.Keys.Where(mask => mask.StartsWith("<rv", StringComparison.Ordinal)).ToList())
        {
            _known.Remove(version);
        }

        var shown = (JsonObject)recorded.DeepClone();
        if (replayed.At("object", "status") is JsonObject status && !status.ContainsKey("disruptedPods"))
        {
            // A controller that saw the deletion together with the grant has nothing to remember any more.
            (shown.At("object", "status") as JsonObject)?.Remove("disruptedPods");
        }

        CompareNode(shown, replayed, $"[{index}]", differences);
        _known.Clear();
        foreach (var (mask, value) in before)
        {
            _known[mask] = value;
        }

        return differences.ToString();
    }

    /// <summary>An answer in YAML is compared as what it says.</summary>
    private bool SameYaml(string recorded, string replayed)
    {
        var differences = new StringBuilder();
        CompareNode(Yaml.Read(recorded), Yaml.Read(replayed), "$", differences);

        return differences.Length == 0;
    }

    private static List<(JsonObject First, List<JsonObject> Events)> Grouped(IEnumerable<JsonObject> events)
    {
        var groups = new List<(JsonObject First, List<JsonObject> Events)>();
        foreach (var each in events)
        {
            var item = ObjectOf(each);
            var key = (item.Text("kind"), item.NamespaceOf(), item.NameOf());
            var group = groups.Find(other => (other.First.Text("kind"), other.First.NamespaceOf(), other.First.NameOf()) == key);
            if (group.Events is null)
            {
                groups.Add((item, [each]));
            }
            else if (each.Text("type") != "BOOKMARK" || group.Events[^1].Text("type") != "BOOKMARK")
            {
                // How many bookmarks come in a row is a matter of time.
                group.Events.Add(each);
            }
        }

        return groups;
    }

    private static JsonObject ObjectOf(JsonObject watchEvent) =>
        watchEvent["object"] is JsonObject item
            ? item.Objects("rows").Select(row => row["object"]).OfType<JsonObject>().FirstOrDefault() ?? item
            : [];

    private static string Shapes(IEnumerable<JsonObject> events) =>
        string.Join(" ", events.Select(e => $"{e.Text("type")}:{ObjectOf(e).NameOf()}:{ObjectOf(e).Text("status", "phase")}"));

    private void CompareNode(JsonNode? expected, JsonNode? actual, string path, StringBuilder differences)
    {
        switch (expected, actual)
        {
            case (JsonObject e, JsonObject a):
                CompareObject(e, a, path, differences);
                break;
            case (JsonArray e, JsonArray a) when e.Count == a.Count:
                if (path.EndsWith(".items", StringComparison.Ordinal) && e.All(item => item is JsonObject) && a.All(item => item is JsonObject))
                {
                    a = new([.. replayer.Names.InOrderOf(e.OfType<JsonObject>(), a.OfType<JsonObject>()).Select(item => item.DeepClone())]);
                }
                else if (path.EndsWith("status.conditions", StringComparison.Ordinal))
                {
                    (e, a) = (ByType(e), ByType(a));
                }

                for (var i = 0; i < e.Count; i++)
                {
                    CompareNode(e[i], a[i], $"{path}[{i}]", differences);
                }

                break;
            default:
                if (!Agree(expected, actual, path))
                {
                    differences.AppendLine($"{path}: expected {Short(expected)}, got {Short(actual)}");
                }

                break;
        }
    }

    /// <summary>Conditions are a map by type; their order is chance.</summary>
    private static JsonArray ByType(JsonArray conditions) =>
        new([.. conditions.OrderBy(c => c.Text("type"), StringComparer.Ordinal).Select(c => c?.DeepClone())]);

    private void CompareObject(JsonObject expected, JsonObject actual, string path, StringBuilder differences)
    {
        foreach (var (recorded, replayed) in (ReadOnlySpan<(JsonNode?, JsonNode?)>)[(expected, actual), (expected["object"], actual["object"])])
        {
            if (recorded is JsonObject one && replayed is JsonObject other && one["metadata"] is JsonObject)
            {
                replayer.Names.Learn(one, other);
            }
        }

        var wanted = expected.ToDictionary(each => replayer.Names.Translate(each.Key), each => each.Value);
        foreach (var name in wanted.Keys.Union(actual.Select(each => each.Key)).Where(name => !IsIgnored(path, name)))
        {
            if (wanted.ContainsKey(name) != actual.ContainsKey(name))
            {
                differences.AppendLine($"{path}.{name}: expected {Short(wanted.GetValueOrDefault(name))}, got {Show(actual, name)}");
            }
            else if (name != "resourceVersion" || !IsListVersion(path, actual))
            {
                CompareNode(wanted[name], actual[name], $"{path}.{name}", differences);
            }
        }
    }
}

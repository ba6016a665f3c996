using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>The label and field selectors of a list or watch.</summary>
internal sealed class Selectors
{
    private readonly List<Func<JsonObject, bool>> _conditions = [];

    /// <summary>What an index of pods knows every selected pod by, if the selectors say so.</summary>
    public string? IndexTerm { get; private set; }

    public bool IsEmpty => _conditions.Count == 0;

    public bool Matches(JsonObject @object) => _conditions.TrueForAll(c => c(@object));

    /// <summary>As <see cref="Matches(JsonObject)"/>; without a condition the tree is not looked at.</summary>
    public bool Matches(StoredObject stored) => IsEmpty || Matches(stored.Tree);

    public static Selectors Parse(ResourceType type, ResourceRequest path, string labels, string fields)
    {
        var selectors = new Selectors();
        if (labels.Length > 0)
        {
            var label = LabelSelector.Parse(labels);
            selectors._conditions.Add(o => label.Matches(o.At("metadata", "labels") as JsonObject));
            selectors.IndexTerm = label.Equality is { } pair ? IndexTerms.Label(pair.Key, pair.Value) : null;
        }

        foreach (var term in fields.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            selectors.AddField(type, term);
        }

        if (path.Name is { } name)
        {
            selectors._conditions.Add(o => o.NameOf() == name);
        }

        return selectors;
    }

    private void AddField(ResourceType type, string term)
    {
        var (field, unequal, value) = Split(term);
        if (!IsSupported(type, field))
        {
            throw Refusals.BadRequest($"field label not supported: {field}");
        }

        if (field == "spec.nodeName" && !unequal && value.Length > 0)
        {
            IndexTerm = IndexTerms.Node(value);
        }

        var steps = field.Split('.');
        _conditions.Add(o => (ValueOf(o, steps) == value) != unequal);
    }

    private static (string Field, bool Unequal, string Value) Split(string term)
    {
        foreach (var (sign, unequal) in (ReadOnlySpan<(string, bool)>)[("!=", true), ("==", false), ("=", false)])
        {
            var at = term.IndexOf(sign, StringComparison.Ordinal);
            if (at >= 0)
            {
                return (term[..at], unequal, term[(at + sign.Length)..]);
            }
        }

        throw Refusals.BadRequest($"invalid selector: '{term}'; can't understand '{term}'");
    }

    private static string ValueOf(JsonObject @object, string[] steps)
    {
        var value = @object.At(steps);
        if (steps is ["spec", "unschedulable"])
        {
            return value is not null && (bool)value ? "true" : "false";
        }

        // Of an event: the component of either of its two forms.
        return value is JsonObject && steps is ["source"]
            ? value.Text("component") is { Length: > 0 } component ? component : @object.Text("reportingComponent") ?? ""
            : value?.ToString() ?? "";
    }

    private static bool IsSupported(ResourceType type, string field) =>
        field is "metadata.name" || (field is "metadata.namespace" && type.Namespaced) || type.GroupResource switch
        {
            "pods" => field is "spec.nodeName" or "spec.restartPolicy" or "spec.schedulerName" or "spec.serviceAccountName"
                or "spec.hostNetwork" or "status.phase" or "status.podIP" or "status.podIPs" or "status.nominatedNodeName",
            "nodes" => field is "spec.unschedulable",
            "namespaces" => field is "status.phase",
            "events" => field is "reason" or "reportingComponent" or "source" or "type"
                || field.StartsWith("involvedObject.", StringComparison.Ordinal),
            "secrets" => field is "type",
            "jobs.batch" => field is "status.successful",
            "replicasets.apps" or "replicationcontrollers" => field is "status.replicas",
            _ => false,
        };
}

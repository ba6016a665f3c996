using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.SimulationTests.Simulator;

/// <summary>A recorded time line: seconds, kind, object, fields that changed.</summary>
public sealed class RecordedTimeline
{
    private const string Cancel = "evacuate/cancel ";

    private readonly List<(double At, string Kind, string Name, JsonObject Fields)> _lines = [];
    private readonly List<(double At, string What)> _marks = [];

    public RecordedTimeline(string name)
    {
        using var stream = typeof(RecordedTimeline).Assembly.GetManifestResourceStream($"{name}_timeline.txt")!;
        using var reader = new StreamReader(stream);
        foreach (var line in reader.ReadToEnd().Split('\n'))
        {
            // Marks of the one who recorded have no fields.
            if (line.Split(' ', 4, StringSplitOptions.RemoveEmptyEntries) is [var at, var kind, var what, ['{', ..] fields])
            {
                _lines.Add((double.Parse(at, CultureInfo.InvariantCulture), kind, what, JsonNode.Parse(fields)!.AsObject()));
            }
            else if (line.Split(" mark ", 2) is [var when, var mark])
            {
                _marks.Add((double.Parse(when, CultureInfo.InvariantCulture), mark.Trim()));
            }
        }
    }

    /// <summary>When the last of it happened.</summary>
    public double End => _lines[^1].At;

    /// <summary>The machines with the nodes they were on at first.</summary>
    public IReadOnlyList<(string Name, string Node)> Machines =>
        [.. Of("vmi").Where(line => line.Fields.ContainsKey("node")).DistinctBy(line => line.Name).Select(line => (line.Name, line.Fields.Text("node")!))];

    /// <summary>The machines that were marked for evacuation, and from where.</summary>
    public IReadOnlyList<(double At, string Machine, string Node)> Evictions =>
        [.. Of("vmi").Where(line => line.Fields["evacuationNodeName"] is not null).Select(line => (line.At, line.Name, line.Fields.Text("evacuationNodeName")!))];

    /// <summary>
    /// What was done from outside, in order: <c>evict</c> and <c>delete</c> (a migration) told by what the recording saw of them,
    /// <c>cancel</c> (an evacuation) by the mark of the one who recorded.
    /// </summary>
    public IReadOnlyList<(double At, string What, string Machine)> Deeds =>
        [.. Evictions.Select(each => (each.At, "evict", each.Machine))
            .Concat(GrantedEvictions())
            .Concat(Of("vmim").Where(line => line.Fields.Flag("deleting")).Select(line => (line.At, "delete", MachineOf(line.Name))))
            .Concat(_marks.Where(mark => mark.What.StartsWith(Cancel, StringComparison.Ordinal)).Select(mark => (mark.At, "cancel", mark.What[Cancel.Length..])))
            .OrderBy(deed => deed.At)];

    /// <summary>What the instances of each machine went through; an instance has its uid as long as it is there.</summary>
    public PhaseHistory Instances
    {
        get
        {
            var history = new PhaseHistory();
            var uids = new Dictionary<string, string>();
            foreach (var (_, _, name, fields) in Of("vmi"))
            {
                uids[name] = fields.Text("uid") ?? uids[name];
                history.Add(uids[name], name, fields.Text("phase"));
            }

            return history;
        }
    }

    /// <summary>Whether there was no node to go to.</summary>
    public bool HasNoTarget => Of("pod").Any(line => line.Fields.Text("scheduled") == "False/Unschedulable");

    /// <summary>What became of the migrations.</summary>
    public PhaseHistory Migrations
    {
        get
        {
            var history = new PhaseHistory();
            foreach (var line in Of("vmim"))
            {
                history.Add(line.Name, line.Fields.Text("vmi"), line.Fields.Text("phase"));
            }

            return history;
        }
    }

    // A launcher that was ready began to end: nobody but an eviction does that while its node lives.
    private IEnumerable<(double At, string What, string Machine)> GrantedEvictions()
    {
        var ready = new HashSet<string>();
        foreach (var (at, _, name, fields) in Of("pod"))
        {
            if (fields.Text("ready") is { } now)
            {
                _ = now == "True" ? ready.Add(name) : ready.Remove(name);
            }

            if (fields.Flag("deleting") && ready.Contains(name))
            {
                yield return (at, "evict", name["virt-launcher-".Length..name.LastIndexOf('-')]);
            }
        }
    }

    private string MachineOf(string migration) => Of("vmim").First(line => line.Name == migration).Fields.Text("vmi")!;

    private IEnumerable<(double At, string Kind, string Name, JsonObject Fields)> Of(string kind) => _lines.Where(line => line.Kind == kind);
}

/// <summary>The phases of migrations, or of the instances of a machine one after the other, in the order in which they came.</summary>
public sealed class PhaseHistory
{
    private readonly Dictionary<string, (string Machine, List<string> Phases)> _migrations = [];
    private readonly HashSet<string> _active = [];

    /// <summary>How many were under way at once at most: from Scheduling to their end.</summary>
    public int MostAtOnce { get; private set; }

    /// <summary>The migrations of each machine with their phases.</summary>
    public IEnumerable<string> Lines => _migrations.Values.GroupBy(each => each.Machine).OrderBy(group => group.Key, StringComparer.Ordinal)
        .Select(group => $"{group.Key}: {string.Join(", then ", group.Select(each => string.Join(' ', each.Phases)))}");

    /// <summary>A migration was made or has another phase.</summary>
    public void Add(string migration, string? machine, string? phase)
    {
        if (!_migrations.TryGetValue(migration, out var known))
        {
            _migrations[migration] = known = (machine ?? throw new InvalidDataException($"{migration} comes from nowhere."), []);
        }

        if (phase is not { Length: > 0 } || known.Phases.LastOrDefault() == phase)
        {
            return;
        }

        known.Phases.Add(phase);
        if (phase is "Succeeded" or "Failed")
        {
            _active.Remove(migration);
        }
        else if (phase != "Pending")
        {
            _active.Add(migration);
            MostAtOnce = Math.Max(MostAtOnce, _active.Count);
        }
    }
}

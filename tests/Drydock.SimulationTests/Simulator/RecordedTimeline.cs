using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.SimulationTests.Simulator;

/// <summary>A recorded time line: seconds, kind, object, fields that changed.</summary>
public sealed class RecordedTimeline
{
    private readonly List<(double At, string Kind, string Name, JsonObject Fields)> _lines = [];

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

    /// <summary>Whether there was no node to go to.</summary>
    public bool HasNoTarget => Of("pod").Any(line => line.Fields.Text("scheduled") == "False/Unschedulable");

    /// <summary>What became of the migrations.</summary>
    public MigrationHistory Migrations
    {
        get
        {
            var history = new MigrationHistory();
            foreach (var line in Of("vmim"))
            {
                history.Add(line.Name, line.Fields.Text("vmi"), line.Fields.Text("phase"));
            }

            return history;
        }
    }

    private IEnumerable<(double At, string Kind, string Name, JsonObject Fields)> Of(string kind) => _lines.Where(line => line.Kind == kind);
}

/// <summary>The phases of migrations in the order in which they came.</summary>
public sealed class MigrationHistory
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

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Api;

namespace Drydock.Cli.Output;

/// <summary>For programs: one JSON object per line, told apart by <c>type</c>.</summary>
internal sealed class JsonOutput(TextWriter writer, TimeProvider clock) : IOutput
{
    // For terminals and jq, never inside HTML: a plus sign stays one.
    private static readonly JsonSerializerOptions Compact = new(ApiJson.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions Indented = new(Compact) { WriteIndented = true };

    public void Plan(PlanView plan) => Write("plan", "plan", plan);

    public void Say(string kind, string text, object? data = null)
    {
        var line = Line("note");
        line["kind"] = kind;
        line["text"] = text;
        if (data is not null)
        {
            line["data"] = JsonSerializer.SerializeToNode(data, ApiJson.Options);
        }

        Write(line);
    }

    public async Task<MaintenanceView?> FollowAsync(IAsyncEnumerable<ProgressEvent> events, CancellationToken cancellationToken)
    {
        MaintenanceView? last = null;
        await foreach (var progress in events.WithCancellation(cancellationToken))
        {
            switch (progress)
            {
                case ProgressEvent.Changed changed:
                    last = changed.View;
                    Write("progress", "maintenance", changed.View);
                    break;
                case ProgressEvent.Note note:
                    Say(note.Kind, note.Text);
                    break;
            }
        }

        return last;
    }

    public void Summary(MaintenanceView view) => Write("summary", "maintenance", view);

    public void Part(string type, object data, IEnumerable<string> lines) => Write(type, type, data);

    public void Document(object data, IEnumerable<string> lines)
    {
        writer.WriteLine(JsonSerializer.Serialize(data, data.GetType(), Indented));
        writer.Flush();
    }

    private void Write(string type, string member, object data)
    {
        var line = Line(type);
        line[member] = JsonSerializer.SerializeToNode(data, data.GetType(), ApiJson.Options);
        Write(line);
    }

    private JsonObject Line(string type) => new() { ["type"] = type, ["at"] = clock.GetUtcNow().ToString("O") };

    private void Write(JsonObject line)
    {
        writer.WriteLine(line.ToJsonString(Compact));
        writer.Flush();
    }
}

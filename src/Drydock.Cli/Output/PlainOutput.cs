using Drydock.Api;

namespace Drydock.Cli.Output;

/// <summary>Plain lines: one per change.</summary>
internal sealed class PlainOutput(TextWriter writer, TimeProvider clock) : IOutput
{
    public void Plan(PlanView plan) => Write(PlanText.Lines(plan).Append(""));

    public void Say(string kind, string text, object? data = null) => Write([text]);

    public async Task<MaintenanceView?> FollowAsync(IAsyncEnumerable<ProgressEvent> events, CancellationToken cancellationToken)
    {
        var lines = new ProgressLines(clock);
        MaintenanceView? last = null;
        await foreach (var progress in events.WithCancellation(cancellationToken))
        {
            switch (progress)
            {
                case ProgressEvent.Changed changed:
                    last = changed.View;
                    Write(lines.Next(changed.View));
                    break;
                case ProgressEvent.Note note:
                    Write([lines.Note(note.Kind, note.Text)]);
                    break;
            }
        }

        return last;
    }

    public void Summary(MaintenanceView view) => Write(SummaryText.Lines(view).Prepend(""));

    public void Part(string type, object data, IEnumerable<string> lines) => Write(lines);

    public void Document(object data, IEnumerable<string> lines) => Write(lines);

    private void Write(IEnumerable<string> lines)
    {
        foreach (var line in lines)
        {
            writer.WriteLine(line);
        }

        writer.Flush();
    }
}

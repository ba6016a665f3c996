using Drydock.Api;
using Drydock.Cli.Following;

namespace Drydock.Cli.Output;

/// <summary>Plain lines: one per change.</summary>
internal sealed class PlainOutput(TextWriter writer, TimeProvider clock) : IOutput
{
    private static readonly TimeSpan LookAgainEvery = TimeSpan.FromSeconds(1);

    public void Plan(PlanView plan) => Write(PlanText.Lines(plan).Append(""));

    public void Say(string kind, string text, object? data = null) => Write([text]);

    public async Task<MaintenanceView?> FollowAsync(IAsyncEnumerable<ProgressEvent> events, CancellationToken cancellationToken)
    {
        var lines = new ProgressLines(clock);
        MaintenanceView? last = null;
        await foreach (var progress in events.WithTicksAsync(LookAgainEvery, clock, cancellationToken))
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
                case null when last is not null:
                    // Nothing changed but the time: what holds something up may have lasted long enough to be said.
                    Write(lines.Next(last));
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

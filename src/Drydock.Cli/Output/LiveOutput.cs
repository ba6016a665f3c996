using Drydock.Api;
using Drydock.Cli.Following;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Drydock.Cli.Output;

/// <summary>For a terminal: the plan and summary as text, the progress as a table that changes in place.</summary>
internal sealed class LiveOutput(TextWriter writer, TimeProvider clock) : IOutput
{
    private static readonly TimeSpan RefreshEvery = TimeSpan.FromMilliseconds(250);
    private readonly PlainOutput _plain = new(writer, clock);

    public void Plan(PlanView plan) => _plain.Plan(plan);

    public void Say(string kind, string text, object? data = null) => _plain.Say(kind, text, data);

    public void Summary(MaintenanceView view) => _plain.Summary(view);

    public void Part(string type, object data, IEnumerable<string> lines) => _plain.Part(type, data, lines);

    public void Document(object data, IEnumerable<string> lines) => _plain.Document(data, lines);

    public async Task<MaintenanceView?> FollowAsync(IAsyncEnumerable<ProgressEvent> events, CancellationToken cancellationToken)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        MaintenanceView? last = null;
        var notes = new List<string>();
        await console.Live(new Text("")).StartAsync(async context =>
        {
            // Redrawn without news too: the time passes.
            await foreach (var progress in events.WithTicksAsync(RefreshEvery, clock, cancellationToken))
            {
                last = progress is ProgressEvent.Changed changed ? changed.View : last;
                if (progress is ProgressEvent.Note note)
                {
                    notes.Add($"{note.Kind}: {note.Text}");
                }

                context.UpdateTarget(Screen(last, notes));
            }
        });
        return last;
    }

    private Rows Screen(MaintenanceView? view, List<string> notes)
    {
        var parts = new List<IRenderable>();
        if (view is not null)
        {
            parts.Add(Header(view));
            if (view.Pods.ToEvict > 0)
            {
                parts.Add(PodsBar(view.Pods));
            }

            if (view.Vms.Count > 0)
            {
                parts.Add(VmTable(view));
            }

            parts.AddRange(view.Blockers.Take(8).Select(blocker => new Markup(
                $"[yellow]held[/] {Markup.Escape(ProgressLines.BlockerText(blocker))} [grey]{Markup.Escape(ProgressLines.BlockerTimes(blocker, clock.GetUtcNow()))}[/]")));
        }

        parts.AddRange(notes.TakeLast(6).Select(note => new Markup($"[grey]{Markup.Escape(note)}[/]")));
        return new Rows(parts);
    }

    private Markup Header(MaintenanceView view)
    {
        var now = clock.GetUtcNow();
        var colour = view.State switch
        {
            MaintenanceState.Completed => "green",
            MaintenanceState.Failed or MaintenanceState.Refused or MaintenanceState.Abandoned or MaintenanceState.LeaseLost => "red",
            MaintenanceState.Cancelling or MaintenanceState.Cancelled or MaintenanceState.Holding or MaintenanceState.Suspended => "yellow",
            _ => "blue",
        };
        var deadline = view.Deadline is { } until ? $", {Elapsed.Format(until - now)} left" : "";
        return new Markup(
            $"[bold]{Markup.Escape(view.Node)}[/] [{colour}]{view.State}[/] {Markup.Escape(view.Step)} "
            + $"[grey]{Elapsed.Format((view.EndedAt ?? now) - view.StartedAt)} elapsed{deadline}[/] {Markup.Escape(view.Message)}");
    }

    private static Markup PodsBar(PodCounts pods)
    {
        const int width = 30;
        var gone = Math.Clamp(pods.Gone * width / pods.ToEvict, 0, width);
        return new Markup($"pods [green]{new string('━', gone)}[/][grey]{new string('━', width - gone)}[/] {ProgressLines.PodsText(pods)}");
    }

    private Table VmTable(MaintenanceView view)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("VM", "Progress", "Migration", "Attempts", "Since", "");
        foreach (var vm in view.Vms)
        {
            table.AddRow(
                Markup.Escape($"{vm.Namespace}/{vm.Name}"),
                Markup.Escape(vm.Progress),
                Markup.Escape(vm.Phase ?? ""),
                vm.Attempts == 0 ? "" : $"{vm.Attempts}",
                vm.Since is { } since ? Elapsed.Format(clock.GetUtcNow() - since) : "",
                Markup.Escape(vm.Outcome is { } outcome ? ProgressLines.OutcomeText(outcome) : vm.Message));
        }

        return table;
    }
}

using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>window create|list|next|delete</c>: rollouts by calendar.</summary>
internal static class WindowVerb
{
    public static Command Create(Terminal terminal) => new Verb(
        "window", "Start and pause rollouts by calendar.", "drydock window create nightly --cron '0 2 * * *' --duration 3h --nodes worker-1,worker-2", "drydock window next")
    {
        Add(terminal), List(terminal), Next(terminal), Delete(terminal),
    };

    private static Verb Add(Terminal terminal)
    {
        var name = new Argument<string>("name") { Description = "Lower-case letters, digits and dashes." };
        var cron = new Option<string?>("--cron") { Description = "When it opens: a cron expression of five fields.", HelpName = "cron" };
        var duration = CommonOptions.Duration("--duration", "How long it stays open.");
        var zone = new Option<string?>("--time-zone") { Description = "IANA time zone of the cron expression and of blackout dates. Default UTC.", HelpName = "zone" };
        var once = new Option<string[]>("--once") { Description = "Opens once: two instants with a slash between. May be given again.", HelpName = "from/to" };
        var blackout = new Option<string[]>("--blackout") { Description = "No window then: 2026-12-24, or 2026-12-24/2027-01-01. May be given again.", HelpName = "dates" };
        var calendar = new Option<FileInfo?>("--blackout-calendar") { Description = "The same from an iCalendar file: each event is a blackout.", HelpName = "file" };
        var onClose = CommonOptions.Choice(
            "--on-close", "When it closes and nodes are left: finish those in hand and end, pause until the next window, or cancel and put back. Default finish.",
            ("finish", "Finish"), ("pause", "Pause"), ("cancel", "Cancel"));
        var nodes = new Option<string?>("--nodes") { Description = "Nodes by name, with commas.", HelpName = "a,b" };
        var options = new RolloutOptions();
        var verb = new Verb(
            "create",
            "Set up a window.",
            "drydock window create nightly --cron '0 2 * * 6' --duration 3h --time-zone Europe/Berlin -l zone=a",
            "drydock window create move --once 2026-03-01T22:00:00+01:00/2026-03-02T04:00:00+01:00 --kubelet-below v1.33.0 --on-close pause")
        {
            name, cron, duration, zone, once, blackout, calendar, onClose, nodes,
        };
        options.AddTo(verb);
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var (parsed, file) = (call.Parsed, call.Parsed.GetValue(calendar));
            var view = await call.Client.CreateWindowAsync(
                new WindowCreate
                {
                    Name = parsed.GetValue(name),
                    Cron = parsed.GetValue(cron),
                    Duration = parsed.GetValue(duration),
                    TimeZone = parsed.GetValue(zone),
                    Times = parsed.GetValue(once) is { Length: > 0 } all ? [.. all.Select(Once)] : null,
                    Blackouts = parsed.GetValue(blackout) is { Length: > 0 } dates ? dates : null,
                    BlackoutCalendar = file is null ? null : await ReadAsync(file, cancellationToken),
                    OnClose = parsed.GetValue(onClose),
                    Rollout = options.Create(parsed, RolloutOptions.Words(parsed.GetValue(nodes)) ?? []),
                },
                cancellationToken);
            call.Output.Document(view, Lines([view]));
            return ExitCodes.Done;
        });
    }

    private static Verb List(Terminal terminal) => ServerVerb.Create(terminal, new Verb("list", "List windows."), async (call, cancellationToken) =>
    {
        var windows = await call.Client.ListAllWindowsAsync(cancellationToken);
        call.Output.Document(
            windows,
            windows.Count == 0
                ? ["No windows."]
                : Columns.Align("", [["NAME", "OPENS", "AT CLOSE", "OPEN", "NEXT"], .. windows.Select(w => new[] { w.Name, string.Join("; ", w.Times), w.OnClose ?? "", w.IsOpen ? "yes" : "no", First(w) })]));
        return ExitCodes.Done;
    });

    private static Verb Next(Terminal terminal)
    {
        var name = new Argument<string?>("name") { Description = "The window; else all.", Arity = ArgumentArity.ZeroOrOne };
        var count = new Option<int?>("--count", "-n") { Description = "How many of the coming openings. Default 3.", HelpName = "n" };
        return ServerVerb.Create(terminal, new Verb("next", "Show when windows open next, blackouts taken out.", "drydock window next nightly -n 10") { name, count }, async (call, cancellationToken) =>
        {
            var names = call.Parsed.GetValue(name) is { } one ? [one] : (await call.Client.ListAllWindowsAsync(cancellationToken)).Select(static window => window.Name).ToList();
            var views = new List<WindowView>(names.Count);
            foreach (var window in names)
            {
                views.Add(await call.Client.GetWindowAsync(window, call.Parsed.GetValue(count) ?? 3, cancellationToken));
            }

            call.Output.Document(views, views.Count == 0 ? ["No windows."] : Lines(views));
            return ExitCodes.Done;
        });
    }

    private static Verb Delete(Terminal terminal)
    {
        var name = new Argument<string>("name") { Description = "The window." };
        var reason = CommonOptions.Reason();
        return ServerVerb.Create(terminal, new Verb("delete", "Remove a window; a rollout it started takes no new node.") { name, reason }, async (call, cancellationToken) =>
        {
            await call.Client.DeleteWindowAsync(call.Parsed.GetValue(name)!, call.Parsed.GetValue(reason), cancellationToken);
            call.Output.Document(new { name = call.Parsed.GetValue(name), deleted = true }, [$"Window {call.Parsed.GetValue(name)} is removed."]);
            return ExitCodes.Done;
        });
    }

    private static WindowTimesCreate Once(string text) => text.Split('/', 2) is [var from, var to]
        ? new WindowTimesCreate { From = from, To = to }
        : new WindowTimesCreate { From = text };

    private static async Task<string> ReadAsync(FileInfo file, CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllTextAsync(file.FullName, cancellationToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.BadInput, $"--blackout-calendar '{file.FullName}' cannot be read: {error.Message}");
        }
    }

    private static IEnumerable<string> Lines(IEnumerable<WindowView> windows) => windows.SelectMany(static window => window.Next
        .Select(static opening => $"  {opening.From.UtcDateTime:yyyy-MM-dd HH:mm}Z to {opening.To.UtcDateTime:yyyy-MM-dd HH:mm}Z")
        .DefaultIfEmpty("  never")
        .Prepend($"Window {window.Name} opens:"));

    private static string First(WindowView window) => window.Next.Count == 0 ? "never" : $"{window.Next[0].From.UtcDateTime:yyyy-MM-dd HH:mm}Z";
}

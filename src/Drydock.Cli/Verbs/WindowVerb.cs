using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>window create|list|delete</c>: rollouts by calendar.</summary>
internal static class WindowVerb
{
    public static Command Create(Terminal terminal) => new Verb(
        "window", "Start and pause rollouts by calendar.", "drydock window create nightly --cron '0 2 * * *' --duration 3h --nodes worker-1,worker-2", "drydock window list")
    {
        Add(terminal), List(terminal), Delete(terminal),
    };

    private static Verb Add(Terminal terminal)
    {
        var name = new Argument<string>("name") { Description = "Lower-case letters, digits and dashes." };
        var cron = new Option<string>("--cron") { Description = "When it opens: a cron expression of five fields.", Required = true, HelpName = "cron" };
        var duration = CommonOptions.Duration("--duration", "How long it stays open.");
        duration.Required = true;
        var zone = new Option<string?>("--time-zone") { Description = "IANA time zone of the cron expression. Default UTC.", HelpName = "zone" };
        var nodes = new Option<string?>("--nodes") { Description = "Nodes by name, with commas.", HelpName = "a,b" };
        var selector = new Option<string?>("--selector", "-l") { Description = "Nodes by label, as in kubectl.", HelpName = "labels" };
        var verb = new Verb("create", "Set up a window.", "drydock window create nightly --cron '0 2 * * 6' --duration 3h --time-zone Europe/Berlin -l zone=a")
        {
            name, cron, duration, zone, nodes, selector,
        };
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var view = await call.Client.CreateWindowAsync(
                new WindowCreate
                {
                    Name = call.Parsed.GetValue(name),
                    Cron = call.Parsed.GetValue(cron),
                    Duration = call.Parsed.GetValue(duration),
                    TimeZone = call.Parsed.GetValue(zone),
                    Rollout = new RolloutCreate
                    {
                        Nodes = call.Parsed.GetValue(nodes)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
                        Selector = call.Parsed.GetValue(selector),
                    },
                },
                cancellationToken);
            call.Output.Document(view, [$"Window {view.Name}: opens {Next(view)}."]);
            return ExitCodes.Done;
        });
    }

    private static Verb List(Terminal terminal) => ServerVerb.Create(terminal, new Verb("list", "List windows."), async (call, cancellationToken) =>
    {
        var windows = await call.Client.ListWindowsAsync(cancellationToken);
        call.Output.Document(
            windows,
            windows.Count == 0
                ? ["No windows."]
                : Columns.Align("", [["NAME", "CRON", "DURATION", "ZONE", "OPEN", "NEXT"], .. windows.Select(w => new[] { w.Name, w.Cron, w.Duration, w.TimeZone, w.IsOpen ? "yes" : "no", Next(w) })]));
        return ExitCodes.Done;
    });

    private static Verb Delete(Terminal terminal)
    {
        var name = new Argument<string>("name") { Description = "The window." };
        return ServerVerb.Create(terminal, new Verb("delete", "Remove a window; a rollout it started goes on.") { name }, async (call, cancellationToken) =>
        {
            await call.Client.DeleteWindowAsync(call.Parsed.GetValue(name)!, cancellationToken);
            call.Output.Document(new { name = call.Parsed.GetValue(name), deleted = true }, [$"Window {call.Parsed.GetValue(name)} is removed."]);
            return ExitCodes.Done;
        });
    }

    private static string Next(WindowView window) => window.Next.Count == 0 ? "never" : $"{window.Next[0].UtcDateTime:yyyy-MM-dd HH:mm}Z";
}

using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;

namespace Drydock.Cli.Verbs;

/// <summary><c>suspend ID</c>, <c>resume ID</c> and <c>extend ID</c>.</summary>
internal static class SteerVerbs
{
    public static Command Suspend(Terminal terminal) => Create(
        terminal,
        "suspend",
        "Begin nothing new until 'drydock resume': no pod is evicted, no machine told to move, no action begun. What is in flight goes on, the node stays as it is, no deadline passes.",
        ["drydock suspend m-1a2b3c --reason 'the storage is being repaired'", "drydock resume m-1a2b3c --watch  # deadlines move by the time it was suspended"],
        static view => $"Maintenance {view.Id} begins nothing new. Let it go on with 'drydock resume {view.Id}', or end it with 'drydock cancel {view.Id}'.",
        static (client, id, reason, key, cancellationToken) => client.SuspendMaintenanceAsync(id, reason, key, cancellationToken));

    public static Command Resume(Terminal terminal) => Create(
        terminal,
        "resume",
        "Let a suspended maintenance go on; its deadlines move by the time it was suspended.",
        ["drydock resume m-1a2b3c --watch"],
        static view => $"Maintenance {view.Id} goes on. Follow it with 'drydock watch {view.Id}'.",
        static (client, id, reason, key, cancellationToken) => client.ResumeMaintenanceAsync(id, reason, key, cancellationToken));

    public static Command Extend(Terminal terminal)
    {
        var by = CommonOptions.Duration("--by", "By how much, such as 30m or 2h; from 1s to 30d.");
        by.Required = true;
        var id = CommonOptions.Id();
        var (reason, key, watch) = Options();
        var verb = new Verb(
            "extend",
            "Move the deadline of the step in hand: of a drain, an approval, a hold, a job, a webhook or the health check. 'drydock show' tells it.",
            "drydock extend m-1a2b3c --by 30m --reason 'the fan takes longer'",
            "drydock extend m-1a2b3c --by 2h --idempotency-key CHG-4711  # safe to repeat: it moves once") { id, by, reason, key, watch };
        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var view = await call.Client.ExtendMaintenanceAsync(
                call.Parsed.GetValue(id)!, call.Parsed.GetValue(by), call.Parsed.GetValue(reason), call.Parsed.GetValue(key), cancellationToken);
            return await AnswerAsync(
                call, view, watch, $"Maintenance {view.Id} has {call.Parsed.GetValue(by)} more for its step {view.Step}. 'drydock show {view.Id}' tells the deadline.", cancellationToken);
        });
    }

    private static Command Create(
        Terminal terminal,
        string name,
        string description,
        string[] examples,
        Func<MaintenanceView, string> done,
        Func<DrydockApiClient, string, string?, string?, CancellationToken, Task<MaintenanceView>> steer)
    {
        var id = CommonOptions.Id();
        var (reason, key, watch) = Options();
        return ServerVerb.Create(terminal, new Verb(name, description, examples) { id, reason, key, watch }, async (call, cancellationToken) =>
        {
            var view = await steer(call.Client, call.Parsed.GetValue(id)!, call.Parsed.GetValue(reason), call.Parsed.GetValue(key), cancellationToken);
            return await AnswerAsync(call, view, watch, done(view), cancellationToken);
        });
    }

    /// <summary><c>--idempotency-key</c>.</summary>
    public static Option<string?> Key() =>
        new("--idempotency-key") { Description = "Names the wish: said again with the same key, it changes nothing more.", HelpName = "text" };

    private static (Option<string?> Reason, Option<string?> Key, Option<bool> Watch) Options() => (
        CommonOptions.Reason(),
        Key(),
        new Option<bool>("--watch", "-w") { Description = "Follow it to its end." });

    private static async Task<int> AnswerAsync(ServerCall call, MaintenanceView view, Option<bool> watch, string sentence, CancellationToken cancellationToken)
    {
        if (call.Parsed.GetValue(watch))
        {
            return await WatchVerb.FollowAsync(call, view.Id, cancellationToken);
        }

        call.Output.Document(view, [sentence]);
        return ExitCodes.Done;
    }
}

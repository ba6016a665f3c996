using Drydock.Api;
using Drydock.Cli.Following;

namespace Drydock.Cli.Verbs;

/// <summary>Shows a rollout on its way: what it says of itself, and each node that got to another state.</summary>
internal static class RolloutFollowing
{
    /// <summary>Follows it to its end; the exit code tells how it ended.</summary>
    public static async Task<int> FollowAsync(ServerCall call, string id, CancellationToken cancellationToken)
    {
        try
        {
            RolloutView? last = null;
            await foreach (var (view, note) in new RemoteFollower(call.Client, call.Terminal.Clock).FollowRolloutAsync(id, RemoteFollower.UsualPatience, cancellationToken))
            {
                if (note is not null)
                {
                    call.Output.Say(note.Kind, note.Text);
                    continue;
                }

                call.Output.Part("rollout", view!, Changes(last, view!));
                last = view;
            }

            return last is { State: "Completed", Failed: 0 } ? ExitCodes.Done : ExitCodes.Failed;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            call.Output.Say("left", $"The rollout goes on without you. Come back with 'drydock rollout watch {id}', pause it with 'drydock rollout pause {id}'.");
            return ExitCodes.Interrupted;
        }
    }

    /// <summary>What is new, in lines for people.</summary>
    internal static IEnumerable<string> Changes(RolloutView? before, RolloutView now)
    {
        var known = before?.Nodes.ToDictionary(static node => node.Node, StringComparer.Ordinal) ?? [];
        foreach (var node in now.Nodes.Where(node => known.GetValueOrDefault(node.Node) is not { } was ? node.State != "Waiting" : was.State != node.State))
        {
            yield return $"  {node.Node}: {node.State}{(node.MaintenanceId is null ? "" : $" ({node.MaintenanceId})")}{(node.Message is null ? "" : $". {node.Message}")}";
        }

        if (before is null || (before.State, before.Message, before.Done, before.WaitsFor) != (now.State, now.Message, now.Done, now.WaitsFor))
        {
            var end = now.EstimatedEnd is { } at ? $" At this pace it ends at {at.UtcDateTime:yyyy-MM-dd HH:mm}Z." : "";
            yield return $"{now.State}, {now.Done} of {now.Total} nodes done{(now.Failed == 0 ? "" : $", {now.Failed} failed")}. {now.Message}{end}";
        }
    }
}

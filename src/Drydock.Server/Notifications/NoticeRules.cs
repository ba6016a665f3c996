using System.Security.Cryptography;
using System.Text;
using Drydock.Api;
using Drydock.Maintenance;

namespace Drydock.Server.Notifications;

/// <summary>What there is to tell of a maintenance or a rollout as it stands. Pure: looking twice finds the same messages by the same ids.</summary>
internal static class NoticeRules
{
    private const int MostListed = 5;
    private const int LongestText = 2000;

    /// <summary>All that is to be told of a maintenance.</summary>
    /// <param name="view">The maintenance.</param>
    /// <param name="now">Now.</param>
    /// <param name="blockedAfter">How long something must be in the way.</param>
    public static IEnumerable<Notice> Of(MaintenanceView view, DateTimeOffset now, TimeSpan blockedAfter)
    {
        // The rollout tells of itself; of its nodes only what is in the way.
        var isPart = view.Id.Contains(':', StringComparison.Ordinal);
        if (!isPart && Begun(view) is { } begun)
        {
            yield return begun;
        }

        if (view.IsOver)
        {
            if (Ended(view) is { } ended && !(isPart && ended.Kind != NoticeKind.Failed))
            {
                yield return ended;
            }

            yield break;
        }

        foreach (var waits in Waits(view, now).Concat(Blocked(view, now, blockedAfter)))
        {
            yield return waits;
        }
    }

    /// <summary>All that is to be told of a rollout.</summary>
    public static IEnumerable<Notice> Of(OrchestrationMetadata rollout, DateTimeOffset now)
    {
        var status = rollout.RuntimeStatus == OrchestrationRuntimeStatus.Completed
            ? rollout.ReadOutputAs<RolloutStatus>()
            : rollout.ReadCustomStatusAs<RolloutStatus>();
        if (rollout.IsCompleted)
        {
            var how = status is null ? rollout.FailureDetails?.ErrorMessage ?? "It was ended by force." : status.Message;
            yield return new Notice(
                Notice.IdOf(rollout.InstanceId, "finished"), NoticeKind.RolloutFinished, rollout.InstanceId, rollout.LastUpdatedAt, $"Rollout {rollout.InstanceId} is over", Shorten(how));
        }
        else if (status is { IsPaused: true })
        {
            // Without a time: it began paused, or was paused by a version that kept none.
            var reason = status.Message[..(status.Message.IndexOf('.', StringComparison.Ordinal) + 1)];
            var which = status.PausedAt is { } since ? $"{since.UtcTicks}" : $"{status.Failed}-{Digest(reason)}";
            yield return new Notice(
                Notice.IdOf(rollout.InstanceId, $"paused-{which}"),
                NoticeKind.RolloutPaused,
                rollout.InstanceId,
                now,
                $"Rollout {rollout.InstanceId} is paused",
                Shorten($"{status.Message}\nIt takes no new node until somebody says: drydock rollout resume {rollout.InstanceId}"));
        }
    }

    private static Notice? Begun(MaintenanceView view) =>
        view.Steps.FirstOrDefault(static step => step.Step == nameof(MaintenanceStep.Lease)) is { } lease && view.State != MaintenanceState.Refused
            ? Make(view, "begun", NoticeKind.Begun, lease.To, "maintenance has begun", $"{view.Reason ?? "No reason was given."} (by {view.RequestedBy ?? "unknown"})")
            : null;

    private static Notice? Ended(MaintenanceView view)
    {
        var (kind, what) = view.State switch
        {
            MaintenanceState.Completed => (NoticeKind.Completed, "maintenance is completed"),
            MaintenanceState.Cancelled => (NoticeKind.Cancelled, "maintenance was cancelled"),
            MaintenanceState.Refused => (NoticeKind.Failed, "maintenance was refused"),
            MaintenanceState.Abandoned => (NoticeKind.Failed, "maintenance was ended by force"),
            _ => (NoticeKind.Failed, "maintenance failed"),
        };
        var text = string.Join('\n', view.Findings.Select(static finding => finding.Message).Concat(view.LeftBehind).Take(MostListed).Prepend(view.Message));
        return Make(view, "ended", kind, view.EndedAt ?? view.StartedAt, what, text);
    }

    private static IEnumerable<Notice> Waits(MaintenanceView view, DateTimeOffset now)
    {
        var since = view.StepSince ?? now;
        foreach (var steer in view.Steers.Where(static steer => steer.Kind is nameof(SteerKind.Suspend) or nameof(SteerKind.Resume)))
        {
            var (what, next) = steer.Kind == nameof(SteerKind.Suspend)
                ? ("suspended", $"Nothing new is begun and no deadline passes until somebody says: drydock resume {view.Id}")
                : ("resumed", "It goes on.");
            yield return Make(
                view, $"{what}-{steer.At.UtcTicks}", NoticeKind.Steered, steer.At, $"maintenance was {what}", $"By {steer.By}: {steer.Reason ?? "no reason was given."}\n{next}");
        }

        if (view.State == MaintenanceState.LeaseLost || view.LeaseLostAt is not null)
        {
            // Without a time it was lost under a version that kept none.
            var which = view.LeaseLostAt is { } lost ? $"{lost.UtcTicks}" : view.Step;
            yield return Make(view, $"lease-lost-{which}", NoticeKind.LeaseLost, view.LeaseLostAt ?? now, "the lease is lost", view.Message);
        }

        if (view.AwaitsApproval is { } gate)
        {
            yield return Make(
                view, $"approve-{gate}", NoticeKind.NeedsPerson, since, "maintenance waits for an approval", $"{view.Message}\nDecide: drydock approve {view.Id}, or drydock reject {view.Id}");
        }

        if (view.State == MaintenanceState.Holding)
        {
            // The action is one; of hooks there may be several.
            var which = view.Step == nameof(MaintenanceStep.Hook) ? view.AwaitsComplete ?? view.Step : view.Step;
            yield return Make(
                view, $"complete-{which}", NoticeKind.NeedsPerson, since, "maintenance waits until it is completed", $"{view.Message}\nGo on: drydock complete {view.Id}");
        }
    }

    // One budget that holds ten pods is one message.
    private static IEnumerable<Notice> Blocked(MaintenanceView view, DateTimeOffset now, TimeSpan blockedAfter)
    {
        var old = view.Blockers.Where(blocker => blocker.Since + blockedAfter <= now);
        foreach (var same in old.GroupBy(static blocker => (blocker.Kind, What: blocker.Object ?? blocker.Pod)))
        {
            var first = same.MinBy(static blocker => blocker.Since)!;
            var lines = same.Take(MostListed).Select(static blocker => $"{blocker.Pod}: {blocker.Kind}. {blocker.Message}").ToList();
            if (same.Count() is var count && count > MostListed)
            {
                lines.Add($"and {count - MostListed} more");
            }

            lines.Add(first.NextStep);
            yield return Make(
                view,
                $"blocked-{first.Kind}-{Digest(same.Key.What)}",
                NoticeKind.Blocked,
                first.Since + blockedAfter,
                $"maintenance is held up by {same.Key.What} for {DurationText.Format(Whole(now - first.Since))}",
                string.Join('\n', lines));
        }
    }

    private static Notice Make(MaintenanceView view, string key, NoticeKind kind, DateTimeOffset at, string what, string text) =>
        new(Notice.IdOf(view.Id, key), kind, view.Id, at, $"Node {view.Node}: {what}", Shorten(text)) { Node = view.Node };

    private static TimeSpan Whole(TimeSpan span) => TimeSpan.FromSeconds(Math.Floor(span.TotalSeconds));

    private static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..10];

    private static string Shorten(string text) => text.Length > LongestText ? text[..LongestText] + "…" : text;
}

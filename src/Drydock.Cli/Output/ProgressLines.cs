using Drydock.Api;

namespace Drydock.Cli.Output;

/// <summary>Turns each view of a maintenance into the lines that say what changed since the last one.</summary>
/// <param name="clock">The time.</param>
/// <param name="worthSaying">How long something must have been in the way to be said; null: two seconds, since what is over sooner is the ordinary course of a drain.</param>
internal sealed class ProgressLines(TimeProvider clock, TimeSpan? worthSaying = null)
{
    // What stays in the way is said again after a minute, then whenever it has lasted twice as long.
    private static readonly TimeSpan SaidAgainAfter = TimeSpan.FromMinutes(1);

    private readonly TimeSpan _worthSaying = worthSaying ?? TimeSpan.FromSeconds(2);
    private readonly Dictionary<string, string> _vms = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (BlockerView Blocker, DateTimeOffset SayAgainAt)> _blockers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _actions = new(StringComparer.Ordinal);
    private MaintenanceView? _last;

    /// <summary>One line per change, each with the time since the maintenance began.</summary>
    public IReadOnlyList<string> Next(MaintenanceView view)
    {
        var lines = new List<string>();
        foreach (var (kind, text) in Changes(view))
        {
            lines.Add(Line(view.StartedAt, kind, text));
        }

        _last = view;
        return lines;
    }

    /// <summary>A line that is not a change of the maintenance, such as a crash of the server.</summary>
    public string Note(string kind, string text) => Line(_last?.StartedAt, kind, text);

    private string Line(DateTimeOffset? since, string kind, string text)
    {
        var elapsed = since is { } from ? clock.GetUtcNow() - from : TimeSpan.Zero;
        return $"[{Elapsed.Format(elapsed < TimeSpan.Zero ? TimeSpan.Zero : elapsed),7}] {kind,-9} {text}";
    }

    private IEnumerable<(string Kind, string Text)> Changes(MaintenanceView view)
    {
        if (_last?.State != view.State
            && view.State is (MaintenanceState.Holding or MaintenanceState.AwaitingApproval or MaintenanceState.Cancelling or MaintenanceState.LeaseLost or MaintenanceState.Suspended))
        {
            yield return ("state", $"{view.State}: {view.Message}");
        }
        else if (view is { State: MaintenanceState.Cancelling, LeaseLostAt: not null } && _last?.LeaseLostAt is null)
        {
            yield return ("state", $"{MaintenanceState.LeaseLost}: {view.Message}");
        }

        foreach (var steer in view.Steers.Where(steer => steer.Kind != "Suspend" && _last is not null && !_last.Steers.Contains(steer)))
        {
            yield return ("state", SteerText(steer) + Deadline(view.Deadline));
        }

        if (_last?.Step != view.Step && !view.IsOver)
        {
            yield return ("step", $"{view.Step}: {view.Message}{Deadline(view.Deadline)}");
        }

        foreach (var action in view.Actions)
        {
            var text = $"{action.Kind}{(action.Template is { } template ? $" {template}" : "")}: {action.Message}{(action.Outcome is { } outcome ? $" [{outcome}]" : "")}";
            if (!_actions.TryGetValue(action.Key, out var known) || known != text)
            {
                _actions[action.Key] = text;
                yield return ("action", text);
            }
        }

        if (view.Pods.ToEvict > 0 && _last?.Pods != view.Pods)
        {
            yield return ("pods", PodsText(view.Pods));
        }

        foreach (var vm in view.Vms)
        {
            var name = $"{vm.Namespace}/{vm.Name}";
            var state = VmText(vm);
            if (!_vms.TryGetValue(name, out var known) || known != state)
            {
                _vms[name] = state;
                yield return ("vm", $"{name}: {state}{(vm.Progress == "Gone" ? "" : Deadline(vm.Deadline))}");
            }
        }

        foreach (var change in BlockerChanges(view))
        {
            yield return change;
        }
    }

    private IEnumerable<(string Kind, string Text)> BlockerChanges(MaintenanceView view)
    {
        var now = clock.GetUtcNow();
        var held = view.Blockers.GroupBy(KeyOf, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.First(), StringComparer.Ordinal);
        foreach (var (key, blocker) in held.Where(pair => IsToBeSaid(pair.Key, pair.Value, now)).ToList())
        {
            var lasted = now - blocker.Since;
            _blockers[key] = (blocker, now + (lasted > SaidAgainAfter ? lasted : SaidAgainAfter));
            yield return ("held", $"{BlockerText(blocker)} [{BlockerTimes(blocker, now)}]");
        }

        foreach (var (key, (blocker, _)) in _blockers.Where(pair => !held.ContainsKey(pair.Key)).ToList())
        {
            _blockers.Remove(key);
            yield return ("freed", $"{blocker.Pod} is no longer held ({blocker.Kind})");
        }
    }

    private bool IsToBeSaid(string key, BlockerView blocker, DateTimeOffset now) =>
        _blockers.TryGetValue(key, out var said) ? now >= said.SayAgainAt : now - blocker.Since >= _worthSaying;

    private static string KeyOf(BlockerView blocker) => $"{blocker.Kind} {blocker.Pod}";

    private static string SteerText(SteerView steer) =>
        $"{(steer.Kind == "Extend" ? "Extended" : "Resumed")} by {steer.By}{(steer.Reason is { Length: > 0 } why ? $": {why}" : "")}";

    /// <summary><c>3/10 gone, 2 terminating</c>.</summary>
    public static string PodsText(PodCounts pods) =>
        // Launcher pods of migrated VMs, and pods that came later, join the count on the way.
        $"{pods.Gone}/{Math.Max(pods.ToEvict, pods.Gone + pods.Terminating)} gone{(pods.Terminating > 0 ? $", {pods.Terminating} terminating" : "")}";

    /// <summary>Where a VM is: progress, phase of the migration, attempt.</summary>
    public static string VmText(VmView vm) => vm.Outcome is { } outcome
        ? $"{(vm.IsRestored && outcome == "NotRunningAgain" ? "shut down" : OutcomeText(outcome))}{(vm.Node is { } node ? $", now on {node}" : "")}{(vm.IsRestored ? ", started again" : "")}"
        : $"{vm.Progress}{(vm.Phase is { Length: > 0 } phase ? $", migration {phase}" : "")}{(vm.Attempts > 1 ? $", attempt {vm.Attempts}" : "")}: {vm.Message}";

    /// <summary>An outcome in words.</summary>
    public static string OutcomeText(string outcome) => outcome switch
    {
        "Migrated" => "migrated without a stop",
        "RestartedElsewhere" => "shut down and restarted elsewhere",
        "StaysDown" => "shut down and down, as its run strategy says",
        "Stopped" => "stopped by the maintenance",
        "AlreadyGone" => "gone before anything was done",
        "StillThere" => "STILL ON THE NODE",
        "NotRunningAgain" => "left but NOT RUNNING AGAIN",
        "Skipped" => "left on the node, as the policy says",
        _ => outcome,
    };

    /// <summary>What holds a pod or VM, and what a person can do.</summary>
    public static string BlockerText(BlockerView blocker) =>
        $"{blocker.Pod} by {blocker.Object ?? blocker.Kind}: {blocker.Message ?? blocker.Kind} -> {blocker.NextStep}";

    /// <summary><c>held 2m05s since 12:00:00Z, tried 13 times, next try in 8.0 s, deadline 12:10:00Z in 7m55s</c>.</summary>
    public static string BlockerTimes(BlockerView blocker, DateTimeOffset now)
    {
        var times = new List<string> { $"held {Elapsed.Format(now - blocker.Since)} since {blocker.Since.UtcDateTime:HH:mm:ss}Z" };
        if (blocker.Attempts > 0)
        {
            times.Add(blocker.Attempts == 1 ? "tried once" : $"tried {blocker.Attempts} times");
        }

        if (blocker.NextTry is { } next)
        {
            times.Add(next > now ? $"next try in {Elapsed.Format(next - now)}" : "next try now");
        }

        times.Add(blocker.Deadline is not { } deadline ? "no deadline"
            : deadline > now ? $"deadline {deadline.UtcDateTime:HH:mm:ss}Z in {Elapsed.Format(deadline - now)}"
            : $"deadline {deadline.UtcDateTime:HH:mm:ss}Z passed");
        return string.Join(", ", times);
    }

    private string Deadline(DateTimeOffset? deadline) => deadline is { } at
        ? $" (until {at.UtcDateTime:HH:mm:ss}Z, in {Elapsed.Format(at - clock.GetUtcNow())})"
        : "";
}

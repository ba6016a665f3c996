namespace Drydock.Maintenance.Rollouts;

/// <summary>The state of a rollout and how what happens changes it. Pure: no clock, no context.</summary>
internal sealed class RolloutBook
{
    private const int LongestMessage = 200;
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LastRetry = TimeSpan.FromMinutes(10);

    private readonly string _id;
    private readonly RolloutRequest _request;
    private readonly HashSet<string> _changed = new(StringComparer.Ordinal);

    public RolloutBook(string id, RolloutRequest request)
    {
        (_id, _request) = (id, request);
        State = request.State ?? new RolloutState([])
        {
            PausedBecause = request.PausedBecause,
            IsCanaryOver = request.Canary <= 0,
            Opening = request.Opening,
        };
    }

    /// <summary>Where it stands.</summary>
    public RolloutState State { get; private set; }

    /// <summary>How many nodes changed since the state in the input.</summary>
    public int Changes => _changed.Count;

    /// <summary>Some node is under maintenance.</summary>
    public bool IsRunning => Count(RolloutNodeState.UnderMaintenance) > 0;

    /// <summary>Some node waits for its turn.</summary>
    public bool IsWaiting => Count(RolloutNodeState.Waiting) > 0;

    /// <summary>
    /// It is paused, and nodes that failed or were left out could be taken again: it stays until somebody says retry, resume (which ends it) or
    /// cancel.
    /// </summary>
    public bool IsHeldOpen => State is { PausedBecause: not null, StoppingBecause: null } && State.Nodes.Any(CanBeRetried);

    /// <summary>The nodes under maintenance.</summary>
    public IEnumerable<RolloutNode> Running => State.Nodes.Where(node => node.State == RolloutNodeState.UnderMaintenance);

    /// <summary>The names that a read of the cluster need not tell as new.</summary>
    public IReadOnlyList<string> Known => [.. State.Nodes.Where(node => node.State != RolloutNodeState.Left).Select(node => node.Node)];

    /// <summary>Takes in what was read of the cluster; gives whether any node joined.</summary>
    public bool See(NodesSeen seen)
    {
        foreach (var left in seen.Left)
        {
            if (Find(left.Node) is { } node)
            {
                Change(node, node.State == RolloutNodeState.Waiting ? node with { State = RolloutNodeState.Left, Message = left.Why } : node);
            }
            else
            {
                Add(NewNode(left.Node, 1) with { State = RolloutNodeState.Left, Message = left.Why });
            }
        }

        foreach (var facts in seen.Added)
        {
            var before = Find(facts.Node);

            // One that came back is as good as new; its maintenance, if it had any, was of another life.
            var attempt = before is null ? 1 : before.StartedAt is null ? before.Attempt : before.Attempt + 1;
            var node = NewNode(facts.Node, attempt) with { Zone = facts.Zone, IsControlPlane = facts.IsControlPlane, Load = facts.Load };
            if (before is null)
            {
                Add(node);
            }
            else
            {
                Change(before, node);
            }
        }

        return seen.Added.Count > 0;
    }

    /// <summary>Nothing that was said keeps the node from being taken.</summary>
    public bool MayTake(string name) =>
        State is { PausedBecause: null, StoppingBecause: null, IsClosed: false } && Find(name) is { State: RolloutNodeState.Waiting };

    /// <summary>A node is taken.</summary>
    public RolloutNode Take(string name, DateTimeOffset now)
    {
        var node = Find(name)!;
        var taken = node with
        {
            State = RolloutNodeState.UnderMaintenance, StartedAt = now, EndedAt = null, NotBefore = null, Message = null, IsCanary = !State.IsCanaryOver,
        };
        Change(node, taken);
        State = State with { TakenInOpening = State.TakenInOpening + 1 };
        return taken;
    }

    /// <summary>The maintenance of a node that was taken could not be started; its turn comes again. If it runs after all, the lease keeps the next try off.</summary>
    public void NotStarted(RolloutNode node, string why, DateTimeOffset now) => TryAgain(node, why, now);

    /// <summary>The maintenance of a node is over. News of an earlier try, or told twice, change nothing.</summary>
    public void Done(NodeDone done, DateTimeOffset now)
    {
        if (Find(done.Node) is not { State: RolloutNodeState.UnderMaintenance } node || node.InstanceId != done.InstanceId)
        {
            return;
        }

        if (done.IsHeldByOther && State.StoppingBecause is null)
        {
            TryAgain(node, done.Message, now);
            return;
        }

        var ended = node with { State = RolloutNodeState.Done, Outcome = done.Outcome, Message = Short(done.Message), EndedAt = now };
        Change(node, ended);
        if (done.Outcome == MaintenanceOutcome.Completed)
        {
            State = State with { NodesTimed = State.NodesTimed + 1, TimeSpent = State.TimeSpent + (now - (node.StartedAt ?? now)) };
        }
        else if (ended.HasFailed)
        {
            Fail(now);
        }
    }

    /// <summary>Takes no new node until <see cref="Resume"/>.</summary>
    public void Pause(string why, DateTimeOffset now) =>
        State = State.PausedBecause is null ? State with { PausedBecause = why, PausedAt = now } : State;

    /// <summary>Goes on after a pause, with a new failure budget.</summary>
    public void Resume() => State = State with { PausedBecause = null, PausedAt = null, Failures = 0, IsCanaryOver = State.IsCanaryOver || State.PausedBecause is not null && IsCanaryDone() };

    /// <summary>Takes no new node any more.</summary>
    public void Stop(string why)
    {
        State = State with { StoppingBecause = State.StoppingBecause ?? why, PausedBecause = null, PausedAt = null };
        foreach (var node in State.Nodes.Where(node => node.State == RolloutNodeState.Waiting).ToList())
        {
            Change(node, node with { State = RolloutNodeState.NotTaken });
        }
    }

    /// <summary>Takes no new node any more, and those under maintenance are cancelled.</summary>
    public void Cancel(string why)
    {
        Stop(why);
        State = State with { IsCancelled = true };
    }

    /// <summary>Leaves a node out whose turn has not come; any other is left as it is.</summary>
    public void Skip(RolloutNodeOrder order)
    {
        if (Find(order.Node) is { State: RolloutNodeState.Waiting } node)
        {
            Change(node, node with { State = RolloutNodeState.Skipped, Message = Short(Said("Skipped", order)) });
        }
    }

    /// <summary>Takes a node again that failed, was cancelled or left out; one that was maintained, or is, is left as it is.</summary>
    public void Retry(RolloutNodeOrder order)
    {
        if (State.StoppingBecause is null && Find(order.Node) is { } node && CanBeRetried(node))
        {
            Change(node, (node.StartedAt is null ? node : NewTry(node)) with
            {
                State = RolloutNodeState.Waiting, Message = Short(Said("Again", order)), NotBefore = null,
            });
        }
    }

    /// <summary>The canary wave was well for long enough.</summary>
    public void EndCanary() => State = State with { IsCanaryOver = true };

    /// <summary>A window opens.</summary>
    public void Open(RolloutOpening opening) => State = State with { Opening = opening, IsClosed = false, TakenInOpening = 0 };

    /// <summary>The window closes.</summary>
    public void Close()
    {
        switch (_request.OnClose)
        {
            case WindowClosePolicy.Pause:
                State = State with { IsClosed = true };
                break;
            case WindowClosePolicy.Cancel:
                Cancel("The window closed.");
                break;
            default:
                Stop("The window closed.");
                break;
        }
    }

    /// <summary>The custom status: the nodes that changed since the input (design D13).</summary>
    public RolloutStatus Status(string? waitsFor, DateTimeOffset now) =>
        Summary(waitsFor, now) with { Nodes = [.. State.Nodes.Where(node => _changed.Contains(node.Node))] };

    /// <summary>The output: all nodes.</summary>
    public RolloutStatus Result(DateTimeOffset now) => Summary(null, now) with { Nodes = State.Nodes };

    private RolloutStatus Summary(string? waitsFor, DateTimeOffset now)
    {
        var failed = State.Nodes.Count(node => node.HasFailed);
        var done = Count(RolloutNodeState.Done);
        var total = State.Nodes.Count(node => node.State is not (RolloutNodeState.Left or RolloutNodeState.Skipped));
        var why = State.StoppingBecause ?? State.PausedBecause ?? (State.IsClosed ? "The window is closed; it goes on when the next opens." : null);
        var what = why is null ? "" : $"{why} ";
        var waits = waitsFor is null ? "" : $" {waitsFor}";
        return new RolloutStatus([])
        {
            IsPaused = State.PausedBecause is not null,
            PausedAt = State.PausedAt,
            IsStopping = State.StoppingBecause is not null,
            IsCancelled = State.IsCancelled,
            IsClosed = State.IsClosed,
            Message = $"{what}{done} of {total} nodes done, {failed} failed, {Count(RolloutNodeState.UnderMaintenance)} under maintenance.{waits}",
            Total = total,
            Done = done,
            Failed = failed,
            Waiting = Count(RolloutNodeState.Waiting),
            Running = Count(RolloutNodeState.UnderMaintenance),
            WaitsFor = waitsFor,
            EstimatedEnd = RolloutRules.EstimatedEnd(_request, State, now),
            Opening = State.Opening,
        };
    }

    private void Fail(DateTimeOffset now)
    {
        State = State with { Failures = State.Failures + 1 };

        // The canary is there to find out: its first failure is news enough.
        if (State.Failures < (State.IsCanaryOver ? _request.FailureBudget : 1))
        {
            return;
        }

        if (_request.OnFailures == RolloutFailurePolicy.Stop)
        {
            Stop("Stopped: the failure budget is used up.");
        }
        else if (State.StoppingBecause is null)
        {
            Pause("Paused: the failure budget is used up.", now);
        }
    }

    // Whoever says "go on" after the canary wave ended has looked at it.
    private bool IsCanaryDone() => State.Nodes.Count(node => node is { IsCanary: true, State: RolloutNodeState.Done }) >= _request.Canary;

    private static bool CanBeRetried(RolloutNode node) =>
        node.State == RolloutNodeState.Skipped || (node.State == RolloutNodeState.Done && node.Outcome != MaintenanceOutcome.Completed);

    private RolloutNode NewNode(string node, int attempt) =>
        new(node, RolloutNodeState.Waiting, InstanceIds.Node(_id, node, attempt)) { Attempt = attempt };

    private void TryAgain(RolloutNode node, string why, DateTimeOffset now)
    {
        // Past ten doublings it is the longest anyhow, and past sixty no TimeSpan holds it.
        var pause = FirstRetry * Math.Pow(2, Math.Min(node.Attempt - 1, 10));
        Change(node, NewTry(node) with { NotBefore = now + (pause < LastRetry ? pause : LastRetry), Message = Short(why) });
    }

    private RolloutNode NewTry(RolloutNode node) =>
        NewNode(node.Node, node.Attempt + 1) with { Zone = node.Zone, IsControlPlane = node.IsControlPlane, Load = node.Load };

    private RolloutNode? Find(string name) => State.Nodes.FirstOrDefault(node => node.Node == name);

    private int Count(RolloutNodeState state) => State.Nodes.Count(node => node.State == state);

    private void Add(RolloutNode node)
    {
        State = State with { Nodes = [.. State.Nodes, node] };
        _changed.Add(node.Node);
    }

    private void Change(RolloutNode before, RolloutNode after)
    {
        if (before != after)
        {
            State = State with { Nodes = [.. State.Nodes.Select(node => node.Node == before.Node ? after : node)] };
            _changed.Add(after.Node);
        }
    }

    private static string Said(string what, RolloutNodeOrder order) => $"{what}, by {order.By}{(order.Reason is { Length: > 0 } why ? $": {why}" : "")}.";

    private static string Short(string text) => text.Length > LongestMessage ? text[..LongestMessage] + "…" : text;
}

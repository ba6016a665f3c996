using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.State;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>
/// Who holds what: gives ready work to streams that have room, and takes back what a stream leaves behind. Nothing of this is
/// stored: in a hub of one process the file lock proves that after a restart nobody holds anything, in a shared one the leases say who
/// does. Used by the hub's thread only.
/// </summary>
internal sealed partial class Dispatcher(HubState state, IHubStore store, TaskHubOptions options, TimeProvider clock, ILeasedWork? leases = null)
{
    // Tokens of an earlier run of this hub must not match.
    private readonly string _run = Guid.NewGuid().ToString("N");
    private readonly Dictionary<string, HandOut> _handOuts = [];
    private readonly List<WorkStream> _streams = [];
    private readonly PriorityQueue<HandOut, DateTime> _delayed = new();
    private readonly PriorityQueue<HandOut, DateTime> _deadlines = new();
    private readonly TurnRequests _turns = new(store, state.Payloads, options, clock);
    private readonly ICrashPoints _crashPoints = options.CrashPoints ?? CrashPoints.None;
    private long _lastToken;
    private int _nextStream;

    /// <summary>How many items the streams hold.</summary>
    public int Outstanding { get; private set; }

    /// <summary>When the next abandoned item is ready again.</summary>
    public DateTime? EarliestDelayed => _delayed.TryPeek(out _, out var due) ? due : null;

    /// <summary>When the next activity in hand is given up, unless it shows that it goes on.</summary>
    public DateTime? EarliestDeadline
    {
        get
        {
            while (_deadlines.TryPeek(out var handOut, out var due))
            {
                if (IsInHand(handOut))
                {
                    return due;
                }

                _deadlines.Dequeue();
            }

            return null;
        }
    }

    /// <summary>The tokens of activities in hand whose result nobody waits for any more.</summary>
    public ChangeFeed LostActivities { get; } = new();

    /// <summary>Who takes work.</summary>
    public IReadOnlyList<WorkStream> Streams => _streams;

    /// <summary>The fencing tokens of what this process keeps: what is handed out, and what was abandoned and is not ready again yet.</summary>
    public IEnumerable<long> LeaseTokens =>
        _handOuts.Values.Concat(_delayed.UnorderedItems.Select(delayed => delayed.Element)).Select(handOut => handOut.LeaseToken);

    /// <summary>The completion tokens of what was handed out under these fencing tokens.</summary>
    public IEnumerable<string> TokensOf(IReadOnlyCollection<long> leaseTokens) =>
        _handOuts.Values.Where(handOut => leaseTokens.Contains(handOut.LeaseToken)).Select(handOut => handOut.Token);

    public void Open(WorkStream stream) => _streams.Add(stream);

    /// <summary>What the stream held is ready again; until it is handed out anew, an answer to the old token still counts.</summary>
    public void Close(WorkStream stream)
    {
        _streams.Remove(stream);
        stream.Items.Writer.TryComplete();
        foreach (var handOut in stream.Held)
        {
            Outstanding--;
            handOut.Stream = null;
            (handOut.Unit.IsSuspect, handOut.Unit.WasLost) = (true, true);
            MakeReady(handOut.Unit);
            if (handOut.Unit.Phase != Phase.Ready)
            {
                _handOuts.Remove(handOut.Token);
            }
        }

        stream.Held.Clear();
        HurryProgress();
    }

    /// <summary>The hub ends in order: that a worker did not come to an answer is not the fault of what it had.</summary>
    public void CloseAll()
    {
        foreach (var handOut in _streams.SelectMany(stream => stream.Held))
        {
            Excuse(handOut);
        }

        while (_streams.Count > 0)
        {
            Close(_streams[^1]);
        }
    }

    /// <summary>The hand-out of a token; null if it has ended, or the unit was given to somebody else.</summary>
    public HandOut? Find(string token) => _handOuts.TryGetValue(token, out var handOut) && !handOut.IsEnding ? handOut : null;

    /// <summary>The hand-out of a token.</summary>
    /// <exception cref="TaskHubException"><c>NotFound</c>: it has ended, or the unit was given to somebody else.</exception>
    public HandOut Held(string token) => Find(token) ?? throw new TaskHubException(
        Grpc.Core.StatusCode.NotFound, "This work item is not in hand any more: it was completed, abandoned or given to somebody else.");

    /// <summary>Ends a hand-out for good: its token means nothing any more, its stream has room.</summary>
    public void Release(HandOut handOut)
    {
        _handOuts.Remove(handOut.Token);
        if (handOut.Unit.HandOut == handOut)
        {
            handOut.Unit.HandOut = null;
        }

        if (handOut.Stream is { } stream && stream.Held.Remove(handOut))
        {
            Outstanding--;
            GiveRoom(stream, handOut.Unit);
        }

        handOut.Stream = null;
    }

    /// <summary>Takes an item back; it is ready again after the delay, so that a worker that refuses it does not spin.</summary>
    public void Abandon(string token)
    {
        if (Find(token) is not { } handOut)
        {
            return;
        }

        Excuse(handOut);
        Release(handOut);
        HurryProgress();
        switch (handOut.Unit)
        {
            case Instance { Turn: not null } instance:
                state.QueueOf(instance).Withdraw(instance, Phase.Delayed);
                break;
            case ActivityUnit { Phase: not Phase.Gone } activity:
                state.Activities.Withdraw(activity, Phase.Delayed);
                break;
            default:
                return;
        }

        _delayed.Enqueue(handOut, clock.GetUtcNow().UtcDateTime + options.AbandonDelay);
    }

    /// <summary>Gives up the activities that took too long: part of a transaction.</summary>
    public void Expire(DateTime now)
    {
        while (_deadlines.TryPeek(out var handOut, out var due) && due <= now)
        {
            _deadlines.Dequeue();
            if (!IsInHand(handOut))
            {
                continue;
            }

            if (handOut.Deadline!.Due > now)
            {
                _deadlines.Enqueue(handOut, handOut.Deadline.Due);
                continue;
            }

            var failure = new Failure
            {
                ErrorType = typeof(TimeoutException).FullName, ErrorMessage = handOut.Deadline.Explain(now),
            };
            if (leases?.Attach(handOut) == false)
            {
                state.Ending.Add(handOut);
                continue;
            }

            state.CompleteActivity(handOut, new ActivityResponse { FailureDetails = failure });
            state.Lost.Add(handOut.Token);
        }
    }

    /// <summary>The transaction has not happened: time-outs that fired in it are still to come, and progress is still to be written.</summary>
    public void Undo()
    {
        _deadlines.Clear();
        RewriteProgress();
        foreach (var handOut in _handOuts.Values)
        {
            if (handOut.Deadline is { } deadline && IsInHand(handOut))
            {
                _deadlines.Enqueue(handOut, deadline.Due);
            }
        }
    }

    /// <summary>An activity in hand shows that it goes on; false if nobody waits for it.</summary>
    public bool Heartbeat(string token, string? progress)
    {
        if (Find(token) is not { Unit: ActivityUnit { Phase: not Phase.Gone } unit } handOut)
        {
            return false;
        }

        var now = clock.GetUtcNow().UtcDateTime;
        if (progress is not null)
        {
            NoteProgress(unit, progress, now);
        }

        handOut.Deadline?.Beat(now);
        return true;
    }

    /// <summary>All leases were lost: what workers hold is somebody else's.</summary>
    public void DropAll()
    {
        LostActivities.Publish(_handOuts.Values.Where(handOut => handOut.Unit is ActivityUnit).Select(handOut => handOut.Token).ToList());
        foreach (var handOut in _handOuts.Values.ToList())
        {
            Release(handOut);
        }

        _delayed.Clear();
        _deadlines.Clear();
        _unwritten.Clear();
    }

    /// <summary>Forgets the hand-outs that had outlived their stream when this was called before.</summary>
    public void AgeOrphans()
    {
        foreach (var handOut in _handOuts.Values.Where(handOut => handOut.Stream is null).ToList())
        {
            if (handOut.IsOld)
            {
                Release(handOut);
            }

            handOut.IsOld = true;
        }
    }

    /// <summary>After the image was loaded anew: workers still hold what they held.</summary>
    public void Reattach()
    {
        _delayed.Clear();
        _deadlines.Clear();
        _unwritten.Clear();
        foreach (var handOut in _handOuts.Values.ToList())
        {
            handOut.IsEnding = false;
            WorkUnit? unit = handOut.Unit switch
            {
                Instance earlier => ReattachTurn(handOut, earlier.Key),
                ActivityUnit earlier => ReattachActivity(earlier),
                _ => null,
            };
            if (unit is null)
            {
                Release(handOut);
                continue;
            }

            handOut.Unit = unit;
            unit.HandOut = handOut;
            if (handOut.Deadline is { } deadline)
            {
                _deadlines.Enqueue(handOut, deadline.Due);
            }

            if (handOut.Stream is null)
            {
                MakeReady(unit);
            }
        }
    }

    private void MakeReady(WorkUnit unit)
    {
        switch (unit)
        {
            case { Phase: Phase.Gone or Phase.Ready }:
                break;
            case var _ when leases is not null:
                leases.GiveBack(unit);
                break;
            case Instance { Turn: not null } instance:
                state.QueueOf(instance).Add(instance);
                break;
            case ActivityUnit activity:
                state.Activities.Add(activity);
                break;
        }
    }

    private bool IsInHand(HandOut handOut) => !handOut.IsEnding && handOut.Stream is not null && _handOuts.ContainsKey(handOut.Token);

    private Instance? ReattachTurn(HandOut handOut, long key)
    {
        if (state.Find(key) is not { } instance || instance.ExecutionId != handOut.ExecutionId)
        {
            return null;
        }

        var seqs = handOut.Turn!.Messages.Select(message => message.Seq).ToHashSet();
        if (instance.Inbox.Count(message => seqs.Contains(message.Seq)) != seqs.Count)
        {
            // Its messages are gone: somebody else's turn was committed, or the instance has ended; or the clock was set back, and a
            // timer among them waits again.
            return null;
        }

        instance.Inbox.RemoveAll(message => seqs.Contains(message.Seq));
        instance.Turn = handOut.Turn;
        state.QueueOf(instance).Withdraw(instance, Phase.InHand);
        return instance;
    }

    private ActivityUnit? ReattachActivity(ActivityUnit earlier)
    {
        if (store.FindTask(earlier.InstanceKey, earlier.Seq) is not { } unit)
        {
            return null;
        }

        unit.Request = earlier.Request;
        if (earlier is { Progress: { } progress } && progress != unit.Progress)
        {
            NoteProgress(unit, progress, earlier.ProgressAt);
        }

        state.Activities.Withdraw(unit, Phase.InHand);
        return unit;
    }

    private static void GiveRoom(WorkStream stream, WorkUnit unit)
    {
        if (unit is Instance { IsEntity: true })
        {
            stream.EntityRoom++;
        }
        else if (unit is Instance)
        {
            stream.OrchestratorRoom++;
        }
        else
        {
            stream.ActivityRoom++;
        }
    }
}

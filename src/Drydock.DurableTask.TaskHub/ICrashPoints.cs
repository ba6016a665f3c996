namespace Drydock.DurableTask.TaskHub;

/// <summary>Called by the hub at each named moment around a commit, so that a test can end the process exactly there.</summary>
public interface ICrashPoints
{
    /// <summary>The hub is at the point of that name; see <see cref="CrashPoints.All"/>.</summary>
    void Hit(string name);
}

/// <summary>The names of the moments at which a crash could show a hole.</summary>
public static class CrashPoints
{
    /// <summary>A migration step was written but not committed.</summary>
    public const string MigrationBeforeCommit = "migration.before-commit";

    /// <summary>Commands were taken from the queue; nothing was written.</summary>
    public const string CommitBeforeBegin = "commit.before-begin";

    /// <summary>The transaction is open, nothing was written in it.</summary>
    public const string CommitAfterBegin = "commit.after-begin";

    /// <summary>One command of the transaction was written; others of the same transaction may follow.</summary>
    public const string CommitAfterCommand = "commit.after-command";

    /// <summary>A turn wrote its history; its outgoing messages follow.</summary>
    public const string TurnAfterHistory = "turn.after-history";

    /// <summary>A turn wrote its outgoing messages; the state of the instance follows.</summary>
    public const string TurnAfterActions = "turn.after-actions";

    /// <summary>The old execution was deleted; the messages of the new one follow.</summary>
    public const string ContinueAsNewAfterDelete = "continue-as-new.after-delete";

    /// <summary>One instance of a purge was deleted.</summary>
    public const string PurgeAfterInstance = "purge.after-instance";

    /// <summary>Turns were handed out inside the transaction that caused them.</summary>
    public const string CommitAfterSpeculation = "commit.after-speculation";

    /// <summary>The messages that no turn has consumed were written.</summary>
    public const string CommitAfterMessages = "commit.after-messages";

    /// <summary>Everything was written, nothing committed.</summary>
    public const string CommitBeforeCommit = "commit.before-commit";

    /// <summary>The commit is on disk, nobody was told.</summary>
    public const string CommitAfterCommit = "commit.after-commit";

    /// <summary>The callers were told, the work that follows was not handed out.</summary>
    public const string CommitAfterAcknowledge = "commit.after-acknowledge";

    /// <summary>A work item was handed out.</summary>
    public const string DispatchAfterHandOut = "dispatch.after-hand-out";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        MigrationBeforeCommit, CommitBeforeBegin, CommitAfterBegin, CommitAfterCommand, TurnAfterHistory, TurnAfterActions,
        ContinueAsNewAfterDelete, PurgeAfterInstance, CommitAfterSpeculation, CommitAfterMessages, CommitBeforeCommit, CommitAfterCommit, CommitAfterAcknowledge,
        DispatchAfterHandOut,
    ];

    internal static ICrashPoints None { get; } = new NoCrash();

    private sealed class NoCrash : ICrashPoints
    {
        public void Hit(string name)
        {
        }
    }
}

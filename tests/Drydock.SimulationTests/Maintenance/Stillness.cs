using Drydock.DurableTask.TaskHub;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// Whether anything can still happen before time moves on. All code of the product runs on the thread pool, on the hub's one thread or in
/// the callbacks of a clock that stands still; so if the pool has nothing running and nothing queued, and the hub's thread has handled
/// all it was woken for, nothing can happen but by a jump of the clock. The pool is of the whole process: no other test may run meanwhile.
/// </summary>
internal sealed class Stillness
{
    private int _batches;
    private int _commits;

    /// <summary>Commits of the hub so far, over all its lives.</summary>
    public int Commits => Volatile.Read(ref _commits);

    /// <summary>Called by the hub's thread.</summary>
    public void Hit(string name)
    {
        if (name == CrashPoints.CommitAfterCommit)
        {
            Interlocked.Increment(ref _commits);
        }
        else if (name == CrashPoints.CommitAfterAcknowledge)
        {
            Interlocked.Increment(ref _batches);
        }
    }

    /// <summary>Called from a thread that is none of the pool's, since a thread that asks is one that runs.</summary>
    public bool Is(SqliteTaskHub hub, CancellationToken death)
    {
        try
        {
            return IsPoolIdle() && IsHubIdle(hub, death);
        }
        catch (OperationCanceledException) when (death.IsCancellationRequested)
        {
            return false;
        }
    }

    private bool IsHubIdle(SqliteTaskHub hub, CancellationToken death)
    {
        // What the hub's thread was woken for comes before the first greeting, what it handed out then before the second. A batch more
        // than there were greetings is somebody else's.
        var before = Volatile.Read(ref _batches);
        for (var greeting = 0; greeting < 3; greeting++)
        {
            // This thread has nothing else to do than to wait.
#pragma warning disable VSTHRD002
            hub.HelloAsync(death).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        }

        SpinWait.SpinUntil(IsPoolIdle, TimeSpan.FromMilliseconds(5));
        var counts = hub.Counts;
        return IsPoolIdle() && Volatile.Read(ref _batches) == before + 3 && counts.ReadyItems == 0 && counts.PendingCommits == 0;
    }

    /// <summary>Of the pool alone, while there is no process: for a moment it has done nothing.</summary>
    public static bool IsPoolStill()
    {
        SpinWait.SpinUntil(IsPoolIdle, TimeSpan.FromMilliseconds(5));
        Thread.Yield();
        return IsPoolIdle();
    }

    /// <summary>In words, for a test that fails.</summary>
    public static string Pool() => $"thread pool: {Busy()} at work, {ThreadPool.PendingWorkItemCount} queued";

    private static bool IsPoolIdle() => ThreadPool.PendingWorkItemCount == 0 && Busy() == 0;

    private static int Busy()
    {
        ThreadPool.GetMaxThreads(out var all, out _);
        ThreadPool.GetAvailableThreads(out var idle, out _);
        return all - idle;
    }
}

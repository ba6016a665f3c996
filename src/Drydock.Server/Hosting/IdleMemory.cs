using System.Runtime.InteropServices;
using Drydock.Operator;

namespace Drydock.Server;

/// <summary>
/// Gives memory back to the machine while nothing is under way. A maintenance of hundreds of pods leaves buffers in the pools of the
/// runtime, which only collections let go of, and a process that does nothing has none: the server would keep its largest size for good.
/// </summary>
/// <param name="feed">What happens to instances.</param>
/// <param name="collect">Collects, and gives back what is free.</param>
/// <param name="clock">The time.</param>
internal sealed class IdleMemory(IInstanceFeed feed, Action collect, TimeProvider clock) : BackgroundService
{
    /// <summary>How long nothing must have happened. It is also how long the runtime's pools keep what nobody takes.</summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    /// <summary>How often it collects while nothing happens: the pools let go of a part at a time.</summary>
    public const int Times = 3;

    private long _changes;
    private long _seen;
    private int _left = Times;

    /// <summary>A blocking, compacting collection that returns free memory to the operating system, also that of the C library where it can.</summary>
    public static void Collect()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        if (NativeLibrary.TryLoad("libc.so.6", out var library) && NativeLibrary.TryGetExport(library, "malloc_trim", out var trim))
        {
            Marshal.GetDelegateForFunctionPointer<MallocTrim>(trim)(0);
        }
    }

    /// <summary>glibc: gives free memory at the end and inside of its heaps back; what it returns does not matter here.</summary>
    private delegate int MallocTrim(nuint keep);

    /// <summary>Something happened to an instance.</summary>
    public void Note() => Interlocked.Increment(ref _changes);

    /// <summary>Called once in each <see cref="Quiet"/>: collects if nothing happened since the last call, a few times in a row at most.</summary>
    public void Look()
    {
        var changes = Interlocked.Read(ref _changes);
        if (changes != _seen)
        {
            (_seen, _left) = (changes, Times);
        }
        else if (_left > 0)
        {
            _left--;
            collect();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var noting = NoteAllAsync(stoppingToken);
        using var timer = new PeriodicTimer(Quiet, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            Look();
        }

        await noting;
    }

    private async Task NoteAllAsync(CancellationToken stoppingToken)
    {
        await foreach (var _ in feed.WatchAsync(stoppingToken))
        {
            Note();
        }
    }
}

using System.Diagnostics;
using System.Globalization;
using Drydock.DurableTask.TaskHub;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>A workload that is to be killed, in a folder of its own, at the n-th passage of the point.</summary>
internal sealed record CrashCell(CrashWorkload Workload, string Folder, int Passage);

/// <summary>
/// The process that dies: each workload runs on a hub of its own, which stands still when it comes to its passage of the crash point; when all
/// stand, or have ended, the process kills itself. So one process, most of whose life is its start, serves a whole row of the matrix.
/// </summary>
internal static class CrashChild
{
    public const string Verb = "crash-child";

    private const int Failed = 70;

    // Of a machine that is busy with other things.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>Runs <c>crash-child POINT (FOLDER WORKLOAD PASSAGE)…</c>; returns only if no workload passed the point so often.</summary>
    public static async Task<int> RunAsync(string[] arguments)
    {
        var cells = arguments[2..].Chunk(3).Select(cell => new CrashCell(
            CrashWorkload.All.Single(one => one.Name == cell[1]), cell[0], int.Parse(cell[2], CultureInfo.InvariantCulture))).ToList();

        // A hub that stands still in its migration keeps a thread of the pool.
        ThreadPool.SetMinThreads(cells.Count * 4, cells.Count * 4);
        var scaffold = new Scaffold(cells.Count);
        await Task.WhenAll(cells.Select(cell => Task.Run(() => RunAsync(cell, new Killer(arguments[1], cell.Passage, scaffold), scaffold))));
        return 0;
    }

    /// <summary>Runs them in a process of its own; the exit code of one that was killed is 137.</summary>
    public static async Task<int> StartAsync(string point, IEnumerable<CrashCell> cells)
    {
        var rows = cells.SelectMany(cell => (string[])[cell.Folder, cell.Workload.Name, cell.Passage.ToString(CultureInfo.InvariantCulture)]);
        var start = new ProcessStartInfo("dotnet", ["exec", typeof(CrashChild).Assembly.Location, Verb, point, .. rows])
        {
            UseShellExecute = false,
        };

        // Most of its life is its start.
        start.Environment["DOTNET_TieredPGO"] = "0";
        using var child = Process.Start(start)!;
        using var limit = new CancellationTokenSource(Longest, TimeProvider.System);
        try
        {
            await child.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException late)
        {
            child.Kill();
            throw new TimeoutException($"The workloads that were to die at {point} neither died nor ended within {Longest}.", late);
        }

        return child.ExitCode;
    }

    private static async Task RunAsync(CrashCell cell, Killer killer, Scaffold scaffold)
    {
        try
        {
            var ledger = new Ledger(cell.Folder);
            await using var host = await CrashHost.StartAsync(cell.Folder, ledger, killer);
            await cell.Workload.RunAsync(new CrashCalls(host.Client, ledger));
        }
        catch (Exception e) when (killer.Stands)
        {
            // Whoever waits for a hub that stands still gives up at some time; what happens to it is the kill.
            await Console.Error.WriteLineAsync($"{cell.Workload.Name} stands at its point: {e.Message}");
        }

        catch (Exception e)
        {
            // The others may stand by now, and would stand for ever.
            await Console.Error.WriteLineAsync($"{cell.Workload.Name} failed before its point: {e}");
            Environment.Exit(Failed);
        }

        if (!killer.Stands)
        {
            scaffold.End();
        }
    }

    /// <summary>Who of them has come to where it is to die.</summary>
    private sealed class Scaffold(int count)
    {
        private int _missing = count;
        private int _standing;

        public void Stand()
        {
            Interlocked.Increment(ref _standing);
            End();

            // Nothing more may happen in this hub.
            Thread.CurrentThread.Join();
        }

        public void End()
        {
            if (Interlocked.Decrement(ref _missing) == 0 && Volatile.Read(ref _standing) > 0)
            {
                using var self = Process.GetCurrentProcess();
                self.Kill();
                Thread.CurrentThread.Join();
            }
        }
    }

    private sealed class Killer(string point, int passage, Scaffold scaffold) : ICrashPoints
    {
        private int _left = passage;

        public bool Stands { get; private set; }

        public void Hit(string name)
        {
            if (name == point && Interlocked.Decrement(ref _left) == 0)
            {
                Stands = true;
                scaffold.Stand();
            }
        }
    }
}

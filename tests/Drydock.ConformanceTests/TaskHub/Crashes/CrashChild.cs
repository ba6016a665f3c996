using System.Diagnostics;
using System.Globalization;
using Drydock.DurableTask.TaskHub;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>The process that dies: runs a workload and kills itself at the n-th passage of a crash point.</summary>
internal static class CrashChild
{
    public const string Verb = "crash-child";

    /// <summary>Runs <c>crash-child FOLDER WORKLOAD POINT PASSAGE</c>; returns only if the point was not passed so often.</summary>
    public static async Task<int> RunAsync(string[] arguments)
    {
        var (folder, workload, point, passage) = (arguments[1], arguments[2], arguments[3], int.Parse(arguments[4], CultureInfo.InvariantCulture));
        var ledger = new Ledger(folder);
        await using var host = await CrashHost.StartAsync(folder, ledger, new Killer(point, passage));
        await CrashWorkload.All.Single(one => one.Name == workload).RunAsync(new CrashCalls(host.Client, ledger));
        return 0;
    }

    /// <summary>Runs it in a process of its own; the exit code of one that was killed is 137.</summary>
    public static async Task<int> StartAsync(string folder, string workload, string point, int passage)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", typeof(CrashChild).Assembly.Location, Verb, folder, workload, point, passage.ToString(CultureInfo.InvariantCulture)])
        {
            UseShellExecute = false,
        };

        // Most of its life is its start.
        start.Environment["DOTNET_TieredPGO"] = "0";
        using var child = Process.Start(start)!;
        await child.WaitForExitAsync();
        return child.ExitCode;
    }

    private sealed class Killer(string point, int passage) : ICrashPoints
    {
        private int _left = passage;

        public void Hit(string name)
        {
            if (name == point && --_left == 0)
            {
                using var self = Process.GetCurrentProcess();
                self.Kill();

                // Until the signal is there, nothing more may happen.
                Thread.CurrentThread.Join();
            }
        }
    }
}

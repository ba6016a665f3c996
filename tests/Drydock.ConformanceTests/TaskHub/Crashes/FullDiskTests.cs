using System.Diagnostics;
using System.Globalization;
using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Grpc.Core;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>
/// The disk is full: what cannot be stored is refused, what was acknowledged is there, and it goes on when there is room. Once on a small
/// file system of its own, where one may be mounted, and once in a process whose files may not grow.
/// </summary>
public sealed class FullDiskTests
{
    public const string Verb = "full-disk-child";
    private const int LargestFile = 1024 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_full_disk_refuses_loses_nothing_and_goes_on_when_there_is_room()
    {
        using var folder = new HubFolder().Create();
        if (!await MayMountAsync(folder.Folder))
        {
            await InGrowthlessProcessAsync(folder.Folder);
            return;
        }

        try
        {
            await FillAsync(folder.Folder);
        }
        finally
        {
            (await RunAsync("umount", folder.Folder)).ShouldBe(0);
        }
    }

    [Fact]
    public async Task Files_that_may_not_grow_refuse_lose_nothing_and_go_on_when_they_may()
    {
        using var folder = new HubFolder().Create();
        await InGrowthlessProcessAsync(folder.Folder);
    }

    /// <summary>The process whose files stop growing: <c>full-disk-child FOLDER</c>, with orders on its input.</summary>
    internal static async Task<int> RunAsync(string[] arguments)
    {
        await using var host = await CrashHost.StartAsync(arguments[1], new Ledger(arguments[2]));
        Console.WriteLine("ready");
        await Console.In.ReadLineAsync();
        var (acknowledged, refused) = await StartUntilRefusedAsync(host.Client);
        Console.WriteLine($"{refused.Status} {acknowledged.Count.ToString(CultureInfo.InvariantCulture)}");
        await Console.In.ReadLineAsync();
        await EndAsync(host.Client, acknowledged);
        Console.WriteLine("ended");
        return 0;
    }

    private static async Task FillAsync(string place)
    {
        using var outside = new HubFolder().Create();
        var ballast = Path.Combine(place, "ballast");
        await File.WriteAllBytesAsync(ballast, new byte[1024 * 1024]);
        await using var host = await CrashHost.StartAsync(place, new Ledger(outside.Folder));
        var (acknowledged, refused) = await StartUntilRefusedAsync(host.Client);
        refused.Status.ShouldBeOneOf(StatusCode.ResourceExhausted, StatusCode.Unavailable);

        File.Delete(ballast);
        await EndAsync(host.Client, acknowledged);
    }

    private static async Task InGrowthlessProcessAsync(string folder)
    {
        // The ledger is of the test, not of the hub: a file of its own that stays small. Without the trap the kernel ends a process that writes too much.
        using var outside = new HubFolder().Create();
        string[] command = ["-c", "trap '' XFSZ; exec \"$@\"", "sh", "dotnet", "exec", typeof(FullDiskTests).Assembly.Location, Verb, folder, outside.Folder];
        using var child = Process.Start(new ProcessStartInfo("sh", command) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true })!;
        try
        {
            (await SaysAsync(child)).ShouldBe("ready");
            await LimitAsync(child, string.Create(CultureInfo.InvariantCulture, $"{LargestFile}:unlimited"));
            await child.StandardInput.WriteLineAsync("fill");
            var refusal = (await SaysAsync(child)).Split(' ');
            refusal[0].ShouldBeOneOf(nameof(StatusCode.ResourceExhausted), nameof(StatusCode.Unavailable));
            int.Parse(refusal[1], CultureInfo.InvariantCulture).ShouldBePositive();

            await LimitAsync(child, "unlimited:unlimited");
            await child.StandardInput.WriteLineAsync("go on");
            (await SaysAsync(child)).ShouldBe("ended");
            await child.WaitForExitAsync();
            child.ExitCode.ShouldBe(0);
        }
        finally
        {
            child.Kill();
        }
    }

    private static async Task<(List<string> Acknowledged, TaskHubException Refused)> StartUntilRefusedAsync(DurableTaskClient client)
    {
        List<string> acknowledged = [];
        while (true)
        {
            try
            {
                var id = $"i{acknowledged.Count.ToString(CultureInfo.InvariantCulture)}";
                await client.ScheduleNewOrchestrationInstanceAsync(CrashTasks.Chain, new string('x', 4000), new StartOrchestrationOptions { InstanceId = id });
                acknowledged.Add(id);
            }
            catch (TaskHubException refused)
            {
                return (acknowledged, refused);
            }
        }
    }

    private static async Task EndAsync(DurableTaskClient client, List<string> acknowledged)
    {
        foreach (var id in acknowledged)
        {
            using var limit = new CancellationTokenSource(Patience, TimeProvider.System);
            (await client.WaitForInstanceCompletionAsync(id, limit.Token)).RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Completed);
        }
    }

    private static async Task<string> SaysAsync(Process child) => (await child.StandardOutput.ReadLineAsync().WaitAsync(Patience)) ?? "(nothing)";

    private static async Task LimitAsync(Process child, string size) =>
        (await RunAsync("prlimit", "--pid", child.Id.ToString(CultureInfo.InvariantCulture), $"--fsize={size}")).ShouldBe(0);

    private static async Task<bool> MayMountAsync(string folder) =>
        Environment.IsPrivilegedProcess && await RunAsync("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder) == 0;

    private static async Task<int> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        return process.ExitCode;
    }
}

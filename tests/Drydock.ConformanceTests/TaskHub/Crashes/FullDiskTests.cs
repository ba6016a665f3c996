using System.Diagnostics;
using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Grpc.Core;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>A real disk that is full. By hand, as root: it mounts a small file system. (A_full_disk_refuses_and_loses_nothing plays the same with a limit of SQLite.)</summary>
public sealed class FullDiskTests
{
    [Fact(Explicit = true)]
    public async Task A_full_disk_refuses_loses_nothing_and_goes_on_when_there_is_room()
    {
        using var folder = new HubFolder().Create();
        await RunAsync("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder.Folder);
        try
        {
            await FillAsync(folder.Folder);
        }
        finally
        {
            await RunAsync("umount", folder.Folder);
        }
    }

    private static async Task FillAsync(string place)
    {
        using var outside = new HubFolder().Create();
        var ballast = Path.Combine(place, "ballast");
        await File.WriteAllBytesAsync(ballast, new byte[1024 * 1024]);
        List<string> acknowledged = [];
        await using var host = await CrashHost.StartAsync(place, new Ledger(outside.Folder));
        var refused = await Should.ThrowAsync<TaskHubException>(async () =>
        {
            while (true)
            {
                var id = $"i{acknowledged.Count}";
                await host.Client.ScheduleNewOrchestrationInstanceAsync(CrashTasks.Chain, new string('x', 4000), new StartOrchestrationOptions { InstanceId = id });
                acknowledged.Add(id);
            }
        });
        refused.Status.ShouldBeOneOf(StatusCode.ResourceExhausted, StatusCode.Unavailable);

        File.Delete(ballast);
        foreach (var id in acknowledged)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
            (await host.Client.WaitForInstanceCompletionAsync(id, limit.Token)).RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Completed);
        }
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        process.ExitCode.ShouldBe(0, $"{program} {string.Join(' ', arguments)}");
    }
}

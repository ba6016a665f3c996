using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Microsoft.Data.Sqlite;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>
/// A disk that lost the end of the write-ahead log, or broke a byte in it: whatever was acknowledged before that place is there, the
/// file is whole, and the rest of the work is done.
/// </summary>
public sealed class LogCutTests : IDisposable
{
    private const int Cuts = 40;
    private readonly HubFolder _folder = new HubFolder().Create();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_log_cut_at_any_byte_loses_only_what_came_after()
    {
        var (log, acknowledged) = await RecordAsync();
        var random = new Random(1);
        for (var i = 0; i < Cuts; i++)
        {
            var cut = random.Next(log.Length + 1);
            await CheckAsync(log[..cut], cut, acknowledged, $"cut at {cut} of {log.Length}");
        }
    }

    [Fact]
    public async Task A_broken_byte_in_the_log_loses_only_what_came_after()
    {
        var (log, acknowledged) = await RecordAsync();
        var random = new Random(2);
        for (var i = 0; i < Cuts; i++)
        {
            var broken = random.Next(log.Length);
            var copy = (byte[])log.Clone();
            copy[broken] ^= 0x5a;
            await CheckAsync(copy, broken, acknowledged, $"byte {broken} of {log.Length} broken");
        }
    }

    /// <summary>Runs a few chains, and notes how long the log was when each was acknowledged to be started and to have ended.</summary>
    private async Task<(byte[] Log, List<(string Id, bool Ended, long Length)> Acknowledged)> RecordAsync()
    {
        var ledger = new Ledger(_folder.Folder);
        List<(string, bool, long)> acknowledged = [];
        await using var host = await CrashHost.StartAsync(_folder.Folder, ledger);
        var log = new FileInfo(_folder.Path + "-wal");
        for (var i = 0; i < 12; i++)
        {
            await host.Client.ScheduleNewOrchestrationInstanceAsync(CrashTasks.Chain, null, new StartOrchestrationOptions { InstanceId = $"i{i}" });
            acknowledged.Add(($"i{i}", false, Length(log)));
            await host.Client.WaitForInstanceCompletionAsync($"i{i}");
            acknowledged.Add(($"i{i}", true, Length(log)));
        }

        await host.Hub.WhenIdleAsync(CancellationToken.None);
        File.Copy(_folder.Path, _folder.Path + ".kept");
        return (ReadShared(_folder.Path + "-wal"), acknowledged);
    }

    private async Task CheckAsync(byte[] log, long good, List<(string Id, bool Ended, long Length)> acknowledged, string what)
    {
        using var place = new HubFolder().Create();
        File.Copy(_folder.Path + ".kept", place.Path);
        await File.WriteAllBytesAsync(place.Path + "-wal", log);
        using (var connection = new SqliteConnection($"Data Source={place.Path};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA integrity_check";
            command.ExecuteScalar().ShouldBe("ok", what);
        }

        await using var host = await CrashHost.StartAsync(place.Folder, new Ledger(place.Folder));
        foreach (var (id, ended, length) in acknowledged.Where(one => one.Length <= good))
        {
            var state = (await host.Hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = id }, CancellationToken.None)).OrchestrationState;
            state.ShouldNotBeNull($"{id} was acknowledged at {length}: {what}");
            (state.OrchestrationStatus == OrchestrationStatus.Completed || !ended).ShouldBeTrue($"{id} had ended at {length}: {what}");
        }

        await host.Hub.WhenIdleAsync(CancellationToken.None);
        var left = (await host.Hub.QueryInstancesAsync(new QueryInstancesRequest { Query = new InstanceQuery { MaxInstanceCount = 100 } }, CancellationToken.None)).OrchestrationState;
        left.ShouldAllBe(state => state.OrchestrationStatus == OrchestrationStatus.Completed, what);
    }

    private static long Length(FileInfo file)
    {
        file.Refresh();
        return file.Length;
    }

    private static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }
}

using System.Globalization;
using Drydock.DurableTask.ScheduledTasks;
using Drydock.DurableTask.TaskHub;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.ScheduledTasks;

/// <summary>
/// A crash at every named point of the hub while a schedule starts runs: from what was on the disk then, another process starts every run
/// that is due and was not started, and none twice.
/// </summary>
public sealed class ScheduleCrashTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 10, 24, 22, 0, 0, TimeSpan.Zero);

    // Through the night in which clocks go back; the next is at 01:30Z.
    private static readonly DateTimeOffset End = new(2026, 10, 26, 2, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset[] Runs = [new(2026, 10, 25, 0, 30, 0, TimeSpan.Zero), new(2026, 10, 26, 1, 30, 0, TimeSpan.Zero)];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-schedule-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task No_crash_loses_a_run_or_doubles_one()
    {
        var camera = new Camera(_folder, new FakeTimeProvider(Start));
        var life = _folder.CreateSubdirectory("life");
        await using (var host = await ScheduleHost.StartAsync(camera.Clock, life, camera))
        {
            await host.Schedules.CreateScheduleAsync(new ScheduleCreationOptions("nightly", "Job", "30 2 * * *", "Europe/Berlin") { OrchestrationInput = "x" });
            camera.Watch(life);
            await host.RunUntilAsync(End);
            camera.Watch(null);
            (await host.RunsAsync()).ShouldBe(Runs.Select(run => (run, (string?)"x")));
        }

        camera.Pictures.Count.ShouldBeGreaterThan(10);
        foreach (var (point, time, picture) in camera.Pictures)
        {
            await using var host = await ScheduleHost.StartAsync(new FakeTimeProvider(time), picture);
            await host.RunUntilAsync(End);

            (await host.RunsAsync()).ShouldBe(Runs.Select(run => (run, (string?)"x")), $"after a crash at {point}, {time:O}");
        }
    }

    /// <summary>Copies the file as it is at each crash point. The hub's thread waits meanwhile, and nobody else writes.</summary>
    private sealed class Camera(DirectoryInfo album, FakeTimeProvider clock) : ICrashPoints
    {
        private volatile DirectoryInfo? _watched;

        public FakeTimeProvider Clock => clock;

        public List<(string Point, DateTimeOffset Time, DirectoryInfo Folder)> Pictures { get; } = [];

        public void Watch(DirectoryInfo? folder) => _watched = folder;

        public void Hit(string name)
        {
            if (_watched is not { } life)
            {
                return;
            }

            var picture = album.CreateSubdirectory(Pictures.Count.ToString(CultureInfo.InvariantCulture));
            foreach (var file in new[] { "hub.db", "hub.db-wal" }.Where(file => File.Exists(Path.Combine(life.FullName, file))))
            {
                File.Copy(Path.Combine(life.FullName, file), Path.Combine(picture.FullName, file));
            }

            Pictures.Add((name, clock.GetUtcNow(), picture));
        }
    }
}

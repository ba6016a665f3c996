using System.Runtime.CompilerServices;
using Drydock.DurableTask.Testing;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// What maintenances decided when their histories were accepted, they decide today: nobody's maintenance that is under way breaks with
/// a new version. See <c>Histories/README.md</c>.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class GoldenHistoryTests
{
    private const string Accept = "DRYDOCK_ACCEPT_HISTORIES";

    /// <summary>What is asked besides the maintenance of a scenario, of the healthy cluster: the other ways through the same orchestrations.</summary>
    private static readonly Dictionary<string, Func<World, Task>> Courses = new(StringComparer.Ordinal)
    {
        ["cancelled"] = async world =>
        {
            await world.BeginAsync(world.Request());
            await world.RunUntilAsync(() => world.AcceptedEvictions().Count > 0);
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ada"), CancellationToken.None);
            await world.EndAsync();
        },
        ["approved"] = async world =>
        {
            await world.BeginAsync(world.Request() with { Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] } });
            await world.RunForAsync(TimeSpan.FromHours(3));
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ada", "CHG-1"), CancellationToken.None);
            await world.EndAsync();
        },
        ["held"] = async world =>
        {
            await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
            await world.RunForAsync(TimeSpan.FromMinutes(20));
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ada"), CancellationToken.None);
            await world.EndAsync();
        },
        ["suspended"] = async world =>
        {
            await world.BeginAsync(world.Request());
            await world.RunUntilAsync(() => world.AcceptedEvictions().Count > 0);
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ada"), CancellationToken.None);
            await world.RunForAsync(TimeSpan.FromMinutes(5));
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Resume, "ada"), CancellationToken.None);
            await world.EndAsync();
        },
        ["forced"] = world => world.MaintainAsync(Forced(world)),
        ["stop-refused"] = async world =>
        {
            // Long past the deadline, and then it is stopped after all.
            world.Api.Intercept = request => request is { Subresource: "stop", IsDone: false } && world.Time.GetUtcNow() < World.Start.AddMinutes(9)
                ? throw new ApiException(500, "InternalError", "not now")
                : Task.CompletedTask;
            await world.MaintainAsync(Forced(world) with { VirtualMachines = new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown } });
        },
        ["api-away"] = async world =>
        {
            // Between two tries of what changes something, and while the node is held.
            await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
            await world.RunUntilAsync(() => world.AcceptedEvictions().Count > 0);
            var back = world.Time.GetUtcNow().AddMinutes(4);
            world.Api.Intercept = request => request.IsDone || world.Time.GetUtcNow() >= back ? Task.CompletedTask : throw new ApiException(503, "ServiceUnavailable", "not now");
            await world.RunForAsync(TimeSpan.FromMinutes(30));
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ada"), CancellationToken.None);
            await world.EndAsync();
        },
        ["rebooted"] = world => world.MaintainAsync(world.Request() with { Action = MaintenanceAction.Reboot }),
        ["rollout"] = async world =>
        {
            await RolloutTests.BeginAsync(world, new RolloutRequest(["node-1", "node-2", "node-3"]) { Template = world.Request() });
            await world.RunUntilAsync(() => world.AcceptedEvictions().Count > 0);
            await world.Client.RaiseEventAsync("r1", RolloutEvents.Skip, new RolloutNodeOrder("node-3", "ada"), CancellationToken.None);
            await RolloutTests.EndAsync(world);
        },
        ["window"] = async world =>
        {
            await WindowTests.BeginAsync(world, WindowTests.Window(world) with { Cron = "30 3 * * *" });
            await world.RunForAsync(TimeSpan.FromHours(1));
        },
    };

    private static readonly Dictionary<string, string> Scenes = new(StringComparer.Ordinal)
    {
        ["forced"] = "disruption-budget",
        ["stop-refused"] = "vm-not-migratable",
    };

    private static MaintenanceRequest Forced(World world) =>
        world.Request() with { Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(5), OnTimeout = DeadlinePolicy.Force } };

    public static TheoryData<string> Names() => [.. Scenario.Names, .. Courses.Keys];

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Names))]
    public async Task A_maintenance_that_is_under_way_decides_the_same_with_the_code_of_today(string name)
    {
        var file = Path.Combine(Folder(), name + ".json");
        if (Environment.GetEnvironmentVariable(Accept) is { Length: > 0 })
        {
            await AcceptAsync(name, file);
        }

        File.Exists(file).ShouldBeTrue($"The scenario has no history yet; accept one with {Accept}=1.");
        var histories = StoredHistory.FromJson(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
        var replayer = new OrchestrationReplayer(static tasks => tasks.AddMaintenance());

        histories.Select(history => (history.InstanceId, replayer.FirstDifference(history))).ShouldAllBe(result => result.Item2 == null);
    }

    [Fact]
    public async Task A_replay_names_the_first_step_that_is_another_today()
    {
        var file = Path.Combine(Folder(), "healthy.json");
        var json = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
        var history = StoredHistory.FromJson(json).First(one => one.InstanceId == "m1");
        var first = history.Events.First(e => e.TaskScheduled is not null);
        first.TaskScheduled.Name = "node.polish";

        new OrchestrationReplayer(static tasks => tasks.AddMaintenance()).FirstDifference(history)
            .ShouldNotBeNull().ShouldContain($"step {first.EventId}: then activity 'node.polish' was called; today's code called activity");
    }

    private static async Task AcceptAsync(string name, string file)
    {
        var course = Courses.GetValueOrDefault(name);
        await using var world = await World.StartAsync(course is null ? name : Scenes.GetValueOrDefault(name, "healthy"));
        await (course is null ? world.MaintainAsync() : course(world));
        List<string> histories = [];
        await foreach (var instance in world.Client.GetAllInstancesAsync())
        {
            histories.Add((await StoredHistory.ReadAsync(world.Hub, instance.InstanceId, CancellationToken.None)).ToJson());
        }

        await File.WriteAllTextAsync(file, $"[\n{string.Join(",\n", histories)}\n]\n", CancellationToken.None);
    }

    private static string Folder([CallerFilePath] string file = "") => Path.Combine(Path.GetDirectoryName(file)!, "Histories");
}

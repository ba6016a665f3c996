using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>What heartbeats say is kept: for the next attempt, and for whoever asks, whatever becomes of the hub meanwhile.</summary>
public abstract class TaskHubProgress : TaskHubConformance
{
    protected const string Progress = "drydock.progress";

    [Fact]
    public async Task What_was_said_is_told_to_who_asks_and_goes_with_the_next_attempt()
    {
        await using var worker = new HandWorker(Hub);
        var token = await BeginAsync(worker);

        await Extensions.HeartbeatActivityAsync(token, "\"half\"", Token);
        (await ToldAsync(Extensions, "\"half\"")).ShouldBe(new OpenActivity(0, "Work", "\"half\"", Start));

        // Within the second nothing is written but what somebody else needs.
        await Extensions.HeartbeatActivityAsync(token, "\"most\"", Token);
        await Extensions.HeartbeatActivityAsync(token, null, Token);
        await Hub.AbandonActivityTaskAsync(new AbandonActivityTaskRequest { CompletionToken = token }, Token);
        await ToldAsync(Extensions, "\"most\"");
        Clock.Advance(TimeSpan.FromSeconds(1));

        (await worker.ActivityAsync()).Request.Tags[Progress].ShouldBe("\"most\"");
    }

    [Fact]
    public async Task However_often_it_beats_the_last_word_is_kept_within_a_second()
    {
        await using var worker = new HandWorker(Hub);
        var token = await BeginAsync(worker);
        for (var beat = 1; beat <= 100; beat++)
        {
            await Extensions.HeartbeatActivityAsync(token, $"{beat}", Token);
        }

        Clock.Advance(TimeSpan.FromSeconds(1));

        (await ToldAsync(Extensions, "100")).ProgressAt.ShouldBe(Start);
        await Hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = token, Result = "1" }, Token);
        (await Extensions.GetOpenActivitiesAsync("a", Token)).ShouldBeEmpty();
    }

    [Fact]
    public async Task It_outlives_the_hub()
    {
        await using (var worker = new HandWorker(Hub))
        {
            var token = await BeginAsync(worker);
            await Extensions.HeartbeatActivityAsync(token, "\"some\"", Token);
            await Extensions.HeartbeatActivityAsync(token, "\"half\"", Token);
            await ReopenAsync();
        }

        (await Extensions.GetOpenActivitiesAsync("a", Token)).Single().SerializedProgress.ShouldBe("\"half\"");
        await using var next = new HandWorker(Hub);
        (await next.ActivityAsync()).Request.Tags[Progress].ShouldBe("\"half\"");
    }

    private protected async Task<string> BeginAsync(HandWorker worker)
    {
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Schedule(0, "Work"));
        var (request, token) = await worker.ActivityAsync();
        request.Tags.ShouldNotContainKey(Progress);
        return token;
    }

    /// <summary>The only open activity, once it is known to have said that: a heartbeat does not wait for the disk.</summary>
    internal static async Task<OpenActivity> ToldAsync(ITaskHubExtensions hub, string progress)
    {
        while (true)
        {
            if (await hub.GetOpenActivitiesAsync("a", Token) is [var open] && open.SerializedProgress == progress)
            {
                return open;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
        }
    }
}

public sealed class SqliteTaskHubProgress : TaskHubProgress
{
    private readonly HubFolder _folder = new HubFolder().Create();

    [Fact]
    public async Task A_crash_does_not_lose_it()
    {
        await using var worker = new HandWorker(Hub);
        await Extensions.HeartbeatActivityAsync(await BeginAsync(worker), "\"half\"", Token);
        await ToldAsync(Extensions, "\"half\"");

        // What a kill would leave.
        using var ruins = new HubFolder().Create();
        foreach (var part in (string[])["", "-wal"])
        {
            File.Copy(_folder.Path + part, ruins.Path + part);
        }

        await using var hub = await ruins.OpenAsync(Clock);
        await using var next = new HandWorker(hub);
        (await next.ActivityAsync()).Request.Tags[Progress].ShouldBe("\"half\"");
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await _folder.OpenAsync(clock);
}

public sealed class PostgreSqlTaskHubProgress : TaskHubProgress
{
    private readonly string _address = PostgreSqlServer.Shared.NewDatabase();

    [Fact]
    public async Task Another_server_tells_it_and_goes_on_from_it()
    {
        await using var other = await PostgreSqlHubs.OpenAsync(_address, Clock);
        await using (var worker = new HandWorker(Hub))
        {
            await Extensions.HeartbeatActivityAsync(await BeginAsync(worker), "\"half\"", Token);
            await ToldAsync(other, "\"half\"");
        }

        await using var next = new HandWorker(other);
        (await next.ActivityAsync()).Request.Tags[Progress].ShouldBe("\"half\"");
    }

    protected override async Task<ITaskHub> CreateAsync(TimeProvider clock) => await PostgreSqlHubs.OpenAsync(_address, clock);
}

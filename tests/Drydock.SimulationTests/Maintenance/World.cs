using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// The whole product but its doors, in virtual time: the simulated cluster behind the real KubernetesClient, a SQLite hub in a file, the
/// real worker. Time jumps to the next due timer, and only when nothing is in flight.
/// </summary>
internal sealed class World : IAsyncDisposable
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(), new DurationConverter() },
    };

    /// <summary>Of a test, in milliseconds of real time; what runs the clock gives up before, with words.</summary>
    public const int Timeout = 400_000;

    // Of real time: what takes longer hangs.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(150);

    private readonly string _folder = Directory.CreateTempSubdirectory("drydock-world-").FullName;
    private readonly Stillness _stillness = new();
    private readonly ConcurrentQueue<TaskCompletionSource> _held = new();
    private readonly CancellationToken _timeIsUp = TestContext.Current.CancellationToken;
    private readonly bool _replaysAlways;
    private ProcessLife? _life;
    private int _lives;

    private World(Scenario scenario, int seed, bool replaysAlways)
    {
        _replaysAlways = replaysAlways;
        Scenario = scenario;
        Cluster = SimulatedCluster.Create(scenario, Time, NullLoggerFactory.Instance, seed);
    }

    private Action<IServiceCollection>? Configure { get; init; }

    /// <summary>When it begins.</summary>
    public static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 0, 0, TimeSpan.Zero);

    public VirtualTime Time { get; } = new(Start);

    public Scenario Scenario { get; }

    public SimulatedCluster Cluster { get; }

    public SimulatedApiServer Api => Cluster.Api;

    /// <summary>Commits of the hub so far, over all its lives.</summary>
    public int Commits => _stillness.Commits;

    public DurableTaskClient Client => _life!.Client;

    public ICluster Kubernetes => _life!.Kubernetes;

    public INeighbours Neighbours => _life!.Neighbours;

    public ActionPlanner Planner => _life!.Planner;

    public SqliteTaskHub Hub => _life!.Hub;

    /// <summary>The process is dead and was not started again yet.</summary>
    public bool IsDead => _life!.IsDead;

    /// <summary>How often the process died.</summary>
    public int Deaths => _lives - 1;

    private string HubFile => Path.Combine(_folder, $"hub-{_lives}.db");

    public static Task<World> StartAsync(string scenario, int seed = 1, bool replaysAlways = false) =>
        StartAsync(Scenario.Named(scenario), seed, replaysAlways);

    /// <summary>A world that stands and has one process in it.</summary>
    /// <param name="scenario">The cluster.</param>
    /// <param name="seed">The same seed gives the same names, uids and durations.</param>
    /// <param name="replaysAlways">Every turn replays from history.</param>
    /// <param name="configure">More services of the process, in each of its lives.</param>
    public static async Task<World> StartAsync(
        Scenario scenario, int seed = 1, bool replaysAlways = false, Action<IServiceCollection>? configure = null)
    {
        var world = new World(scenario, seed, replaysAlways) { Configure = configure };
        await world.Cluster.StartAsync(CancellationToken.None);
        world._lives = 1;
        await world.OpenAsync();
        return world;
    }

    /// <summary>What the scenario asks for.</summary>
    public MaintenanceRequest Request()
    {
        var json = (JsonObject)Scenario.Request.DeepClone();
        json["node"] = Scenario.Maintain;
        return json.Deserialize<MaintenanceRequest>(Json)! with { HubId = "hub" };
    }

    /// <summary>Starts a maintenance and gives its instance id.</summary>
    public Task<string> BeginAsync(MaintenanceRequest request, string id = "m1") =>
        Client.ScheduleNewOrchestrationInstanceAsync(
            Orchestrations.Maintenance, request, new Drydock.DurableTask.StartOrchestrationOptions(id), CancellationToken.None);

    /// <summary>A whole maintenance.</summary>
    public async Task<MaintenanceReport> MaintainAsync(MaintenanceRequest? request = null, string id = "m1")
    {
        await BeginAsync(request ?? Request(), id);
        return await EndAsync(id);
    }

    /// <summary>Lets time pass until the maintenance is over; a process that dies meanwhile is started again.</summary>
    public async Task<MaintenanceReport> EndAsync(string id = "m1")
    {
        while (true)
        {
            if (await EndOrDieAsync(id) is { } report)
            {
                return report;
            }
        }
    }

    /// <summary>Lets time pass until the maintenance is over; null if the process died first, and was started again.</summary>
    public Task<MaintenanceReport?> EndOrDieAsync(string id = "m1") => EndOrDieAsync<MaintenanceReport>(id);

    /// <summary>Lets time pass until an instance with that output is over; null if the process died first, and was started again.</summary>
    public async Task<T?> EndOrDieAsync<T>(string id)
        where T : class
    {
        var life = _life!;
        var waiting = Client.WaitForInstanceCompletionAsync(id, getInputsAndOutputs: true, life.Death);
        await RunUntilAsync(() => waiting.IsCompleted || life.IsDead);
        if (life.IsDead)
        {
            await CrashAsync();
            return null;
        }

        var end = await waiting;
        return end.RuntimeStatus == OrchestrationRuntimeStatus.Completed
            ? end.ReadOutputAs<T>()!
            : throw new InvalidOperationException($"{end.RuntimeStatus}: {end.FailureDetails}");
    }

    /// <summary>The custom status of an instance.</summary>
    public async Task<T?> StatusAsync<T>(string id = "m1")
        where T : class => (await Client.GetInstanceAsync(id, true, CancellationToken.None))?.ReadCustomStatusAs<T>();

    /// <summary>
    /// Lets time pass until it is so and all that happens at that moment has happened: what a test does next meets the same world on a slow
    /// machine and on a fast one. What is to come in between belongs into <see cref="SimulatedApiServer.Intercept"/>.
    /// </summary>
    /// <exception cref="TimeoutException">It was not so in time; the message says how the world stood.</exception>
    public async Task RunUntilAsync(Func<bool> isSo, TimeSpan? atMost = null)
    {
        var end = Time.GetUtcNow() + (atMost ?? TimeSpan.FromHours(12));
        var why = await Task.Factory.StartNew(
            () => Drive(isSo, end), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (why is not null)
        {
            throw new TimeoutException($"{why} {await DescribeAsync()}");
        }
    }

    /// <summary>Lets that much time pass.</summary>
    public Task RunForAsync(TimeSpan span)
    {
        var until = Time.GetUtcNow() + span;
        _ = Time.CreateTimer(_ => { }, null, span, System.Threading.Timeout.InfiniteTimeSpan);
        return RunUntilAsync(() => Time.GetUtcNow() >= until);
    }

    /// <summary>Lets that much time pass; a process that dies meanwhile is started again.</summary>
    public async Task LiveForAsync(TimeSpan span)
    {
        var until = Time.GetUtcNow() + span;
        while (Time.GetUtcNow() < until)
        {
            _ = Time.CreateTimer(_ => { }, null, until - Time.GetUtcNow(), System.Threading.Timeout.InfiniteTimeSpan);
            await RunUntilAsync(() => IsDead || Time.GetUtcNow() >= until);
            if (IsDead)
            {
                await CrashAsync();
            }
        }
    }

    /// <summary>
    /// Ends when all else of this virtual moment has happened; no time passes until then. For <see cref="SimulatedApiServer.Intercept"/>:
    /// requests that are sent together meet here, on a fast machine and on a slow one. While nobody lets time pass, it does not end.
    /// </summary>
    public Task WhenStillAsync()
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _held.Enqueue(held);
        return held.Task;
    }

    /// <summary>The process will die when the hub is at that point of <see cref="CrashPoints"/> for the nth time from now on.</summary>
    public void KillAt(string point, int nth) => _life!.KillAt(point, nth);

    /// <summary>The process dies where it is; whoever lets time pass finds it dead.</summary>
    public Task KillAsync() => _life!.KillAsync();

    /// <summary>The process will die just before, or just after, the nth such request to the API server is carried out.</summary>
    public void KillAtRequest(Func<HttpRequestMessage, bool> which, int nth, bool after) => _life!.KillAtRequest(which, nth, after);

    /// <summary>The process dies, if it has not, and comes back with what is on the disk, or with what was made of that; after a while, if that is said.</summary>
    public async Task CrashAsync(Action<string>? change = null, TimeSpan away = default)
    {
        var dead = _life!;
        await dead.KillAsync();
        _lives++;
        dead.CopyTo(HubFile);
        change?.Invoke(HubFile);
        await dead.DisposeAsync();
        await Task.Factory.StartNew(() => DriveAlone(away), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await OpenAsync();
    }

    /// <summary>The process dies and the hub's file is gone; a new, empty one is there.</summary>
    public async Task LoseHubAsync()
    {
        await _life!.KillAsync();
        await _life.DisposeAsync();
        _lives++;
        await OpenAsync();
    }

    /// <summary>Accepted evictions by pod; a pod evicted twice stands twice.</summary>
    public IReadOnlyList<string> AcceptedEvictions() =>
        [.. Api.RequestLog.Of("create", "pods", "eviction").Where(request => request.Code is 200 or 201).Select(request => $"{request.Namespace}/{request.Name}")];

    /// <summary>All that is not right at the end, by the cluster's own objects.</summary>
    public IReadOnlyList<string> WhatIsWrong() =>
        [.. Cluster.Check().Where(check => !check.Ok).Select(check => $"{check.Statement}: {check.Saw}")];

    /// <summary>Events in the histories of all instances together.</summary>
    public async Task<int> HistoryEventsAsync()
    {
        var count = 0;
        await foreach (var instance in Client.GetAllInstancesAsync())
        {
            count += await HistoryEventsAsync(instance.InstanceId);
        }

        return count;
    }

    /// <summary>Events in the history of an instance.</summary>
    public async Task<int> HistoryEventsAsync(string id)
    {
        var count = 0;
        await foreach (var chunk in Hub.StreamInstanceHistoryAsync(new StreamInstanceHistoryRequest { InstanceId = id }, CancellationToken.None))
        {
            count += chunk.Events.Count;
        }

        return count;
    }

    /// <summary>Every instance with its times, and every request: to find out why a test fails.</summary>
    public async Task<string> TraceAsync()
    {
        var lines = new List<string>();
        await foreach (var instance in Client.GetAllInstancesAsync(new OrchestrationQuery { FetchInputsAndOutputs = true }))
        {
            lines.Add($"{instance.InstanceId} {instance.RuntimeStatus} {instance.CreatedAt:mm:ss.fff}..{instance.LastUpdatedAt:mm:ss.fff} {instance.SerializedCustomStatus}");
        }

        return string.Join('\n', lines.Concat(Api.RequestLog.All.Select(r => $"{r.Time:mm:ss.fff} {r.Verb} {r.Path} {r.Code}")));
    }

    public async ValueTask DisposeAsync()
    {
        if (_life is { } life)
        {
            await life.KillAsync();
            await life.DisposeAsync();
        }

        await Cluster.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task OpenAsync() => _life = await ProcessLife.StartAsync(HubFile, Api, Time, _stillness, _replaysAlways, Configure);

    /// <summary>On a thread of its own; null when it is so, else why not.</summary>
    private string? Drive(Func<bool> isSo, DateTimeOffset end)
    {
        var since = Stopwatch.GetTimestamp();
        var isThere = false;
        while (true)
        {
            isThere = isThere || isSo();
            if (_life!.IsDead)
            {
                return isThere || isSo() ? null : "The process is dead.";
            }

            if (Stopwatch.GetElapsedTime(since) > LongestWait || _timeIsUp.IsCancellationRequested)
            {
                return $"Given up after {Stopwatch.GetElapsedTime(since).TotalSeconds:0} seconds of real time.";
            }

            if (!_stillness.Is(Hub, _life!.Death))
            {
                Thread.Yield();
            }
            else if (LetGo())
            {
                // What they do now belongs to this moment too.
            }
            else if (isThere)
            {
                return null;
            }
            else if (!isSo() && !Time.JumpToNext(end))
            {
                return "Nothing can happen any more.";
            }
        }
    }

    /// <summary>The cluster goes on while there is no process.</summary>
    private void DriveAlone(TimeSpan span)
    {
        var end = Time.GetUtcNow() + span;
        using var last = Time.CreateTimer(static _ => { }, null, span, System.Threading.Timeout.InfiniteTimeSpan);
        while (Time.GetUtcNow() < end && !_timeIsUp.IsCancellationRequested)
        {
            if (Stillness.IsPoolStill() && !LetGo())
            {
                Time.JumpToNext(end);
            }
        }
    }

    /// <summary>Ends what waited until all is still; false if nothing did.</summary>
    private bool LetGo()
    {
        var any = false;
        for (var left = _held.Count; left > 0 && _held.TryDequeue(out var held); left--)
        {
            any = true;
            held.SetResult();
        }

        return any;
    }

    /// <summary>How the world stands, in words.</summary>
    private async Task<string> DescribeAsync() => $"""
        It is {Time.GetUtcNow():u}, the next timer is due {Time.Next:u}; {Stillness.Pool()}; hub: {Hub.Counts}; cluster: {Kubernetes.Counts}; API: {Api.RequestsInFlight} requests, {Api.UndeliveredWatchEvents} events; simulator: {Cluster.PendingWork}.
        {await TraceAsync()}
        """;

    private sealed class DurationConverter : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var text = reader.GetString()!;
            var unit = text[^1];
            var number = double.Parse(text[..^1]);
            return unit switch
            {
                's' => TimeSpan.FromSeconds(number),
                'm' => TimeSpan.FromMinutes(number),
                'h' => TimeSpan.FromHours(number),
                _ => TimeSpan.Parse(text),
            };
        }

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}

using System.Globalization;
using System.Text.Json;
using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.TaskHub.Endpoint;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.Benchmarks.Engine;

/// <summary>The process of <see cref="DrydockContender"/>: takes requests as lines, as the scripts of the peers do.</summary>
internal sealed class EngineProcess(DurableTaskClient client, Marks marks)
{
    public const string Verb = "engine-process";
    public const string ServeVerb = "engine-endpoint";

    /// <summary>Serves the requests of the standard input until it ends.</summary>
    public static async Task RunAsync(string database)
    {
        var marks = new Marks();
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
        builder.Services.AddSqliteTaskHub(database);
        builder.Services.AddDurableTaskClient(client => client.UseTaskHub());
        builder.Services.AddDurableTaskWorker(worker => worker.AddTasks(tasks => Workloads.Register(tasks, marks)).UseTaskHub());
        using var host = builder.Build();
        await host.StartAsync();
        await SayAsync(new { ready = true });
        var process = new EngineProcess(host.Services.GetRequiredService<DurableTaskClient>(), marks);
        while (await Console.In.ReadLineAsync() is { } line)
        {
            await SayAsync(await process.AnswerAsync(line.Split(' ')));
        }

        await host.StopAsync();
    }

    /// <summary>Serves a hub to workers in other processes until the standard input ends; each line is answered with its processor time.</summary>
    public static async Task ServeAsync(string database)
    {
        await using var hubs = new TaskHubDirectory(database, null, TimeProvider.System, NullLoggerFactory.Instance);
        await using var server = new TaskHubServer(
            hubs, new TaskHubServerOptions { Listen = new(System.Net.IPAddress.Loopback, 0) }, TimeProvider.System, NullLoggerFactory.Instance);
        await server.StartAsync(CancellationToken.None);
        await SayAsync(new { address = server.Address.Authority });
        while (await Console.In.ReadLineAsync() is not null)
        {
            await SayAsync(new { });
        }
    }

    private async Task<object> AnswerAsync(string[] request)
    {
        var count = int.Parse(request[1], CultureInfo.InvariantCulture);
        switch (request[0])
        {
            case "chains":
                return new { seconds = await SecondsAsync(() => EachAsync(count, _ => RunAsync(Workloads.Chain, null, 5))) };
            case "fan":
                return new { seconds = await SecondsAsync(() => RunAsync(Workloads.Fan, count, (long)count * (count + 1) / 2)) };
            case "alone":
                var latencies = new List<double>();
                for (var i = 0; i < count; i++)
                {
                    latencies.Add(await SecondsAsync(() => RunAsync(Workloads.Chain, null, 5)) * 1000);
                }

                return new { latencies };
            case "start":
                await EachAsync(count, i => client.ScheduleNewOrchestrationInstanceAsync(
                    Workloads.Pause, 6000, new StartOrchestrationOptions { InstanceId = $"crash-{request[2]}-{i}" }));
                return new { };
            case "wait":
                await EachAsync(count, i => client.ScheduleNewOrchestrationInstanceAsync(
                    Workloads.Pause, 3_600_000, new StartOrchestrationOptions { InstanceId = $"wait-{request[2]}-{i}" }));
                return new { };
            case "finish":
                await EachAsync(count, i => EndAsync($"crash-{request[2]}-{i}", 5));
                return new { };
            case "long":
                var run = new LongRun(count, int.Parse(request[2], CultureInfo.InvariantCulture));
                await RunAsync(Workloads.Long, run, run.Steps);
                return new { cpu = marks.ProcessorMilliseconds / run.Steps, wall = marks.WallMilliseconds / run.Steps };
            default:
                throw new ArgumentException($"There is no request '{request[0]}'.", nameof(request));
        }
    }

    private async Task RunAsync<T>(string name, object? input, T wanted) =>
        await EndAsync(await client.ScheduleNewOrchestrationInstanceAsync(name, input), wanted);

    private async Task EndAsync<T>(string id, T wanted)
    {
        var end = await client.WaitForInstanceCompletionAsync(id, getInputsAndOutputs: true);
        var actual = end.ReadOutputAs<T>();
        if (end.RuntimeStatus != OrchestrationRuntimeStatus.Completed || !Equals(actual, wanted))
        {
            throw new InvalidOperationException($"{id} ended {end.RuntimeStatus} with {actual}, not with {wanted}.");
        }
    }

    private static Task EachAsync(int count, Func<int, Task> work) => Task.WhenAll(Enumerable.Range(0, count).Select(work));

    private static async Task<double> SecondsAsync(Func<Task> work)
    {
        var from = TimeProvider.System.GetTimestamp();
        await work();
        return TimeProvider.System.GetElapsedTime(from).TotalSeconds;
    }

    private static async Task SayAsync(object answer)
    {
        await Console.Out.WriteLineAsync(JsonSerializer.Serialize(answer));
        await Console.Out.FlushAsync();
    }
}

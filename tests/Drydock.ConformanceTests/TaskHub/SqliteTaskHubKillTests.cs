using System.Diagnostics;
using System.Globalization;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>
/// A real process with a hub under load, killed at a random moment and started again on the same file. The load writes down what was
/// acknowledged in a file of its own, in the order the hub said so; afterwards the hub must know all of it.
/// </summary>
public sealed class SqliteTaskHubKillTests : IDisposable
{
    private const string ChildVariable = "DRYDOCK_TEST_HUB_LOAD";
    private const int Steps = 5;
    private readonly HubFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_killed_hub_loses_nothing_it_acknowledged_and_finishes_everything()
    {
        // Not in the constructor: the child is killed and could not tidy up.
        _folder.Create();
        for (var round = 0; round < 4; round++)
        {
            await RunAndKillAsync(TimeSpan.FromMilliseconds(300 + (round * 170)));
        }

        var ledger = await File.ReadAllLinesAsync(Ledger(_folder.Folder));
        ledger.Length.ShouldBeGreaterThan(50);
        await using var hub = await _folder.OpenAsync();
        await using var worker = new HandWorker(hub);
        await FinishAsync(hub, worker);

        foreach (var id in ledger.Where(line => line.StartsWith("started ", StringComparison.Ordinal)).Select(line => line.Split(' ')[1]))
        {
            await CheckAsync(hub, id, ledger);
        }
    }

    /// <summary>The load itself: does nothing unless it is the child of the test above.</summary>
    [Fact]
    public async Task Load_for_the_test_above()
    {
        if (Environment.GetEnvironmentVariable(ChildVariable) is not { } folder)
        {
            return;
        }

        var options = new SqliteTaskHubOptions { Path = Path.Combine(folder, "hub.db") };
        await using var hub = new SqliteTaskHub(
            options, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<SqliteTaskHub>.Instance);
        await hub.OpenAsync(CancellationToken.None);
        await using var ledger = new FileStream(
            Ledger(folder), FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 1);
        await Console.Out.WriteLineAsync("ready");
        _ = Task.Run(() => WorkAsync(hub, ledger));
        for (var i = 0; ; i++)
        {
            var id = $"{Environment.ProcessId}-{i}";
            await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "Steps" }, CancellationToken.None);
            Write(ledger, $"started {id}");
        }
    }

    private static string Ledger(string folder) => Path.Combine(folder, "ledger");

    private static void Write(FileStream ledger, string line)
    {
        lock (ledger)
        {
            ledger.Write(System.Text.Encoding.ASCII.GetBytes(line + "\n"));
        }
    }

    private async Task RunAndKillAsync(TimeSpan after)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, UseShellExecute = false };
        start.ArgumentList.Add("exec");
        start.ArgumentList.Add(typeof(SqliteTaskHubKillTests).Assembly.Location);
        start.ArgumentList.Add("-method");
        start.ArgumentList.Add("*SqliteTaskHubKillTests.Load_for_the_test_above");
        start.Environment[ChildVariable] = _folder.Folder;
        using var child = Process.Start(start)!;
        while (await child.StandardOutput.ReadLineAsync() is { } line && !line.EndsWith("ready", StringComparison.Ordinal))
        {
        }

        await Task.Delay(after, TimeProvider.System, CancellationToken.None);
        child.Kill();
        await child.WaitForExitAsync();
    }

    /// <summary>Five activities one after the other; the input of each is the number of results the history shows.</summary>
    private static async Task WorkAsync(SqliteTaskHub hub, FileStream ledger)
    {
        await foreach (var item in hub.GetWorkItemsAsync(
            new GetWorkItemsRequest { MaxConcurrentOrchestrationWorkItems = 20 }, false, CancellationToken.None))
        {
            _ = Task.Run(async () =>
            {
                await AnswerAsync(hub, item);
                if (item.ActivityRequest is { } activity)
                {
                    Write(ledger, $"result {activity.OrchestrationInstance.InstanceId} {activity.Input}");
                }
            });
        }
    }

    private static Task AnswerAsync(SqliteTaskHub hub, WorkItem item)
    {
        if (item.ActivityRequest is { } activity)
        {
            return hub.CompleteActivityTaskAsync(
                new ActivityResponse { CompletionToken = item.CompletionToken, Result = activity.Input }, CancellationToken.None);
        }

        var request = item.OrchestratorRequest;
        var done = request.PastEvents.Concat(request.NewEvents).Count(e => e.TaskCompleted is not null);
        var action = done < Steps ? Act.Schedule(done, "Step", done.ToString(CultureInfo.InvariantCulture)) : Act.Complete(done, "\"done\"");
        return hub.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse { CompletionToken = item.CompletionToken, Actions = { action } }, CancellationToken.None);
    }

    private static async Task FinishAsync(SqliteTaskHub hub, HandWorker worker)
    {
        var idle = hub.WhenIdleAsync(CancellationToken.None);
        while (await worker.NextUnlessAsync(idle) is { } item)
        {
            await AnswerAsync(hub, item);
        }
    }

    private static async Task CheckAsync(SqliteTaskHub hub, string id, string[] ledger)
    {
        var state = (await hub.GetInstanceAsync(
            new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = true }, CancellationToken.None)).OrchestrationState;
        state.ShouldNotBeNull($"'{id}' was acknowledged and is gone.");
        state.Output.ShouldBe("\"done\"");

        var events = new List<HistoryEvent>();
        await foreach (var chunk in hub.StreamInstanceHistoryAsync(
            new StreamInstanceHistoryRequest { InstanceId = id }, CancellationToken.None))
        {
            events.AddRange(chunk.Events);
        }

        // Every step once, in order, and its result; a result that was acknowledged was asked for once.
        events.Where(e => e.TaskScheduled is not null).Select(e => e.EventId).ShouldBe(Enumerable.Range(0, Steps));
        events.Where(e => e.TaskCompleted is not null).Select(e => e.TaskCompleted.TaskScheduledId).ShouldBe(Enumerable.Range(0, Steps));
        events.Count(e => e.ExecutionCompleted is not null).ShouldBe(1);
        ledger.Where(line => line.StartsWith($"result {id} ", StringComparison.Ordinal)).ShouldBeUnique();
    }
}
